"""What post-processing hands on, and what it needs to know about outputs and labels."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from engine.config import PostSettings
from engine.errors import InvalidArgumentError
from engine.pipeline.pre import Geometry
from engine.protocol import Box, ClassLine, ClassScore, ClassShare, Mask, TensorInfo

__all__ = ("NO_CLASS", "Findings", "Labels", "Postprocessor", "find_output", "shares_of")

NO_CLASS = 255
"""Byte in masks and class lines for a pixel that belongs to no class."""


class Findings(msgspec.Struct, frozen=True):
    """What was found in one frame; the fields are those of a result."""

    classes: tuple[ClassScore, ...] = ()
    boxes: tuple[Box, ...] = ()
    mask: Mask | None = None
    line: ClassLine | None = None


class Postprocessor(Protocol):
    """Turns the outputs for one frame into findings; keeps no state, usable from any thread."""

    def __call__(self, outputs: Sequence[npt.NDArray[Any]], geometry: Geometry) -> Findings:
        """Return what `outputs` say, in fractions of the frame that `geometry` leads back to."""
        ...


class Labels:
    """Names of classes; a class without a name is called by its number."""

    def __init__(self, labels: Sequence[str], offset: int) -> None:
        self._labels = tuple(labels)
        self._offset = offset

    def __getitem__(self, index: int) -> str:
        place = index + self._offset
        if 0 <= place < len(self._labels) and self._labels[place]:
            return self._labels[place]
        return f"class {index}"


def find_output(
    outputs: Sequence[TensorInfo], settings: PostSettings, role: str, default: int | str
) -> int:
    """Return the index of the output that plays `role`.

    Parameters
    ----------
    outputs : the program's outputs, in order.
    settings : may name the output of the role.
    role : for example "boxes".
    default : index or name of the output where the settings name none.

    Raises
    ------
    InvalidArgumentError
        When the program has no such output.
    """
    names = [output.name for output in outputs]
    wanted = settings.outputs.get(role, default)
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    if isinstance(wanted, int) and wanted < len(names):
        return wanted
    missing = repr(wanted) if isinstance(wanted, str) else f"number {wanted}"
    raise InvalidArgumentError(
        f"the program has no output {missing} for {role!r}; its outputs are "
        f"{', '.join(names) or 'none'}, name one of them in post.outputs"
    )


def shares_of(classes: npt.NDArray[np.uint8], labels: Labels, limit: int) -> tuple[ClassShare, ...]:
    """Return which part of `classes` each class has, largest first, at most `limit` classes.

    Pixels of no class count in the whole, so the shares may add up to less than 1.
    """
    counts = np.bincount(classes.ravel(), minlength=NO_CLASS + 1)[:NO_CLASS]
    order = np.argsort(-counts, kind="stable")[:limit]
    whole = max(1, classes.size)
    return tuple(
        ClassShare(int(index), labels[int(index)], float(counts[index]) / whole)
        for index in order
        if counts[index]
    )
