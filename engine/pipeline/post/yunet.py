"""Faces found by YuNet: three grids of anchors without any further layers."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import PostSettings
from engine.errors import InvalidArgumentError
from engine.pipeline.post.boxes import suppress, to_boxes
from engine.pipeline.post.findings import Findings, Labels, find_output
from engine.pipeline.pre import Geometry
from engine.protocol import TensorInfo

__all__ = ("YunetPostprocessor",)

Floats = npt.NDArray[np.floating[Any]]
_KINDS = ("cls", "obj", "bbox", "kps")


class _Grid:
    """The anchors of all strides in one table: column, row and stride in pixels, shape (n, 1)."""

    def __init__(self, sizes: dict[int, tuple[int, int]]) -> None:
        columns, rows, strides = [], [], []
        for stride, (width, height) in sizes.items():
            row, column = np.divmod(np.arange(width * height), width)
            columns.append(column)
            rows.append(row)
            strides.append(np.full(width * height, stride))
        self.columns = np.concatenate(columns).astype(np.float32)[:, None]
        self.rows = np.concatenate(rows).astype(np.float32)[:, None]
        self.strides = np.concatenate(strides).astype(np.float32)[:, None]


class YunetPostprocessor:
    """Decodes faces with five landmarks and suppresses doubles.

    The outputs are called ``cls_8``, ``obj_8``, ``bbox_8``, ``kps_8`` and so on for each stride;
    the settings may give other names to these roles.
    """

    def __init__(
        self,
        settings: PostSettings,
        outputs: Sequence[TensorInfo],
        labels: Labels,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        self._settings = settings
        self._labels = labels
        strides = _strides(outputs, settings)
        self._places = {
            kind: [find_output(outputs, settings, f"{kind}_{s}", f"{kind}_{s}") for s in strides]
            for kind in _KINDS
        }
        counts = [_anchors(outputs[place]) for place in self._places["cls"]]
        self._size = input_size or _square_size(strides[0], counts[0])
        width, height = self._size
        sizes = {s: (width // s, height // s) for s in strides}
        if [w * h for w, h in sizes.values()] != counts:
            raise InvalidArgumentError(
                f"an input of {width} x {height} pixels does not give the {counts} anchors that "
                f"the outputs have at strides {strides}; give the input's real width and height"
            )
        self._grid = _Grid(sizes)

    def __call__(self, outputs: Sequence[npt.NDArray[Any]], geometry: Geometry) -> Findings:
        """Return the faces whose score reaches the threshold, strongest first."""
        squares = self._stacked(outputs, "cls", 1)[:, 0].clip(0, 1)
        squares *= self._stacked(outputs, "obj", 1)[:, 0].clip(0, 1)
        chosen = np.flatnonzero(squares >= self._settings.threshold**2)
        if not chosen.size:
            return Findings()
        scores = np.sqrt(squares[chosen])
        corners = self._corners(self._stacked(outputs, "bbox", 4)[chosen], chosen)
        limit = self._settings.max_results
        kept = suppress(corners, scores, self._settings.iou, limit=limit)
        points = self._points(self._stacked(outputs, "kps", 10)[chosen[kept]], chosen[kept])
        unit: Floats = 1 / np.array(self._size, np.float32)
        return Findings(
            boxes=to_boxes(
                np.zeros(len(kept), np.intp),
                scores[kept],
                corners[kept] * np.tile(unit, 2),
                geometry,
                self._labels,
                points * np.tile(unit, 5),
            )
        )

    def _stacked(self, outputs: Sequence[npt.NDArray[Any]], kind: str, columns: int) -> Floats:
        return np.concatenate([outputs[at].reshape(-1, columns) for at in self._places[kind]])

    def _corners(self, raw: Floats, anchors: npt.NDArray[np.intp]) -> Floats:
        """Return left, top, right, bottom in the model's pixels, shape (n, 4)."""
        stride = self._grid.strides[anchors]
        cell = np.hstack([self._grid.columns[anchors], self._grid.rows[anchors]])
        centers = (cell + raw[:, :2]) * stride
        halves = np.exp(raw[:, 2:]) * stride / 2
        return np.hstack([centers - halves, centers + halves])

    def _points(self, raw: Floats, anchors: npt.NDArray[np.intp]) -> Floats:
        """Return x and y of five landmarks by turns in the model's pixels, shape (n, 10)."""
        cell = np.hstack([self._grid.columns[anchors], self._grid.rows[anchors]])
        points: Floats = (raw + np.tile(cell, 5)) * self._grid.strides[anchors]
        return points


def _strides(outputs: Sequence[TensorInfo], settings: PostSettings) -> list[int]:
    names = [*settings.outputs, *(output.name for output in outputs)]
    found = {int(match[1]) for name in names if (match := re.fullmatch(r"cls_(\d+)", name))}
    if not found:
        raise InvalidArgumentError(
            "the program has no outputs cls_8, obj_8, bbox_8, kps_8 and so on, as a face detector "
            f"has; its outputs are {', '.join(output.name for output in outputs) or 'none'}"
        )
    return sorted(found)


def _anchors(output: TensorInfo) -> int:
    count = math.prod(output.shape)
    if not count:
        raise InvalidArgumentError(
            f"output {output.name!r} has the free shape {output.shape}; "
            "compile the program with a fixed input size"
        )
    return count


def _square_size(stride: int, anchors: int) -> tuple[int, int]:
    side = math.isqrt(anchors)
    if side * side != anchors:
        raise InvalidArgumentError(
            f"{anchors} anchors at stride {stride} do not belong to a square input; "
            "give the input's width and height"
        )
    return side * stride, side * stride
