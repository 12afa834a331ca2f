"""A model of another package: four files and one entry point, and every command takes it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gradparity
from gradparity import __main__, inputs, models
from gradparity.errors import UsageError
from gradparity.sweep.draws import sweep

SPEC = '''
from dataclasses import dataclass
from gradparity.inputs import distinct_sizes, normal_inputs, unbalanced_labels
from gradparity.operations import affine, cross_entropy, reductions
from gradparity.operations.rules import SEED, Rule, line
from gradparity.protocol import Batch
import numpy as np

@dataclass(frozen=True)
class Scaled:
    """logits = (x s) W + b: each feature has a scale of its own."""
    features: int = 4
    classes: int = 3
    name = "scaled"
    real_targets = False

    @classmethod
    def for_data(cls, features, classes, outputs, **settings):
        return cls(features, outputs, **settings)

    @classmethod
    def draw(cls, rng):
        features, classes, n = distinct_sizes(rng, 3)
        return cls(features, classes), n

    @classmethod
    def variants(cls):
        return {"": cls()}

    @property
    def param_shapes(self):
        head = affine.shapes(self.features, self.classes)
        return {"s": (self.features,)} | {f"head.{name}": shape for name, shape in head.items()}

    @property
    def derivation(self):
        return (
            line("s", "s", Rule(r"\\textstyle\\sum_i X_i \\odot \\mathrm{d}U_i", "Every example has the same scales.")),
            line("scaled", "U", affine.of_input("W", "Z"), r"X \\odot s"),
            line("head.W", "W", affine.of_weights("U", "Z")),
            line("head.b", "b", affine.of_bias("Z")),
            line("head.out", "Z", cross_entropy.of_input("mean", "Z"), affine.value("U", "W", "b")),
            line("loss", "L", SEED, reductions.value("mean", cross_entropy.value("Z"))),
        )

    def init(self, rng):
        drawn = {name: rng.normal(0, 0.1, shape) for name, shape in self.param_shapes.items()}
        return drawn | {"s": np.ones(self.features)}

    def example_batch(self, rng, n):
        return Batch(normal_inputs(rng, n, self.features), unbalanced_labels(rng, n, self.classes))

    def flops(self, n):
        return affine.flops(n, self.features, self.classes, of_input=True) + cross_entropy.flops(n, self.classes)
'''
MANUAL = """
from gradparity.recording import View
from gradparity_manual.operations import affine, cross_entropy

def predict(spec, p, x, c):
    c["scaled"] = x * p["s"]
    return affine.forward(View(p, "head"), c["scaled"], View(c, "head"))

def forward(spec, p, batch, c):
    c["loss"] = cross_entropy.forward(predict(spec, p, batch.x, c), batch.y).mean()

def backward(spec, p, batch, c, d):
    d["head.out"] = d["loss"] / batch.x.shape[0] * cross_entropy.backward(c["head.out"], batch.y)
    affine.backward(c["scaled"], View(d, "head"))
    d["scaled"] = affine.share_of_input(View(p, "head"), View(d, "head"))
    d["s"] = (batch.x * d["scaled"]).sum(axis=0)
"""
JAX = """
import optax

def predict(spec, params, x, tap):
    return tap("head.out", tap("scaled", x * params["s"]) @ params["head.W"] + params["head.b"])

def loss(spec, params, batch, tap):
    logits = predict(spec, params, batch.x, tap)
    return tap("loss", optax.softmax_cross_entropy_with_integer_labels(logits, batch.y).mean())
"""
TORCH = """
from torch.nn import functional as F

def predict(spec, params, x, tap):
    return tap("head.out", tap("scaled", x * params["s"]) @ params["head.W"] + params["head.b"])

def loss(spec, params, batch, tap):
    return tap("loss", F.cross_entropy(predict(spec, params, batch.x, tap), batch.y))
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The installed package, as pip would leave it; a subprocess sees it too."""
    folder = tmp_path / "scaled_model"
    folder.mkdir()
    for file, text in {"__init__": "", "spec": SPEC, "manual": MANUAL, "jax": JAX, "torch": TORCH}.items():
        (folder / f"{file}.py").write_text(text)
    about = tmp_path / "scaled_model-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: scaled-model\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{models.GROUP}]\nscaled = scaled_model\n")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "scaled_model"]:
        del sys.modules[name]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command in this process; return what it printed."""
    status = __main__.run(list(words))
    out, err = capsys.readouterr()
    assert status == 0, out + err
    return out


@pytest.mark.usefixtures("package")
def test_it_is_listed_checked_explained_and_swept(capsys: pytest.CaptureFixture[str]) -> None:
    assert "each feature has a scale of its own" in run(capsys, "models")
    report = gradparity.check("scaled")
    report.assert_ok()
    assert {row.line for row in report.rows} >= {"s", "scaled", "head.W", "head.out", "loss"}
    assert 'c["head.out"] = x @ p["head.W"] + p["head.b"]' in run(capsys, "explain", "scaled")
    assert len(sweep("scaled", 3, backends=["numpy", "torch"]).outcomes) == 3


@pytest.mark.usefixtures("package")
def test_it_is_trained_and_compared_on_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Epoch 02 - Loss" in run(capsys, "train", "scaled", "--epochs", "2")
    assert "scaled" in run(capsys, "compare", "scaled", "--epochs", "1", "--backends", "numpy,torch")


@pytest.mark.usefixtures("package")
def test_it_is_timed_in_processes_of_their_own(tmp_path: Path) -> None:
    words = ["bench", "scaled", "--backends", "numpy,torch", "--rounds", "3", "--json", str(tmp_path / "result.json")]
    ran = subprocess.run([sys.executable, "-m", "gradparity", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "scaled" in json.dumps(json.loads((tmp_path / "result.json").read_text()))


def test_a_file_that_is_missing_is_named(package: Path) -> None:
    (package / "jax.py").unlink()
    with pytest.raises(UsageError, match=r"model 'scaled' has no scaled_model/jax\.py"):
        gradparity.backend("jax").model(models.default_spec("scaled"))
    gradparity.backend("numpy").model(models.default_spec("scaled"))


def test_a_file_with_two_specs_is_refused(package: Path) -> None:
    (package / "spec.py").write_text(SPEC + "\n@dataclass(frozen=True)\nclass Other(Scaled):\n    pass\n")
    with pytest.raises(UsageError, match=r"model 'scaled': scaled_model\.spec must hold one spec, got 2"):
        gradparity.check("scaled")


@pytest.mark.usefixtures("package")
def test_an_unknown_model_of_a_backend_is_refused_as_ever() -> None:
    class Nameless(models.MLP):
        name = "no_such_model"

    with pytest.raises(UsageError, match=r"unknown model of backend 'torch' 'no_such_model': there is mlp, softmax"):
        gradparity.backend("torch").model(Nameless())


def test_asking_for_one_model_imports_no_other() -> None:
    program = (
        "import sys\nfrom gradparity.models import require_model\nrequire_model('mlp')\n"
        "sys.exit('gradparity.models.softmax_regression' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_draws_of_a_model_hide_no_error() -> None:
    tokens = inputs.token_inputs(np.random.default_rng(0), 50, 4, 3)
    assert tokens.shape == (50, 4)
    assert tokens.dtype.kind == "i"
    assert (np.diff(np.bincount(tokens.ravel())) > 0).all()
