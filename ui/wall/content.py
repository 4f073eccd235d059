"""Turns a preview into what a tile can draw without thinking: images, clipped numbers, texts.

Everything doubtful (sizes that do not fit, numbers that are not finite) is sorted out here, once
per picture, so that painting itself cannot fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage

from engine.protocol import Box, ClassShare, Mask, Result
from ui.wall.class_colors import NO_CLASS, ClassColors, is_nothing
from ui.wall.lettering import percent
from ui.wall.previews import Preview

__all__ = ("BoxMark", "Content", "LegendEntry", "ScoreBar", "prepare")

MASK_OPACITY = 0.5
CLASS_MAP_OPACITY = 0.72
MAX_BOXES = 100


@dataclass(frozen=True)
class BoxMark:
    """A box in fractions of the picture, its chip's text, color and points inside it."""

    area: QRectF
    text: str
    color: str
    points: tuple[QPointF, ...] = ()


@dataclass(frozen=True)
class ScoreBar:
    """A class of a classification with its score, 0..1."""

    label: str
    score: float
    color: str


@dataclass(frozen=True)
class LegendEntry:
    """A class with the share of the picture it covers, 0..1."""

    label: str
    share: float
    color: str


@dataclass(frozen=True)
class Content:
    """What a tile draws. `tint` is drawn over the picture, stretched to the same area."""

    picture: QImage | None = None
    tint: QImage | None = None
    boxes: tuple[BoxMark, ...] = ()
    scores: tuple[ScoreBar, ...] = ()
    legend: tuple[LegendEntry, ...] = ()
    is_waterfall: bool = False
    told: str = ""


def prepare(preview: Preview, colors: ClassColors) -> Content:
    """Return the drawable content of a preview.

    Parameters
    ----------
    preview : from the engine; whatever does not fit is left out.
    colors : colors of the stream's classes.
    """
    result = preview.result
    shares = _shares(preview, colors)
    is_waterfall = preview.class_map is not None or result.line is not None
    return Content(
        picture=_image(preview.picture, QImage.Format.Format_RGB32),
        tint=_tint(preview, colors),
        boxes=tuple(_boxes(result.boxes[:MAX_BOXES], colors)),
        scores=tuple(
            ScoreBar(score.label, _unit(score.score), colors.color(score.label))
            for score in result.classes[:3]
        ),
        legend=_legend(shares, colors),
        is_waterfall=is_waterfall,
        told=_told(result, shares),
    )


def _image(values: object, image_format: QImage.Format) -> QImage | None:
    """Wrap 4-byte pixels without a copy; the image keeps the array's memory alive."""
    if not isinstance(values, np.ndarray):
        return None
    pixels = np.ascontiguousarray(values)
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 4:
        height, width = pixels.shape[:2]
    elif pixels.dtype == np.uint32 and pixels.ndim == 2:
        height, width = pixels.shape
    else:
        return None
    if not height or not width:
        return None
    return QImage(pixels.data, width, height, width * 4, image_format)


def _tint(preview: Preview, colors: ClassColors) -> QImage | None:
    class_map = preview.class_map
    opacity = CLASS_MAP_OPACITY
    if class_map is None and preview.result.mask is not None:
        class_map = _mask_map(preview.result.mask)
        opacity = MASK_OPACITY
    if not _is_map(class_map):
        return None
    tinted = colors.table(opacity).take(class_map)
    return _image(tinted, QImage.Format.Format_ARGB32_Premultiplied)


def _mask_map(mask: Mask) -> NDArray[np.uint8] | None:
    if mask.width < 1 or mask.height < 1 or len(mask.classes) != mask.width * mask.height:
        return None
    return np.frombuffer(mask.classes, np.uint8).reshape(mask.height, mask.width)


def _boxes(boxes: tuple[Box, ...], colors: ClassColors) -> list[BoxMark]:
    marks = []
    for box in boxes:
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        if not all(isfinite(value) for value in corners):
            continue
        left, top, right, bottom = (min(max(value, 0.0), 1.0) for value in corners)
        if right <= left or bottom <= top:
            continue
        area = QRectF(left, top, right - left, bottom - top)
        text = f"{box.label} {_unit(box.score):.2f}".strip()
        marks.append(BoxMark(area, text, colors.color(box.label), _points(box.landmarks)))
    return marks


def _points(landmarks: tuple[float, ...]) -> tuple[QPointF, ...]:
    pairs = zip(landmarks[::2], landmarks[1::2], strict=False)
    return tuple(QPointF(x, y) for x, y in pairs if 0.0 <= x <= 1.0 and 0.0 <= y <= 1.0)


def _shares(preview: Preview, colors: ClassColors) -> tuple[ClassShare, ...]:
    """Return the shares of what is seen: of all lines of a waterfall where the labels are known."""
    result, class_map = preview.result, preview.class_map
    if colors.labels and _is_map(class_map):
        return _counted(class_map, colors.labels)
    if result.line is not None:
        return result.line.shares
    return result.mask.shares if result.mask is not None else ()


def _counted(class_map: NDArray[np.uint8], labels: Sequence[str]) -> tuple[ClassShare, ...]:
    counts = np.bincount(class_map.reshape(-1), minlength=256)[: min(len(labels), NO_CLASS)]
    size = max(1, class_map.size)
    return tuple(
        ClassShare(index, labels[index], float(counts[index]) / size)
        for index in np.flatnonzero(counts).tolist()
    )


def _is_map(values: object) -> TypeGuard[NDArray[np.uint8]]:
    return isinstance(values, np.ndarray) and values.ndim == 2 and values.dtype == np.uint8


def _legend(shares: tuple[ClassShare, ...], colors: ClassColors) -> tuple[LegendEntry, ...]:
    entries = [
        LegendEntry(share.label, _unit(share.share), colors.color(share.label))
        for share in shares
        if not is_nothing(share.label)
    ]
    return tuple(sorted(entries, key=lambda entry: (-entry.share, entry.label)))


def _unit(value: float) -> float:
    """Return a score within 0..1; what is not a number counts as nothing."""
    return min(max(value, 0.0), 1.0) if isfinite(value) else 0.0


def _told(result: Result, shares: tuple[ClassShare, ...]) -> str:
    """Return the result in words, for those who cannot see the picture."""
    if result.boxes:
        return ", ".join(f"{box.label} {_unit(box.score):.2f}" for box in result.boxes[:5])
    if result.classes:
        return ", ".join(f"{c.label} {_unit(c.score):.2f}" for c in result.classes[:3])
    largest = sorted(shares, key=lambda share: -_unit(share.share))[:3]
    return ", ".join(f"{share.label} {percent(_unit(share.share))}" for share in largest)
