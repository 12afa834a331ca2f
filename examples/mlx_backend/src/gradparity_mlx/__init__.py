"""The backend ``mlx``: ``mx.value_and_grad`` over idiomatic MLX forward passes."""

from gradparity.model import RuntimeBackend
from gradparity_mlx import models
from gradparity_mlx.runtime import MlxRuntime

backend = RuntimeBackend("mlx", "machine", models.functions, MlxRuntime())
