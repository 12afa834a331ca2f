"""Text, character by character: windows of tokens, and for each token the one that follows it."""

from pathlib import Path

import numpy as np
from jaxtyping import Int

from gradparity.data.dataset import Dataset
from gradparity.data.requirements import TEST_SHARE
from gradparity.errors import UsageError
from gradparity.protocol import Examples

WINDOW = 32
"""Characters of a window."""


def embedded() -> str:
    """Return the help texts of Python's own language reference, which every CPython ships: some 465,000 characters."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def load(path: Path, seed: int = 0) -> Dataset:  # noqa: ARG001 - a text is split where it stands, not shuffled
    """Load a user's file in UTF-8. Raises UsageError where it is no text, and as ``windows`` does."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"'{path}' is no text in UTF-8: {error}") from None
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}") from None
    if "\0" in text:
        raise UsageError(f"'{path}' is no text: it holds a character NUL at {text.index(chr(0))}")
    return windows(path.name, text)


def windows(name: str, text: str, window: int = WINDOW) -> Dataset:
    """Cut a text into windows: x (n, window) tokens, y (n, window) the tokens that follow. The last fifth is for tests.

    The vocabulary is every character of the text, in the order of their code points. Raises UsageError for an empty
    text, for one of a single character, and for one that holds no window for training and one for testing.
    """
    vocabulary = sorted(set(text))
    if len(vocabulary) < 2:
        raise UsageError(
            f"'{name}' must hold at least 2 different characters to predict, got {len(vocabulary)}: give a longer text"
        )
    place = {character: token for token, character in enumerate(vocabulary)}
    tokens = np.array([place[character] for character in text], dtype=np.int64)
    pairs = (len(tokens) - 1) // window
    if pairs < TEST_SHARE:
        raise UsageError(
            f"'{name}' must hold {TEST_SHARE} windows of {window} characters, and one character after them, "
            f"got {len(tokens)} characters: give at least {TEST_SHARE * window + 1}"
        )
    x, y = _cut(tokens[:-1], window), _cut(tokens[1:], window)
    train = pairs - pairs // TEST_SHARE
    return Dataset(
        name,
        Examples(x[:train], y[:train]),
        Examples(x[train:], y[train:]),
        classes=len(vocabulary),
        image_shape=None,
        vocabulary="".join(vocabulary),
    )


def _cut(tokens: Int[np.ndarray, " places"], window: int) -> Int[np.ndarray, "n window"]:
    n = len(tokens) // window
    return tokens[: n * window].reshape(n, window).copy()
