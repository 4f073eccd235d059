"""Where a context keeps its results."""

import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from engine.errors import DeviceError
from engine.handle.errors import OutputNotReadyError, SinkIndexError

__all__ = ("OutputSinkInfo", "Sinks")

Array = np.ndarray[Any, Any]


class OutputSinkInfo(msgspec.Struct, frozen=True):
    """One output sink.

    Attributes
    ----------
    index : its place in the context.
    id : number by which `ProcessingContext.findOutputSink` finds it.
    name : what the model calls it.
    dtype : NumPy name of the value type; "object" for a list of objects.
    shape : size of each axis, 0 where the data decides.
    storageType : "Tensor", or "ObjectList" for records of the dtype `OBJECT_DTYPE`.
    outputDelay : how many lines the results lag behind the data, as a model with a state says.
    """

    index: int
    id: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    storageType: str = "Tensor"  # noqa: N815 - the published names are camelCase
    outputDelay: int = 0  # noqa: N815 - the same


class Sinks:
    """The results of the last call, one array per sink; the next call overwrites them."""

    def __init__(self, infos: Sequence[OutputSinkInfo]) -> None:
        self.infos = tuple(infos)
        self._lock = threading.Lock()
        self._arrays: list[Array] = []
        self._is_shaped = False
        self._is_complete = False
        self._lines = 0

    def begin(self, lines: int) -> None:
        """Prepare for results of so many lines, put together from blocks."""
        self._lines = lines
        self._is_shaped = False
        self._is_complete = False

    def put(self, place: slice | None, outputs: Sequence[Array]) -> None:
        """Copy a block's results to their place among the lines, None for a result without lines.

        Called by several threads at once, with places that do not overlap.
        """
        if not self._is_shaped:
            self._shape(place, outputs)
        for array, output in zip(self._arrays, outputs, strict=True):
            target = array if place is None else array[place]
            if target.shape != output.shape:
                raise DeviceError(
                    f"the model returned an array of shape {output.shape} where "
                    f"{target.shape} was due; it does not treat lines independently, process "
                    "them in one piece"
                )
            np.copyto(target, output)

    def complete(self) -> None:
        """Make the results readable."""
        self._is_complete = True

    def clear(self) -> None:
        """Forget the results."""
        self._is_complete = False

    def index(self, index: int) -> int:
        """Return a sink's index, checked."""
        if not 0 <= index < len(self.infos):
            raise SinkIndexError(
                f"an output sink's index is 0 to {len(self.infos) - 1}, not {index}", index=index
            )
        return index

    def data(self, index: int) -> Array:
        """Return a read-only view of a sink's result."""
        position = self.index(index)
        if not self._is_complete:
            raise OutputNotReadyError(
                "there are no results: the last processNext did not complete, or there was none; "
                "call processNext first"
            )
        view = self._arrays[position].view()
        view.flags.writeable = False
        return view

    def _shape(self, place: slice | None, outputs: Sequence[Array]) -> None:
        """Make room for the whole result, once per call; keep what fits from the last one."""
        with self._lock:
            if self._is_shaped:
                return
            kept: list[Array | None] = [*self._arrays] or [None] * len(outputs)
            self._arrays = [
                _room(old, _whole(place, output, self._lines), output.dtype)
                for old, output in zip(kept, outputs, strict=True)
            ]
            self._is_shaped = True


def _whole(place: slice | None, output: Array, lines: int) -> tuple[int, ...]:
    return output.shape if place is None else (lines, *output.shape[1:])


def _room(old: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if old is not None and old.shape == shape and old.dtype == dtype:
        return old
    return np.empty(shape, dtype)
