"""The exercises that belong to the lessons, found through the entry-point group ``gradparity.exercises``."""

from importlib.resources import files

from gradparity.exercise import Exercise

BATCH_SHRINKS = (
    "Raise one logit of one example a little. Which parts of that example's loss notice it, and what does each of "
    "them do? Then: how much of one example's loss is left in the mean over the batch?"
)
WEIGHT_MEETS = (
    "W[j, k] is multiplied with feature j of an example and lands in its logit k. In how many examples does that "
    "happen, and what does each of them send back to W[j, k]?"
)

softmax_regression = Exercise(
    level=1,
    task="Softmax regression: write the three lines of its backward pass.",
    text=files(__name__).joinpath("softmax_regression.py.txt").read_text(encoding="utf-8"),
    questions={
        "logits": BATCH_SHRINKS,
        "W": WEIGHT_MEETS,
        "b": "The bias is added to every example's logits: how many examples does b[k] touch? And how many classes?",
    },
)

bug_hunt_1 = Exercise(
    level=2,
    task="Softmax regression that learns, though one line of its backward pass is wrong: find and repair it.",
    text=files(__name__).joinpath("bug_hunt_1.py.txt").read_text(encoding="utf-8"),
    questions={
        "logits": BATCH_SHRINKS,
        "W": WEIGHT_MEETS,
        "b": "All of b starts at zero. Print it after training: what do the classes' biases have in common, and which "
        "classes should share a bias with which?",
    },
)
