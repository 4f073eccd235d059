"""Arithmetic on class scores that several tasks share."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ("softmax", "strongest", "top_probability")

Floats = npt.NDArray[np.floating[Any]]


def softmax(scores: Floats) -> Floats:
    """Turn logits into probabilities along the last axis."""
    powers: Floats = np.exp(scores - scores.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def top_probability(planes: Floats, best: Floats) -> Floats:
    """Return the softmax probability of the strongest class.

    Parameters
    ----------
    planes : ndarray, shape (classes, pixels), logits.
    best : ndarray, shape (pixels,), their maximum over the classes.
    """
    return np.asarray(1.0 / np.exp(planes - best).sum(axis=0))


def strongest(planes: Floats) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Return the strongest class and its score for every pixel.

    Runs once over each class with whole-plane operations, some three times faster than an argmax
    over a short axis. The first of equal classes wins.

    Parameters
    ----------
    planes : ndarray, shape (classes, pixels), at most 255 classes.

    Returns
    -------
    classes : ndarray, shape (pixels,), uint8
    best : ndarray, shape (pixels,), dtype of `planes`
    """
    best: Floats = planes[0].copy()
    classes = np.zeros(best.shape, np.uint8)
    is_stronger = np.empty(best.shape, np.uint8)
    for index in range(1, len(planes)):
        np.greater(planes[index], best, out=is_stronger.view(np.bool_))
        np.multiply(is_stronger, np.uint8(index), out=is_stronger)
        np.maximum(classes, is_stronger, out=classes)  # a later index is always the larger one
        np.maximum(best, planes[index], out=best)
    return classes, best
