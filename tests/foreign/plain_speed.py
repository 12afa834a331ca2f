"""How long the check of the notebook's step takes, in processor time after the imports: right, and with two mistakes.

``python -m tests.foreign.plain_speed``; with ``alone`` behind it as if neither PyTorch nor JAX were installed.
"""

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

STEP = """import numpy as np
rng = np.random.default_rng(42)
X, Y = rng.random((256, 784)), np.eye(10)[rng.integers(0, 10, 256)]
W, b = rng.normal(0, 0.01, (784, 10)), np.zeros(10)
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
for Xb, Yb in [(X, Y)]:
    P = softmax(Xb @ W + b)
    loss = -np.mean(np.sum(Yb * np.log(P), axis=1))
    grad_logits = (P - Yb) / Xb.shape[0]
    gW = Xb.T @ grad_logits
    gb = grad_logits.sum(axis=0)
    W -= 0.1 * gW
    b -= 0.1 * gb
"""
CHANGES = (("", ""), ("(P - Yb) / Xb.shape[0]", "P - Yb"), ("grad_logits.sum", "grad_logits.mean"))


def main(alone: bool) -> None:
    """Print a line for each: whether it agrees, which lines are named, and the seconds."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if alone:
        sys.modules.update(dict.fromkeys(("torch", "jax")))  # type: ignore[arg-type]
    from gradparity import registry
    from gradparity.subjects.plain import check_file

    for name in registry.DEFAULT:
        registry.availability(name)  # imports it
    for was, instead in CHANGES:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "lesson.py"
            path.write_text(STEP.replace(was, instead) if was else STEP, encoding="utf-8")
            before = time.process_time()
            report = check_file(str(path))
            taken = time.process_time() - before
        named = ", ".join(row.name for row in report.findings) or "nothing"
        sys.stdout.write(f"{instead or 'as it is'}: {named} is named, {taken:.2f} s\n")


if __name__ == "__main__":
    main("alone" in sys.argv)
