"""What every backend must do, asked of this one through its entry point."""

from gradparity.models import MLP, SoftmaxRegression
from gradparity.testing import BackendConformance


class TestMlx(BackendConformance):
    name = "mlx"
    specs = (SoftmaxRegression(), MLP())
