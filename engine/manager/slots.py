"""Arrays in the slots of a ring: how frames and results lie in shared memory."""

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from engine.errors import BrokenError, EngineBugError, EngineError
from engine.manager.messages import Shapes
from engine.protocol import TensorInfo
from engine.shm import Segment, SlotRing

__all__ = ("FrameSlots", "Placed", "slot_bytes_for")

Array = np.ndarray[Any, Any]
_ALIGNMENT = 64


class Placed(msgspec.Struct, frozen=True):
    """Where arrays lie; see `engine.manager.messages.Run`."""

    slot: int
    shapes: Shapes | None
    spill: str


class _Layout:
    """Where the arrays of one set of shapes lie, one behind the other."""

    def __init__(self, shapes: Shapes, dtypes: Sequence[np.dtype[Any]]) -> None:
        self.shapes = shapes
        self.offsets: list[int] = []
        end = 0
        for shape, dtype in zip(shapes, dtypes, strict=True):
            self.offsets.append(end)
            end += -(-math.prod(shape) * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
        self.size_bytes = end


class FrameSlots:
    """One direction of a client's frames; written by one process, read by the other.

    Several threads may write, and several may read, different slots at the same time.

    Parameters
    ----------
    tensors : per model the arrays of a frame.
    """

    def __init__(self, ring: SlotRing, tensors: Sequence[tuple[TensorInfo, ...]]) -> None:
        self._ring = ring
        self._dtypes = [[np.dtype(info.dtype) for info in infos] for infos in tensors]
        self._layouts = [
            _Layout(_least_shapes(infos), dtypes)
            for infos, dtypes in zip(tensors, self._dtypes, strict=True)
        ]
        self._views: dict[tuple[int, int], list[Array]] = {}
        self._spills: dict[int, Segment] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Under which the other process attaches the ring."""
        return self._ring.name

    def write(self, model: int, arrays: Sequence[Array]) -> Placed:
        """Copy the arrays of a frame into a free slot."""
        shapes = tuple(array.shape for array in arrays)
        layout = self._layouts[model]
        is_own = shapes == layout.shapes
        if not is_own:
            layout = _Layout(shapes, self._dtypes[model])
        with self.writing() as slot:
            spill = self._copy(model, slot, layout, is_own, arrays)
        return Placed(slot, None if is_own else shapes, spill)

    @contextlib.contextmanager
    def writing(self) -> Iterator[int]:
        """Give a free slot, which is filled meanwhile and goes to the reader then."""
        with self._lock:
            slot = self._ring.acquire()
        if slot is None:
            raise EngineBugError("a client has more frames under way than its ring has slots")
        try:
            yield slot
            self._ring.commit(slot, 0)
        except BaseException:
            with contextlib.suppress(EngineError):
                self._ring.abandon(slot)
            raise

    def own_arrays(self, model: int, slot: int) -> list[Array]:
        """Return the arrays of a slot that is being written, in the shapes that the model says."""
        return self._own_views(model, slot, self._ring.buffer(slot))

    def read(self, model: int, placed: Placed) -> list[Array]:
        """Return the arrays of a frame, read-only and only until `release`."""
        memory = self._ring.take(placed.slot)
        if placed.shapes is None and not placed.spill:
            return self._own_views(model, placed.slot, memory)
        layout = self._layouts[model]
        if placed.shapes is not None:
            layout = _Layout(placed.shapes, self._dtypes[model])
        if placed.spill:
            memory = self._attached(placed.slot, placed.spill).buffer.toreadonly()
        if layout.size_bytes > len(memory):
            raise BrokenError("a frame is larger than the memory it lies in")
        return self._arrays(model, layout, memory)

    def release(self, slot: int) -> None:
        """Give a slot that was read back to the writer."""
        self._ring.release(slot)

    def close(self) -> None:
        """Let go of all memory. Safe to call twice."""
        self._views = {}
        spills, self._spills = self._spills, {}
        for segment in spills.values():
            segment.close()
        self._ring.close()

    def _copy(
        self, model: int, slot: int, layout: _Layout, is_own: bool, arrays: Sequence[Array]
    ) -> str:
        """Copy into the slot, or into a segment of its own when the slot is too small."""
        spill = ""
        if layout.size_bytes > self._ring.slot_bytes:
            segment = self._spill(slot, layout.size_bytes)
            spill, targets = segment.name, self._arrays(model, layout, segment.buffer)
        elif is_own:
            targets = self.own_arrays(model, slot)
        else:
            targets = self._arrays(model, layout, self._ring.buffer(slot))
        for target, array in zip(targets, arrays, strict=True):
            np.copyto(target, array, casting="no")
        return spill

    def _own_views(self, model: int, slot: int, memory: memoryview) -> list[Array]:
        views = self._views.get((model, slot))
        if views is None:
            views = self._arrays(model, self._layouts[model], memory)
            self._views[model, slot] = views
        return views

    def _arrays(self, model: int, layout: _Layout, memory: memoryview) -> list[Array]:
        places = zip(layout.shapes, self._dtypes[model], layout.offsets, strict=True)
        return [np.ndarray(shape, dtype, memory, offset) for shape, dtype, offset in places]

    def _spill(self, slot: int, size_bytes: int) -> Segment:
        """Return the slot's own segment, made anew when it is too small."""
        segment = self._spills.get(slot)
        if segment is None or segment.size_bytes < size_bytes:
            if segment is not None:
                segment.close()
            segment = self._spills[slot] = Segment.create(size_bytes, purpose="frame")
        return segment

    def _attached(self, slot: int, name: str) -> Segment:
        segment = self._spills.get(slot)
        if segment is None or segment.name != name:
            if segment is not None:
                segment.close()
            segment = self._spills[slot] = Segment.attach(name)
        return segment


def slot_bytes_for(tensors: Sequence[tuple[TensorInfo, ...]]) -> int:
    """Return how large a slot has to be for a frame of any of the models, at least one line.

    Axes of unknown size count as 1; what does not fit then travels in a segment of its own.
    """
    layouts = [
        _Layout(_least_shapes(infos), [np.dtype(info.dtype) for info in infos]) for infos in tensors
    ]
    return max([_ALIGNMENT, *(layout.size_bytes for layout in layouts)])


def _least_shapes(infos: Sequence[TensorInfo]) -> Shapes:
    return tuple(tuple(size or 1 for size in info.shape) for info in infos)
