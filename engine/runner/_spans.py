"""Where pieces of a slab are handed out and taken back: plain numbers, no memory."""

from bisect import bisect_left

from engine.errors import EngineBugError

__all__ = ("PIECE_BYTES", "SpanTable")

PIECE_BYTES = 4096
"""Spans begin and end at multiples of this, so that two never share a page."""


class SpanTable:
    """The free and used spans of `size_bytes` bytes. The lowest fitting place is taken first.

    Taking the lowest keeps the bytes in use few and warm in the processor's cache. One thread
    uses it. An exception that strikes between two lines loses a span at worst, never gives one
    out twice.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._used: dict[int, int] = {}
        self._begins = [0]  # of the free spans, ascending; no two of them touch
        self._sizes = [size_bytes]

    @property
    def used_bytes(self) -> int:
        """How many bytes are handed out."""
        return sum(self._used.values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is handed out."""
        return not self._used

    def take(self, size_bytes: int) -> int | None:
        """Return the begin of a span of at least `size_bytes`, or None when there is no room."""
        needed = -(-size_bytes // PIECE_BYTES) * PIECE_BYTES
        for index, free in enumerate(self._sizes):
            if free < needed:
                continue
            begin = self._begins[index]
            if free == needed:
                del self._sizes[index], self._begins[index]
            else:
                self._sizes[index] = free - needed
                self._begins[index] = begin + needed
            self._used[begin] = needed
            return begin
        return None

    def give_back(self, begin: int) -> None:
        """Free the span that begins there; `EngineBugError` when there is none."""
        size = self._used.pop(begin, None)
        if size is None:
            raise EngineBugError(f"the span at {begin} was given back but is not in use")
        index = bisect_left(self._begins, begin)
        if index < len(self._begins) and begin + size == self._begins[index]:
            size += self._sizes[index]
            del self._begins[index], self._sizes[index]
        if index and self._begins[index - 1] + self._sizes[index - 1] == begin:
            self._sizes[index - 1] += size
            return
        self._begins.insert(index, begin)
        self._sizes.insert(index, size)
