"""Big buffers on their way to another process: one side writes them into slabs, one reads them."""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.errors import ClosedError
from engine.runner._slab import Slab
from engine.runner._spans import PIECE_BYTES, SpanTable

__all__ = ("Area", "Arena", "Bytes", "Lender", "Span", "Spans")

Bytes = npt.NDArray[np.uint8]
Span = tuple[int, int]
"""Number of a slab and where in it a span begins."""
Spans = Sequence[Span]

_LINE_BYTES = 64
_SMALLEST_SLAB_BYTES = 4 * 1024 * 1024
_LENT_BYTES = 8 * 1024 * 1024


class Area(NamedTuple):
    """A slab, what of it is in use, and its bytes."""

    slab: Slab
    table: SpanTable
    array: Bytes


class Arena:
    """The writing side: owns slabs, adds a larger one when the others are full.

    Threads may share it. What the reader has given back arrives through `freed`, which every
    thread may append to.
    """

    def __init__(self, purpose: str) -> None:
        self.areas: list[Area] = []
        self.freed: deque[Span] = deque()
        self._purpose = purpose
        self._is_closed = False
        self._lock = threading.RLock()  # a signal handler may close in the middle

    def write(self, parts: Iterable[Any]) -> tuple[int, int, int, tuple[int, ...]]:
        """Copy buffers of bytes into one span; return its slab, begin, size and their lengths.

        Raises
        ------
        OutputError : there is not enough memory.
        """
        sources = [np.frombuffer(part, np.uint8) for part in parts]
        lengths = tuple(source.nbytes for source in sources)
        size = sum(_padded(length) for length in lengths)
        with self._lock:
            slab, begin = self._take(size)
        array, offset = self.areas[slab].array, begin
        for source, length in zip(sources, lengths, strict=True):
            np.copyto(array[offset : offset + length], source)
            offset += _padded(length)
        return slab, begin, size, lengths

    def close(self) -> None:
        """Let go of the memory; what the reader still uses stays with the reader."""
        with self._lock:
            self._is_closed = True
            for area in self.areas:
                area.slab.close()

    def _take(self, size: int) -> Span:
        while self.freed:
            number, begin = self.freed.popleft()
            self.areas[number].table.give_back(begin)
        for number, area in enumerate(self.areas):
            if (found := area.table.take(size)) is not None:
                return number, found
        total = sum(area.slab.size_bytes for area in self.areas)
        wanted = -(-max(2 * size, total, _SMALLEST_SLAB_BYTES) // PIECE_BYTES) * PIECE_BYTES
        slab = Slab.create(wanted, self._purpose)
        area = Area(slab, SpanTable(wanted), np.frombuffer(slab.mapping, np.uint8))
        begin = area.table.take(size) or 0  # a new one begins at 0
        self.areas.append(area)
        if self._is_closed:
            slab.close()
            raise ClosedError("the workers were closed; nothing can be sent to them")
        return len(self.areas) - 1, begin


class _Loan(weakref.ref[Bytes]):
    """Tells when the last array in a span is gone."""

    __slots__ = ("span",)
    span: Span


class Lender:
    """The reading side: shows spans without copying them, and knows when nobody looks any more.

    A span stays lent as long as any array, memoryview or object made from its bytes lives. When
    the receiver of these keeps many of them, further ones are copied instead, so that the writer
    never runs out of memory.

    Attributes
    ----------
    freed : spans to tell the writer of; appended to by whichever thread drops the last reference.

    Parameters
    ----------
    next_slab : returns the slab the writer has made after those known here.
    """

    def __init__(self, next_slab: Callable[[], Slab]) -> None:
        self.freed: deque[Span] = deque()
        self._next_slab = next_slab
        self._lock = threading.Lock()
        self._slabs: list[Slab] = []
        self._loans: dict[int, _Loan] = {}

    def buffers(
        self, slab: int, begin: int, size: int, lengths: Sequence[int], *, must_copy: bool = False
    ) -> list[memoryview]:
        """Return the buffers of a span; the span is free again when all of them are gone."""
        with self._lock:
            while slab >= len(self._slabs):
                self._adopt(self._next_slab())
        lent = np.frombuffer(self._slabs[slab].mapping, np.uint8, size, begin)
        if must_copy or len(self._loans) * size > max(_LENT_BYTES, 2 * size):
            lent = lent.copy()
            self.freed.append((slab, begin))
        else:
            loan = _Loan(lent, self._returned)
            loan.span = (slab, begin)
            self._loans[id(loan)] = loan
        view, offset, found = lent.data, 0, []
        for length in lengths:
            found.append(view[offset : offset + length])
            offset += _padded(length)
        return found

    def take_freed(self) -> list[Span]:
        """Return what was given back since the last call."""
        freed = self.freed
        return [freed.popleft() for _ in range(len(freed))]

    def adopt_all(self, pending_slabs: Callable[[], Iterable[Slab]]) -> None:
        """Take over what the writer has made so far, because it is gone."""
        with self._lock:
            for slab in pending_slabs():
                self._adopt(slab)

    def _adopt(self, slab: Slab) -> None:
        slab.close()  # it is mapped; nobody needs the descriptor any more
        self._slabs.append(slab)

    def _returned(self, loan: "weakref.ref[Bytes]") -> None:
        known = self._loans.pop(id(loan), None)
        if known is not None:
            self.freed.append(known.span)


def _padded(length: int) -> int:
    return -(-length // _LINE_BYTES) * _LINE_BYTES
