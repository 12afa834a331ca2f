"""The cell of an nbgrader assignment that gives points for softmax_regression.py, a file beside the notebook.

Mark it "Autograder tests" with 3 points, and put it between BEGIN and END HIDDEN TESTS: a number that ends such a
cell is the points it gives.
"""

import secrets
from pathlib import Path

from gradparity.exercise import judge_file

outcome = judge_file(Path("softmax_regression.py"), seed=secrets.randbits(32))  # numbers that nobody has seen
if outcome.wrong is not None:
    print(f"{outcome.wrong.place}: d['{outcome.wrong.line}']: {outcome.wrong.symptom}")
len(outcome.right)
