"""Boxes: suppression of doubles, and the way from tensors to results."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.pipeline.post.findings import Labels
from engine.pipeline.pre import Geometry
from engine.protocol import Box

__all__ = ("suppress", "to_boxes")

Floats = npt.NDArray[np.floating[Any]]


def suppress(
    corners: Floats, scores: Floats, iou: float, *, limit: int, candidates: int = 512
) -> npt.NDArray[np.intp]:
    """Return the indices of the boxes that stay, strongest first.

    A box goes when it overlaps a stronger one that stays by more than `iou` (intersection over
    union). The loop runs once per box that stays.

    Parameters
    ----------
    corners : ndarray, shape (n, 4), left, top, right, bottom in any unit.
    scores : ndarray, shape (n,)
    iou : 0..1
    limit : stop after so many.
    candidates : look only at so many of the strongest.
    """
    order = np.argsort(-scores, kind="stable")[:candidates]
    left, top, right, bottom = corners[order].T
    areas = (right - left) * (bottom - top)
    is_alive = np.ones(len(order), np.bool_)
    kept: list[int] = []
    while len(kept) < limit and is_alive.any():
        best = int(np.argmax(is_alive))
        kept.append(best)
        width = np.minimum(right, right[best]) - np.maximum(left, left[best])
        height = np.minimum(bottom, bottom[best]) - np.maximum(top, top[best])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        is_alive &= shared <= iou * (areas + areas[best] - shared)
        is_alive[best] = False
    return order[kept]


def to_boxes(
    indices: npt.NDArray[Any],
    scores: Floats,
    corners: Floats,
    geometry: Geometry,
    labels: Labels,
    landmarks: Floats | None = None,
) -> tuple[Box, ...]:
    """Return results in the frame's fractions, in the order given.

    Boxes are cut at the frame's edge and left out when nothing of them is inside; landmarks are
    left where they are.

    Parameters
    ----------
    indices : ndarray, shape (n,), class numbers.
    scores : ndarray, shape (n,), 0..1.
    corners : ndarray, shape (n, 4), left, top, right, bottom as fractions of the model's picture.
    geometry : the way back to the frame.
    labels : names of the classes.
    landmarks : ndarray, shape (n, 2 * points), x and y by turns, as fractions like `corners`.
    """
    scale = np.array([geometry.scale_x, geometry.scale_y])
    offset = np.array([geometry.offset_x, geometry.offset_y])
    edges = np.clip(corners.astype(np.float64) * np.tile(scale, 2) + np.tile(offset, 2), 0.0, 1.0)
    sizes = edges[:, 2:] - edges[:, :2]
    points = np.empty((len(edges), 0))
    if landmarks is not None:
        count = landmarks.shape[1] // 2
        points = landmarks.astype(np.float64) * np.tile(scale, count) + np.tile(offset, count)
    return tuple(
        Box(
            index=index,
            label=labels[index],
            score=score,
            x=edge[0],
            y=edge[1],
            width=size[0],
            height=size[1],
            landmarks=tuple(point),
        )
        for index, score, edge, size, point in zip(
            indices.astype(np.intp).tolist(),
            scores.tolist(),
            edges.tolist(),
            sizes.tolist(),
            points.tolist(),
            strict=True,
        )
        if size[0] > 0 and size[1] > 0
    )
