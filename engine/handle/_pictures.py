"""Pictures as source data: of an area camera, or from anywhere else."""

from typing import Any

import numpy as np

from engine.handle._feed import check_array
from engine.handle._objects import ObjectFinder, finds_objects
from engine.handle._plan import Plan
from engine.handle.errors import ArgumentError, SourceDataError, runtime_errors
from engine.pipeline.pre import Preprocessor
from engine.protocol import FrameFormat, FrameKind

__all__ = ("PictureCopies", "PictureFeed", "picture_format")

Array = np.ndarray[Any, Any]

_BYTES = np.dtype(np.uint8)


def picture_format(height: int, width: int) -> FrameFormat:
    """Return what pictures of this size look like."""
    return FrameFormat(FrameKind.IMAGE, (height, width, 3), "uint8")


class PictureCopies:
    """Hands pictures on as they are, once for every sink.

    One block: a picture is not spread over threads.
    """

    lines = 0
    block_count = 1

    def __init__(self, frame_format: FrameFormat, sinks: int = 1) -> None:
        self._shape = frame_format.shape
        self._sinks = sinks
        self._picture: Array | None = None

    def accept(self, source: object) -> None:
        """Take one picture.

        Raises
        ------
        SourceDataError
            When its shape or dtype are not what the context was made for.
        """
        array = check_array(source, _BYTES, "the picture")
        if array.shape != self._shape:
            raise SourceDataError(
                f"the context was made for pictures of shape {self._shape} (height, width, 3), "
                f"the array given has {array.shape}; make another context for it"
            )
        self._picture = array

    def inputs(self, block: int, thread_id: int) -> list[Array]:
        """Return the picture for every sink."""
        del block, thread_id
        return [self.picture()] * self._sinks

    def picture(self) -> Array:
        """Return the picture."""
        if self._picture is None:
            raise SourceDataError("there is no source data; call setSourceData first")
        return self._picture

    def results(self, block: int, outputs: list[Array]) -> list[Array]:
        """Return the outputs as they are."""
        del block
        return outputs

    def place(self, block: int) -> None:
        """Return None: the results are whole."""
        del block


class PictureFeed(PictureCopies):
    """Fits pictures to a model's input, as its program says, and reads boxes out of the outputs.

    Raises
    ------
    ArgumentError
        When the model cannot take such pictures.
    """

    def __init__(self, plan: Plan, frame_format: FrameFormat) -> None:
        super().__init__(frame_format)
        if len(plan.inputs) != 1:
            raise ArgumentError(
                f"model {plan.entry.name!r} has {len(plan.inputs)} inputs; a model for pictures "
                "has one"
            )
        settings = plan.entry.pre
        if settings.layout == "lines":
            raise ArgumentError(
                f"model {plan.entry.name!r} takes lines of spectra, not pictures; use the buffers "
                "of a line camera, or a program compiled for pictures"
            )
        with runtime_errors():
            self._fit = Preprocessor(settings, plan.inputs[0], frame_format)
        self._tensor = self._fit.new_tensor()
        self._find: ObjectFinder | None = None
        if finds_objects(plan):
            _, *rest = self._fit.shape
            height, width = rest[1:] if settings.layout == "nchw" else rest[:2]
            picture = frame_format.shape
            self._find = ObjectFinder(plan, (width, height), (picture[1], picture[0]))

    def inputs(self, block: int, thread_id: int) -> list[Array]:
        """Return the model's input, made from the picture as it is now."""
        del block, thread_id
        self._fit(np.ascontiguousarray(self.picture()), self._tensor)
        return [self._tensor]

    def results(self, block: int, outputs: list[Array]) -> list[Array]:
        """Return the outputs, and the objects found when the model finds some."""
        del block
        if self._find is None:
            return outputs
        return [*outputs, self._find(outputs, self._fit.geometry)]
