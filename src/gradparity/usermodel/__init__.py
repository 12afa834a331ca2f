"""A user's own model in one file: found, read, checked for mistakes, and its errors put into words."""

from gradparity.usermodel.adopt import adopt
from gradparity.usermodel.explain import explain_exception, explaining_autograd
from gradparity.usermodel.load import is_file, load
from gradparity.usermodel.model import UserModel
from gradparity.usermodel.preflight import preflight

__all__ = ["UserModel", "adopt", "explain_exception", "explaining_autograd", "is_file", "load", "preflight"]
