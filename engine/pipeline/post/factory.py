"""Chooses the post-processing that belongs to a program's task."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from engine.config import PostSettings, Task
from engine.pipeline.post.classify import ClassifyPostprocessor
from engine.pipeline.post.findings import Findings, Labels, Postprocessor
from engine.pipeline.post.segment import SegmentPostprocessor
from engine.pipeline.post.spectral import SpectralPostprocessor
from engine.pipeline.post.ssd import SsdPostprocessor
from engine.pipeline.post.yunet import YunetPostprocessor
from engine.pipeline.pre import Geometry
from engine.protocol import TensorInfo

__all__ = ("make_postprocessor",)


def make_postprocessor(
    task: Task,
    settings: PostSettings,
    outputs: tuple[TensorInfo, ...],
    labels: tuple[str, ...],
    *,
    input_size: tuple[int, int] | None = None,
) -> Postprocessor:
    """Return the function that turns a program's outputs into findings.

    Parameters
    ----------
    task : what the program's results are; "tensor" finds nothing.
    settings : threshold, limits and roles of the outputs.
    outputs : the program's outputs, in the order in which they will be given.
    labels : names of the classes, may be empty.
    input_size : (width, height) of the program's input in pixels; only a face detector whose
        input is not square needs it.

    Raises
    ------
    InvalidArgumentError
        When an output is missing or has a shape that the task cannot read.
    """
    names = Labels(labels, settings.label_offset)
    match task:
        case Task.CLASSIFY:
            return ClassifyPostprocessor(settings, outputs, names)
        case Task.DETECT:
            return SsdPostprocessor(settings, outputs, names)
        case Task.FACES:
            return YunetPostprocessor(settings, outputs, names, input_size)
        case Task.SEGMENT:
            return SegmentPostprocessor(settings, outputs, names, class_count=len(labels))
        case Task.SPECTRAL:
            return SpectralPostprocessor(settings, outputs, names)
        case Task.TENSOR:
            return _find_nothing


def _find_nothing(outputs: Sequence[npt.NDArray[Any]], geometry: Geometry) -> Findings:
    """Leave the outputs alone: the program's user reads the tensors."""
    del outputs, geometry
    return Findings()
