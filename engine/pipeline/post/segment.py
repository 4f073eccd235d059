"""A class for every pixel of a picture."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from engine.config import PostSettings
from engine.errors import InvalidArgumentError
from engine.pipeline.post.findings import NO_CLASS, Findings, Labels, find_output, shares_of
from engine.pipeline.post.scores import strongest, top_probability
from engine.pipeline.pre import Geometry
from engine.protocol import Mask, TensorInfo

__all__ = ("SegmentPostprocessor",)

Classes = npt.NDArray[np.uint8]


class SegmentPostprocessor:
    """The strongest class of each pixel, in a mask that covers the whole frame.

    Scores have shape (1, classes, height, width) or (1, height, width, classes); which of both is
    told by the number of labels, and without labels by which axis is shorter. A pixel whose
    strongest score is below the threshold, or that the model did not see, gets the byte 255.
    A threshold of 0 lets every pixel count.
    """

    def __init__(
        self,
        settings: PostSettings,
        outputs: Sequence[TensorInfo],
        labels: Labels,
        *,
        class_count: int = 0,
    ) -> None:
        self._settings = settings
        self._labels = labels
        self._scores = find_output(outputs, settings, "scores", 0)
        shape = outputs[self._scores].shape
        if len(shape) != 4 or shape[0] not in (0, 1):
            raise InvalidArgumentError(
                f"output {outputs[self._scores].name!r} has shape {shape}; a mask needs scores of "
                "shape (1, classes, height, width) or (1, height, width, classes)"
            )
        self._is_planar = _is_planar(shape, class_count)
        classes = shape[1] if self._is_planar else shape[3]
        if classes > NO_CLASS:
            raise InvalidArgumentError(
                f"output {outputs[self._scores].name!r} has {classes} classes; "
                f"a mask holds at most {NO_CLASS}"
            )

    def __call__(self, outputs: Sequence[npt.NDArray[Any]], geometry: Geometry) -> Findings:
        """Return the mask, and the shares of its classes in the frame, largest first."""
        scores = outputs[self._scores][0]
        height, width = scores.shape[1:] if self._is_planar else scores.shape[:2]
        if self._is_planar:
            planes = scores.reshape(scores.shape[0], -1)
        else:
            planes = cv2.transpose(scores.reshape(-1, scores.shape[-1]))
        classes, best = strongest(planes)
        if self._settings.threshold > 0:
            if self._settings.apply_softmax:
                best = top_probability(planes, best)
            classes[best < self._settings.threshold] = NO_CLASS
        mask = _over_frame(classes.reshape(height, width), geometry)
        return Findings(
            mask=Mask(
                width=mask.shape[1],
                height=mask.shape[0],
                classes=mask.tobytes(),
                shares=shares_of(mask, self._labels, self._settings.max_results),
            )
        )


def _is_planar(shape: tuple[int, ...], class_count: int) -> bool:
    if class_count and (shape[1] == class_count) != (shape[3] == class_count):
        return shape[1] == class_count
    return shape[1] < shape[3]


def _over_frame(mask: Classes, geometry: Geometry) -> Classes:
    """Cut off what lies outside the frame and fill up what the model did not see."""
    rows = _along(mask.shape[0], geometry.scale_y, geometry.offset_y)
    columns = _along(mask.shape[1], geometry.scale_x, geometry.offset_x)
    (row_cut, row_before, row_count) = rows
    (column_cut, column_before, column_count) = columns
    mask = mask[row_cut, column_cut]
    if mask.shape == (row_count, column_count):
        return mask
    whole = np.full((row_count, column_count), NO_CLASS, np.uint8)
    height, width = mask.shape
    whole[row_before : row_before + height, column_before : column_before + width] = mask
    return whole


def _along(size: int, scale: float, offset: float) -> tuple[slice, int, int]:
    """Return, for one axis, what to keep, where it goes, and the length of the result."""
    first = max(0, round(-offset / scale * size))
    last = min(size, round((1.0 - offset) / scale * size))
    before = max(0, round(offset / scale * size))
    return slice(first, last), before, max(before + last - first, round(size / scale))
