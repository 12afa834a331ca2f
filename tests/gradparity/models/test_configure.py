import pytest

from gradparity.data import SyntheticShape, load
from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression, default_spec, spec_for_data


def test_settings_become_fields() -> None:
    assert default_spec("softmax_regression", ["weight_decay=0.1", "classes=3"]) == SoftmaxRegression(7, 3, 0.1)
    assert default_spec("mlp", ["widths=3,2", "activation=tanh"]) == MLP(widths=(3, 2), activation="tanh")


def test_sizes_come_from_the_data() -> None:
    digits = load("digits")
    assert spec_for_data("softmax_regression", digits) == SoftmaxRegression(64, 10)
    assert spec_for_data("mlp", digits, ["hidden=20,30"]) == MLP(widths=(64, 20, 30, 10))
    assert spec_for_data("linear_regression", digits).reduction == "mean-of-entries"  # type: ignore[attr-defined]
    assert spec_for_data("mlp", digits, ["hidden=20"]) == MLP(widths=(64, 20, 10))


def test_real_targets_take_squared_error() -> None:
    real = load("synthetic", synthetic_shape=SyntheticShape(50, 6, 3, real=True))
    assert spec_for_data("mlp", real) == MLP(widths=(6, 32, 3), loss="squared_error")
    with pytest.raises(UsageError, match=r"softmax_regression needs labels.*use linear_regression"):
        spec_for_data("softmax_regression", real)


@pytest.mark.parametrize(
    ("model", "settings", "says"),
    [
        ("nlp", [], "unknown model 'nlp'.*did you mean 'mlp'"),
        ("mlp", ["hiden=3"], "unknown setting of mlp 'hiden'.*did you mean 'hidden'"),
        ("mlp", ["hidden=3", "hidden=4"], "--set gives 'hidden' twice, got 'hidden=4' too: leave one out"),
        ("mlp", ["hidden"], "a setting is written name=value, got 'hidden'"),
        ("mlp", ["widths=3,2"], "the data set gives the first and the last of widths"),
        ("softmax_regression", ["features=3"], "unknown setting of softmax_regression 'features'"),
    ],
)
def test_settings_that_make_no_model_are_refused(model: str, settings: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        spec_for_data(model, load("digits"), settings)
