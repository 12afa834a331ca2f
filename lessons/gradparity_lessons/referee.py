"""The referee of lesson 1, for the others: someone who knows no calculus, and measures."""

from collections.abc import Callable

import numpy as np


def differences(f: Callable[[np.ndarray], float], at: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Return the gradient of the number f(at), by central differences: two losses for each entry."""
    gradient = np.empty_like(at)
    for place in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[place] = h
        gradient[place] = (f(at + step) - f(at - step)) / (2 * h)
    return gradient


def agree(name: str, by_hand: np.ndarray, measured: np.ndarray, limit: float = 1e-7) -> None:
    """Print how far two gradients are apart, relative to their size."""
    error = np.linalg.norm(by_hand - measured) / np.linalg.norm(measured)
    print(f"{name}: relative error {error:.0e}, {'agree' if error < limit else 'DISAGREE'}")
