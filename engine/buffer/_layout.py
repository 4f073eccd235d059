"""Where everything lies in the memory that the processes of one buffer share."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.buffer.info import BufferInfo, DType

__all__ = ("NOTE_BYTES", "Layout", "Word", "WorkerWord")

NOTE_BYTES = 1984
"""Packed messages up to this size lie beside the data; longer ones take a way of their own."""

_LINE = 64
_PAGE = 4096
_WORDS_PER_LINE = _LINE // 8


class Word:
    """Numbers in the first line of the memory; each is written by one process only."""

    STOPPING = 0
    """1 when the consumer wants everybody to leave. Written by the consumer."""
    COMMANDED = 1
    """How many messages were given out. Written by the commander."""


class WorkerWord:
    """Numbers in a worker's own line, written by that worker."""

    PHASE = 0
    FRAME = 1
    """Number of the message it works on, 0 when it waits."""
    MADE = 2
    BUSY_NS = 3
    WAITING_NS = 4


@dataclass(frozen=True)
class Layout:
    """Shared memory as numbers: control words, then notes (packed messages), then data.

    Attributes
    ----------
    shapes, dtypes : of the arrays in one buffer.
    count : buffers.
    workers : processes: the commander is worker 0, the producers come after it.
    """

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[DType, ...]
    count: int
    workers: int

    @classmethod
    def of(cls, info: BufferInfo, cpus: int) -> "Layout":
        """Lay out the memory of a buffer with one commander and `cpus` producers."""
        return cls(info.shapes, info.dtypes, info.count, 1 + cpus)

    @cached_property
    def sizes_bytes(self) -> tuple[int, ...]:
        """Size of each array in a buffer."""
        pairs = zip(self.shapes, self.dtypes, strict=True)
        return tuple(math.prod(shape) * dtype.itemsize for shape, dtype in pairs)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each array begins in a buffer; each begins on a line of its own."""
        offsets, end = [], 0
        for size in self.sizes_bytes:
            offsets.append(end)
            end += _up(size, _LINE)
        return (*offsets, end)

    @cached_property
    def stride(self) -> int:
        """Bytes from one buffer to the next."""
        size = self.offsets[-1]
        return _up(size, _PAGE if size >= _PAGE else _LINE)

    @cached_property
    def _notes_at(self) -> int:
        return (1 + self.workers + self.count) * _LINE

    @cached_property
    def _data_at(self) -> int:
        return _up(self._notes_at + self.count * NOTE_BYTES, _PAGE)

    @property
    def size_bytes(self) -> int:
        """Size of the whole memory."""
        return self._data_at + self.count * self.stride

    def words(self, memory: memoryview) -> memoryview:
        """Return the control words; each is read and written at once."""
        return memory[: self._notes_at].cast("Q")

    def worker_word(self, worker: int, word: int) -> int:
        """Return the index of a number that a worker keeps."""
        return (1 + worker) * _WORDS_PER_LINE + word

    def note_word(self, slot: int) -> int:
        """Return the index of the length of a buffer's packed message."""
        return (1 + self.workers + slot) * _WORDS_PER_LINE

    def note(self, memory: memoryview, slot: int) -> memoryview:
        """Return the place of a buffer's packed message."""
        begin = self._notes_at + slot * NOTE_BYTES
        return memory[begin : begin + NOTE_BYTES]

    def arrays(self, memory: memoryview, slot: int) -> tuple[np.ndarray[Any, Any], ...]:
        """Return a buffer's arrays."""
        begin = self._data_at + slot * self.stride
        return tuple(
            np.ndarray(shape, dtype, memory, begin + offset)
            for shape, dtype, offset in zip(self.shapes, self.dtypes, self.offsets, strict=False)
        )


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
