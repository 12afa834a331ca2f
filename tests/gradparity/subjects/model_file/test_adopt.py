"""Whatever declares a model becomes the same model; what is declared wrongly is said in one line."""

import re
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.protocol import Batch, HandWrittenSpec
from gradparity.subjects.model_file import adopt

SHAPES = {"w": (3,)}


def forward(p: Any, batch: Batch, c: Any) -> None:
    c["loss"] = ((batch.x @ p["w"] - batch.y) ** 2).sum()


def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
    d["w"] = 2 * batch.x.T @ (batch.x @ p["w"] - batch.y)


DECLARED: dict[str, Any] = {
    "param_shapes": SHAPES, "input_shape": 3, "target_shape": (), "forward": forward, "backward": backward,
}  # fmt: skip


class Plain:
    param_shapes = SHAPES
    input_shape = [3]  # noqa: RUF012
    target_shape = ()
    forward = staticmethod(forward)
    backward = staticmethod(backward)


class Sized:
    def __init__(self, n: int = 3) -> None:
        self.param_shapes = {"w": np.int64(n)}
        self.input_shape = (n,)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return ()

    def forward(self, p: Any, batch: Batch, c: Any) -> None:
        forward(p, batch, c)

    def backward(self, p: Any, batch: Batch, c: Any, d: Any) -> None:
        backward(p, batch, c, d)


def module() -> ModuleType:
    made = ModuleType("package.linear")
    vars(made).update(DECLARED)
    return made


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (DECLARED, "model"),
        (SimpleNamespace(**DECLARED), "SimpleNamespace"),
        (module(), "linear"),
        (Plain, "Plain"),
        (Plain(), "Plain"),
        (Sized, "Sized"),
        (Sized(3), "Sized"),
    ],
)
def test_takes_a_module_class_instance_or_namespace(thing: Any, name: str) -> None:
    model = adopt(thing)
    assert isinstance(model, HandWrittenSpec)
    assert (model.name, model.param_shapes, model.input_shape) == (name, {"w": (3,)}, (3,))
    assert (model.num_classes, model.target_shape, model.derivation) == (None, (), ())
    rng = np.random.default_rng(0)
    p, batch, c, d = model.init(rng), model.example_batch(rng, 5), {}, {}  # type: ignore[var-annotated]
    model.hand.forward(p, batch, c)
    model.hand.backward(p, batch, c, d)
    np.testing.assert_allclose(d["w"], 2 * batch.x.T @ (batch.x @ p["w"] - batch.y))


def test_an_instance_keeps_its_own_sizes() -> None:
    assert adopt(Sized(5)).param_shapes == {"w": (5,)}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"param_shapes": None}, r"param_shapes must be a dict from parameter name to shape, got None"),
    ({"param_shapes": {}}, r"param_shapes must be a dict .*, got \{\}"),
    ({"param_shapes": {"w": np.ones(3)}}, r"param_shapes\['w'\] must be .*: write its shape, \(3,\)"),
    ({"param_shapes": {"w": (3, 0)}}, r"param_shapes\['w'\] must be .*, got \(3, 0\)"),
    ({"param_shapes": {"w": "3"}}, r"param_shapes\['w'\] must be .*, got '3'"),
    ({"param_shapes": {3: 3}}, r"a parameter's name is a word other than 'loss', got 3"),
    ({"param_shapes": {"loss": 3}}, r"a parameter's name is a word other than 'loss', got 'loss'"),
    ({"input_shape": 3.0}, r"input_shape must be a whole number of at least 1 or a tuple of them, got 3\.0"),
    ({"target_shape": True}, r"target_shape must be a whole number .*, got True"),
    ({"num_classes": 3}, r"a model has either num_classes .* or target_shape .*, got both: keep one"),
    ({"target_shape": None}, r"a model has either num_classes .* or target_shape .*, got neither: add one"),
    ({"target_shape": None, "num_classes": 0}, r"num_classes must be a whole number of at least 1, got 0"),
    ({"forward": 3}, r"forward must be a function of \(p, batch, c\), got 3: write def forward\(p, batch, c\):"),
    ({"forward": backward}, r"\S*test_adopt\.py:\d+: forward must take \(p, batch, c\), got \(p: .*\)"),
    ({"backward": forward}, r"\S*test_adopt\.py:\d+: backward must take \(p, batch, c, d\), got \(p: "),
    ({"init": forward}, r"\S*: init must take \(rng\)"),
    ({"example_batch": lambda rng: rng}, r"\S*: example_batch must take \(rng, n\), got \(rng\)"),
]


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize(("wrong", "says"), MISTAKES, ids=[" ".join(map(str, wrong)) for wrong, _ in MISTAKES])
def test_what_is_declared_wrongly_is_said_in_one_line(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        adopt({**DECLARED, **wrong})
    message = " ".join(str(caught.value).split())
    assert re.match(says if says.startswith(r"\S") else f"model: {says}", message), message


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize("missing", ["param_shapes", "input_shape", "forward", "backward"])
def test_what_is_missing_is_named_with_the_nearest_spelling(missing: str) -> None:
    declared = {f"{name}_" if name == missing else name: value for name, value in DECLARED.items()}
    with pytest.raises(UsageError, match=rf"model: '{missing}' is missing: .* did you mean '{missing}_'\?"):
        adopt(declared)


def test_a_method_without_self_is_explained() -> None:
    class Selfless(Plain):
        def forward(p, batch, c):  # type: ignore[no-untyped-def, override]  # noqa: N805
            pass

    with pytest.raises(UsageError, match=r"forward must take \(p, batch, c\), got \(batch, c\): .* self first"):
        adopt(Selfless())


def test_a_property_that_fails_is_explained() -> None:
    class Broken(Plain):
        @property
        def param_shapes(self) -> dict[str, int]:  # type: ignore[override]
            return {"w": self.n}  # type: ignore[attr-defined]

    with pytest.raises(UsageError, match=r"test_adopt\.py:\d+: reading param_shapes raised AttributeError: .*'n'"):
        adopt(Broken)


IN_A_FILE = {
    # name: (edit, the part of the line that is named, message)
    "no dict": (('{"W": (6, 4), "b": (4,)}', "[(6, 4), (4,)]"), "param_shapes =", "param_shapes must be a dict"),
    "no shape": (("input_shape = 6", "input_shape = '6'"), "input_shape =", "input_shape must be a whole number"),
    "no count": (("num_classes = 4", "num_classes = 4.0"), "num_classes =", "num_classes must be a whole number"),
    "both": (("num_classes = 4", "num_classes = 4\ntarget_shape = ()"), "num_classes =", ".* got both"),
    "forward": (("forward(p, batch, c)", "forward(p, x, y, c)"), "def forward", r"forward must take \(p, batch, c\)"),
    "backward": (("backward(p, batch, c, d)", "backward(c, d)"), "def backward", r"backward must take .* got \(c, d\)"),
}


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize("mistake", IN_A_FILE)
def test_in_a_file_the_line_is_named(mistake: str, check: Callable[..., Any]) -> None:
    edit, part, says = IN_A_FILE[mistake]
    found = check(edit)
    assert (found.status, found.out) == (2, "")
    (message,) = found.err.splitlines()
    assert re.match(rf"gradparity: my_model\.py:{found.line(part)}: {says}", message), message


def test_in_a_class_the_line_is_named(check: Callable[..., Any], right: str) -> None:
    functions = right[right.index("def forward") :].replace("(p, batch", "(self, p, batch")
    body = "".join(f"    {line}\n" if line else "\n" for line in functions.splitlines())
    text = f"""
import numpy as np
from array_api_compat import array_namespace
num_classes = 4

class Mine:
    def __init__(self):
        self.input_shape = 6
        self.num_classes = 4
        self.param_shapes = {{"W": (6, 4), "b": 4.0}}

{body}"""
    found = check(text=text)
    assert found.status == 2
    assert found.err.startswith(f"gradparity: my_model.py:{found.line('self.param_shapes')}: param_shapes['b'] must be")
