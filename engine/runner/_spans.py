"""Where pieces of a slab are handed out and taken back: plain numbers, no memory."""

from bisect import bisect_left

from engine.errors import EngineBugError

__all__ = ("PIECE_BYTES", "SpanTable")

PIECE_BYTES = 4096
"""Spans begin and end at multiples of this, so that two never share a page."""


class SpanTable:
    """The free and used spans of `size_bytes` bytes. The lowest fitting place is taken first.

    Taking the lowest keeps the bytes in use few and warm in the processor's cache. One thread at
    a time uses it. An exception that strikes in the middle (a signal handler's) loses a span at
    worst, and never gives one out twice: each change of the list of free spans is one step.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._used: dict[int, int] = {}
        self._free = [(0, size_bytes)]  # begin and size, ascending; no two of them touch

    @property
    def used_bytes(self) -> int:
        """How many bytes are handed out."""
        return sum(self._used.values())

    def take(self, size_bytes: int) -> int | None:
        """Return the begin of a span of at least `size_bytes`, or None when there is no room."""
        needed = -(-size_bytes // PIECE_BYTES) * PIECE_BYTES
        for index, (begin, free) in enumerate(self._free):
            if free < needed:
                continue
            rest = [(begin + needed, free - needed)] if free > needed else []
            self._free[index : index + 1] = rest
            self._used[begin] = needed
            return begin
        return None

    def give_back(self, begin: int) -> None:
        """Free the span that begins there; `EngineBugError` when there is none."""
        size = self._used.pop(begin, None)
        if size is None:
            raise EngineBugError(f"the span at {begin} was given back but is not in use")
        first = after = bisect_left(self._free, (begin, 0))
        end = begin + size
        if after < len(self._free) and self._free[after][0] == end:
            end += self._free[after][1]
            after += 1
        if first and sum(self._free[first - 1]) == begin:
            first -= 1
            begin = self._free[first][0]
        self._free[first:after] = [(begin, end - begin)]
