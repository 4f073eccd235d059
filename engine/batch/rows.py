"""The lines of a result file: what was found in one frame."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from engine.config import Task
from engine.pipeline.post import Findings
from engine.protocol import Box, ClassScore, ClassShare, TensorInfo

__all__ = ("FrameName", "FrameRow", "TensorFigures", "make_row")


class TensorFigures(msgspec.Struct, frozen=True):
    """An output that nothing is made of, in figures; None where it has no finite value."""

    name: str
    shape: tuple[int, ...]
    minimum: float | None
    maximum: float | None
    mean: float | None


class FrameRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. Which of the columns behind `time_s` there are depends on the program's task.

    Attributes
    ----------
    input : name of the input, as in the folder of results.
    frame : number of the frame, from 0; of a cube, the line.
    time_s : when a video shows the frame; None for pictures and cubes.
    classes : of a whole picture, strongest first.
    boxes : in fractions of the frame.
    width, height : of the class map, in pixels.
    shares : how much of the frame belongs to each class, largest first.
    pixels : class of each pixel, row by row, one byte each, 255 for none; only when asked for.
    outputs : of a program without a task.
    """

    input: str
    frame: int
    time_s: float | None
    classes: tuple[ClassScore, ...] | None = None
    boxes: tuple[Box, ...] | None = None
    width: int | None = None
    height: int | None = None
    shares: tuple[ClassShare, ...] | None = None
    pixels: bytes | None = None
    outputs: tuple[TensorFigures, ...] | None = None


class FrameName(msgspec.Struct, frozen=True):
    """Which frame of which input a line is about."""

    input: str
    frame: int
    time_s: float | None


def make_row(
    name: FrameName,
    task: Task,
    findings: Findings,
    outputs: Sequence[tuple[TensorInfo, npt.NDArray[Any]]],
    *,
    has_pixels: bool,
) -> FrameRow:
    """Put a line together.

    Parameters
    ----------
    outputs : the program's tensors; looked at only when the task makes nothing of them.
    has_pixels : whether the class of each pixel is wanted.
    """
    columns: dict[str, Any] = {}
    match task:
        case Task.CLASSIFY:
            columns = {"classes": findings.classes}
        case Task.DETECT | Task.FACES:
            columns = {"boxes": findings.boxes}
        case Task.SEGMENT:
            columns = _of_mask(findings, has_pixels=has_pixels)
        case Task.SPECTRAL:
            columns = _of_line(findings, has_pixels=has_pixels)
        case Task.TENSOR:
            columns = {"outputs": tuple(_figures(info, values) for info, values in outputs)}
    return FrameRow(name.input, name.frame, name.time_s, **columns)


def _of_mask(findings: Findings, *, has_pixels: bool) -> dict[str, Any]:
    mask = findings.mask
    if mask is None:
        return {"width": 0, "height": 0, "shares": ()}
    pixels = {"pixels": mask.classes} if has_pixels else {}
    return {"width": mask.width, "height": mask.height, "shares": mask.shares, **pixels}


def _of_line(findings: Findings, *, has_pixels: bool) -> dict[str, Any]:
    line = findings.line
    if line is None:
        return {"width": 0, "height": 1, "shares": ()}
    pixels = {"pixels": line.classes} if has_pixels else {}
    return {"width": len(line.classes), "height": 1, "shares": line.shares, **pixels}


def _figures(info: TensorInfo, values: npt.NDArray[Any]) -> TensorFigures:
    is_number = values.size > 0 and values.dtype.kind in "biuf"
    wide = values.astype(np.float64) if is_number else np.empty(0)
    finite = wide[np.isfinite(wide)]
    if finite.size == 0:
        return TensorFigures(info.name, values.shape, None, None, None)
    low, high, mean = float(finite.min()), float(finite.max()), float(finite.mean())
    return TensorFigures(info.name, values.shape, low, high, mean)
