"""A user's own model in one file: found, read, checked for mistakes, and its errors put into words."""

from gradparity.subjects.model_file.adopt import adopt
from gradparity.subjects.model_file.examples import dataset_for
from gradparity.subjects.model_file.failures import explain_exception, explaining_autograd
from gradparity.subjects.model_file.load import file_of, is_file, load
from gradparity.subjects.model_file.model import UserModel
from gradparity.subjects.model_file.preflight import preflight

__all__ = [
    "UserModel",
    "adopt",
    "dataset_for",
    "explain_exception",
    "explaining_autograd",
    "file_of",
    "is_file",
    "load",
    "preflight",
]
