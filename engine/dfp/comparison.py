"""Compares what two runtimes computed; runs in the compiler's child process."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.dfp.parity import OutputParity, Parity

__all__ = ("compare_frames",)

_NOISE = 1e-6
"""A difference this small, relative to 1 or to the largest value, is rounding."""

Array = np.ndarray[Any, Any]


def compare_frames(
    names: Sequence[str],
    found: Sequence[Sequence[Array]],
    wanted: Sequence[Sequence[Array]],
    against: str,
) -> Parity:
    """Return how far two runtimes are apart.

    Parameters
    ----------
    names : names of the outputs.
    found, wanted : arrays per frame and output, of the compiled model and of the original.
    against : who computed `wanted`.
    """
    outputs = []
    largest = 0.0
    for number, name in enumerate(names):
        pairs = [
            (np.asarray(f[number]), np.asarray(w[number]))
            for f, w in zip(found, wanted, strict=True)
        ]
        for left, right in pairs:
            if left.shape != right.shape:
                return Parity(
                    reason=f"the shapes {left.shape} and {right.shape} of {name!r} differ",
                    against=against,
                )
            if not np.isfinite(right.astype(np.float64)).all():
                return Parity(reason="an output is not a finite number", against=against)
            if right.size:
                largest = max(largest, float(np.abs(right.astype(np.float64)).max()))
        outputs.append(_compare_output(name, pairs))
    worst = max((output.max_difference for output in outputs), default=0.0)
    return Parity(worst, largest, "", tuple(outputs), against, len(found))


def _compare_output(name: str, pairs: Sequence[tuple[Array, Array]]) -> OutputParity:
    is_real = all(right.dtype.kind == "f" for _, right in pairs)
    difference, cosine = 0.0, 1.0
    shares = []
    for left, right in pairs:
        if not right.size:
            continue
        x, y = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
        x = np.nan_to_num(x, nan=0.0, posinf=3.4e38, neginf=0.0)
        difference = max(difference, float(np.abs(x - y).max()))
        cosine = min(cosine, _cosine(x, y))
        share = _top1(left, right) if is_real else float(np.mean(left == right))
        if share is not None:
            shares.append(share)
    return OutputParity(
        name,
        difference,
        cosine if is_real else None,
        float(np.mean(shares)) if shares else None,
    )


def _cosine(x: Array, y: Array) -> float:
    if np.abs(x - y).max() <= _NOISE * max(1.0, float(np.abs(y).max())):
        return 1.0
    scale = float(np.linalg.norm(x)) * float(np.linalg.norm(y))
    return float(np.clip(np.dot(x, y) / scale, -1.0, 1.0)) if scale else 0.0


def _top1(left: Array, right: Array) -> float | None:
    """Return the share of places where the largest score has the same index.

    Scores lie along the only axis that is longer than 1; of maps with four axes along the second,
    else along the last.
    """
    inner = [axis for axis, size in enumerate(right.shape) if size > 1]
    if not inner:
        return None
    axis = inner[0] if len(inner) == 1 else (1 if right.ndim == 4 else right.ndim - 1)
    if right.shape[axis] < 2:
        return None
    return float(np.mean(left.argmax(axis) == right.argmax(axis)))
