"""A model of another package, on whole numbers: four files and one entry point, and every command takes it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gradparity
from gradparity import __main__, data, inputs, models
from gradparity.data import Dataset
from gradparity.errors import UsageError
from gradparity.protocol import Examples
from gradparity.sweep.draws import sweep

SPEC = '''
from dataclasses import dataclass
from gradparity.inputs import distinct_sizes, token_inputs, unbalanced_labels
from gradparity.operations import affine, cross_entropy, embedding, reductions
from gradparity.operations.rules import SEED, GradientRule, line
from gradparity.protocol import Batch

@dataclass(frozen=True)
class Tokens:
    """logits = mean(table[x]) W + b: the classes of short texts."""
    length: int = 4
    classes: int = 3
    vocabulary: int = 7
    width: int = 5
    name = "tokens"
    real_targets = False

    @classmethod
    def for_data(cls, features, classes, outputs, **settings):
        return cls(features, outputs, **settings)

    @classmethod
    def draw(cls, rng):
        *sizes, n = distinct_sizes(rng, 5)
        return cls(*(min(size, 9 + k) for k, size in enumerate(sizes))), min(n, 20)

    @classmethod
    def variants(cls):
        return {"": cls()}

    @property
    def param_shapes(self):
        rows, head = embedding.shapes(self.vocabulary, self.width), affine.shapes(self.width, self.classes)
        return {"rows.table": rows["table"]} | {f"head.{name}": shape for name, shape in head.items()}

    @property
    def derivation(self):
        of_rows = GradientRule(r"\\frac{1}{l} \\mathrm{d}M", "Every place has the same share of the mean.")
        return (
            line("rows.table", "E", embedding.of_table("X", "R")),
            line("rows.out", "R", of_rows, embedding.value("E", "X")),
            line("mean", "M", affine.of_input("W", "Z"), r"\\frac{1}{l} \\sum_j R_j"),
            line("head.W", "W", affine.of_weights("M", "Z")),
            line("head.b", "b", affine.of_bias("Z")),
            line("head.out", "Z", cross_entropy.of_input("mean", "Z"), affine.value("M", "W", "b")),
            line("loss", "L", SEED, reductions.value("mean", cross_entropy.value("Z"))),
        )

    def init(self, rng):
        return {name: rng.normal(0, 0.5, shape) for name, shape in self.param_shapes.items()}

    def example_batch(self, rng, n):
        return Batch(token_inputs(rng, n, self.length, self.vocabulary), unbalanced_labels(rng, n, self.classes))

    def flops(self, n):
        head = affine.flops(n, self.width, self.classes, of_input=True)
        return embedding.flops(n * self.length, self.width) + head + cross_entropy.flops(n, self.classes)
'''
MANUAL = """
from gradparity.recording import View
from gradparity_manual.operations import affine, cross_entropy, embedding, namespace

def predict(spec, p, x, c):
    rows = embedding.forward(View(p, "rows"), x, View(c, "rows"))
    c["mean"] = rows.sum(axis=1) / x.shape[1]
    return affine.forward(View(p, "head"), c["mean"], View(c, "head"))

def forward(spec, p, batch, c):
    c["loss"] = cross_entropy.forward(predict(spec, p, batch.x, c), batch.y).mean()

def backward(spec, p, batch, c, d):
    n, length = batch.x.shape
    d["head.out"] = d["loss"] / n * cross_entropy.backward(c["head.out"], batch.y)
    affine.backward(c["mean"], View(d, "head"))
    d["mean"] = affine.share_of_input(View(p, "head"), View(d, "head"))
    xp = namespace(d["mean"])
    d["rows.out"] = xp.broadcast_to(d["mean"][:, None, :] / length, (n, length, d["mean"].shape[1]))
    embedding.backward(View(p, "rows"), batch.x, View(d, "rows"))
"""
JAX = """
import optax

def predict(spec, params, x, tap):
    mean = tap("mean", tap("rows.out", params["rows.table"][x]).mean(axis=1))
    return tap("head.out", mean @ params["head.W"] + params["head.b"])

def loss(spec, params, batch, tap):
    logits = predict(spec, params, batch.x, tap)
    return tap("loss", optax.softmax_cross_entropy_with_integer_labels(logits, batch.y).mean())
"""
TORCH = """
from torch.nn import functional as F

def predict(spec, params, x, tap):
    mean = tap("mean", tap("rows.out", F.embedding(x, params["rows.table"])).mean(dim=1))
    return tap("head.out", mean @ params["head.W"] + params["head.b"])

def loss(spec, params, batch, tap):
    return tap("loss", F.cross_entropy(predict(spec, params, batch.x, tap), batch.y))
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The installed package, as pip would leave it; a subprocess sees it too."""
    folder = tmp_path / "tokens_model"
    folder.mkdir()
    for file, text in {"__init__": "", "spec": SPEC, "manual": MANUAL, "jax": JAX, "torch": TORCH}.items():
        (folder / f"{file}.py").write_text(text)
    about = tmp_path / "tokens_model-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tokens-model\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{models.GROUP}]\ntokens = tokens_model\n")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "tokens_model"]:
        del sys.modules[name]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command in this process; return what it printed."""
    status = __main__.run(list(words))
    out, err = capsys.readouterr()
    assert status == 0, out + err
    return out


@pytest.mark.usefixtures("package")
def test_it_is_listed_checked_explained_and_swept(capsys: pytest.CaptureFixture[str]) -> None:
    # The console keeps the width that it had when it was first made: a narrow one folds the sentence.
    assert {"tokens", "classes", "short", "texts."} <= set(run(capsys, "models").split())
    report = gradparity.check("tokens")
    report.assert_ok()
    assert {row.line for row in report.rows} == {
        "rows.table",
        "rows.out",
        "mean",
        "head.W",
        "head.b",
        "head.out",
        "loss",
    }
    assert 'c["head.out"] = x @ p["head.W"] + p["head.b"]' in run(capsys, "explain", "tokens")
    assert len(sweep("tokens", 2, backends=["numpy", "torch"]).outcomes) == 2


@pytest.mark.usefixtures("package")
def test_it_is_trained_and_compared_on_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x = inputs.token_inputs(rng, 300, 4, 7)
    examples = Examples(x, (x == 6).any(axis=1).astype(np.int64))
    monkeypatch.setattr(data, "load", lambda *_, **__: Dataset("texts", examples, examples, 2, None))
    assert "Epoch 02 - Loss" in run(capsys, "train", "tokens", "--epochs", "2")
    assert "tokens" in run(capsys, "compare", "tokens", "--epochs", "1", "--backends", "numpy,torch")


@pytest.mark.usefixtures("package")
def test_it_is_timed_in_processes_of_their_own(tmp_path: Path) -> None:
    words = ["bench", "tokens", "--backends", "numpy,torch", "--rounds", "3", "--processes", "1"]
    words += ["--json", str(tmp_path / "result.json")]
    ran = subprocess.run([sys.executable, "-m", "gradparity", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "tokens" in json.dumps(json.loads((tmp_path / "result.json").read_text()))


def test_a_file_that_is_missing_is_named(package: Path) -> None:
    (package / "jax.py").unlink()
    with pytest.raises(UsageError, match=r"model 'tokens' has no tokens_model/jax\.py"):
        gradparity.backend("jax").model(models.default_spec("tokens"))
    gradparity.backend("numpy").model(models.default_spec("tokens"))


def test_a_file_with_two_specs_is_refused(package: Path) -> None:
    (package / "spec.py").write_text(SPEC + "\n@dataclass(frozen=True)\nclass Other(Tokens):\n    pass\n")
    with pytest.raises(UsageError, match=r"model 'tokens': tokens_model\.spec must hold one spec, got 2"):
        gradparity.check("tokens")


@pytest.mark.usefixtures("package")
def test_an_unknown_model_of_a_backend_is_refused_as_ever() -> None:
    class Nameless(models.MLP):
        name = "no_such_model"

    with pytest.raises(UsageError, match=r"unknown model of backend 'torch' 'no_such_model': there is .*mlp, "):
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
