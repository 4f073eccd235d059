"""What goes with the classifier."""

from typing import Any

import numpy as np

__all__ = ("decode_predictions", "preprocess_input")


def preprocess_input(x: Any) -> Any:
    """Scale pixels from 0..255 to -1..1."""
    return (x / np.float32(127.5) - np.float32(1.0)).astype(np.float32)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Name the best classes of each row; a single row without a batch is taken too."""
    rows = np.atleast_2d(preds)
    if rows.shape[1:] != (1000,):
        raise ValueError(f"predictions have shape (n, 1000), not {rows.shape}")
    best = np.argsort(-rows, axis=1)[:, :top]
    return [
        [(f"n{i:08d}", f"class {i}", float(row[i])) for i in order]
        for row, order in zip(rows, best, strict=True)
    ]
