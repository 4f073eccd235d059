"""The scene of the spectral demo: its classes, how it is divided, what a pixel's features are.

Classes are numbered as in the ground truth: 1 to 16 are crops and covers, 0 is "not labeled".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("CONTEXT", "GUARD", "LABELS", "Split", "block_split", "half_split", "line_features")

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

LABELS = (
    "not labeled",
    "alfalfa",
    "corn, no till",
    "corn, minimum till",
    "corn",
    "grass, pasture",
    "grass, trees",
    "grass, mowed pasture",
    "hay, windrowed",
    "oats",
    "soybean, no till",
    "soybean, minimum till",
    "soybean, clean",
    "wheat",
    "woods",
    "buildings, grass, trees, drives",
    "stone, steel towers",
)
BLOCK = 12
"""Side of a test block in pixels."""
GUARD = 5
"""Least distance of a test pixel from the nearest training pixel: a band of 4 lies between them."""
CONTEXT = 2
"""Neighbors on either side, along the line, that a pixel's features see."""
TEST_SHARE = 0.25


@dataclass(frozen=True)
class Split:
    """Which pixels of the scene may be trained on and which are tested, shape (lines, pixels)."""

    train: Mask
    test: Mask


def block_split(truth: NDArray[np.uint8], *, seeds: int = 400, least: int = 8) -> Split:
    """Choose test blocks at random and cut a guard band around them out of the training pixels.

    Only labels decide between the seeds: every class needs `least` training pixels, and as many
    classes as possible `least` test pixels, because small fields cannot be divided.
    """
    best, most = None, -1
    for seed in range(seeds):
        split = _blocks(truth.shape, seed)
        trained = np.bincount(truth[split.train], minlength=len(LABELS))[1:]
        tested = np.bincount(truth[split.test], minlength=len(LABELS))[1:]
        if (trained >= least).all() and (count := int((tested >= least).sum())) > most:
            best, most = split, count
    if best is None:
        raise ValueError("no seed leaves training pixels of every class")
    return best


def _blocks(shape: tuple[int, ...], seed: int) -> Split:
    lines, pixels = shape
    random = np.random.default_rng(seed)
    chosen = random.random((-(-lines // BLOCK), -(-pixels // BLOCK))) < TEST_SHARE
    test = np.kron(chosen, np.ones((BLOCK, BLOCK), np.bool_))[:lines, :pixels]
    padded = np.pad(test, GUARD - 1)
    near = np.lib.stride_tricks.sliding_window_view(padded, (2 * GUARD - 1, 2 * GUARD - 1))
    return Split(train=~near.any(axis=(2, 3)), test=test)


def half_split(shape: tuple[int, ...]) -> Split:
    """Train on the left half of the scene and test on the right one, a guard band apart."""
    column = np.broadcast_to(np.arange(shape[1]), shape)
    middle = shape[1] // 2
    return Split(train=column <= middle - GUARD, test=column >= middle)


def line_features(cube: NDArray[Any]) -> Floats:
    """Return each spectrum and the mean of the spectra around it on its line.

    Parameters
    ----------
    cube : ndarray, shape (lines, pixels, bands), raw values.

    Returns
    -------
    features : ndarray, shape (lines, pixels, 2 * bands), float32
    """
    raw = cube.astype(np.float64)
    width = 2 * CONTEXT + 1
    padded = np.pad(raw, ((0, 0), (CONTEXT, CONTEXT), (0, 0)))
    sums = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).sum(axis=-1)
    counts = np.convolve(np.ones(cube.shape[1]), np.ones(width), "same")
    return np.concatenate([raw, sums / counts[:, None]], axis=-1).astype(np.float32)
