"""Private copies of arrays, made in memory that the user has already let go of."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ("Copies",)

Array = np.ndarray[Any, Any]

_WORTH_BYTES = 64 * 1024
_KEPT = 3


def _references(shelf: list[Array], index: int) -> int:
    return sys.getrefcount(shelf[index])


_UNUSED = _references([np.empty(0)], 0)
"""What an array counts that only a shelf knows."""


class Copies:
    """Makes copies of large arrays without asking the system for fresh memory each time.

    Up to three copies made earlier are kept. One that nobody else refers to any more (no variable,
    no view, no tensor made from it) is written over; to the user it is a new array.
    """

    def __init__(self, sizes_bytes: Sequence[int]) -> None:
        self._shelves: list[list[Array]] = [[] for _ in sizes_bytes]
        self._are_small = all(size < _WORTH_BYTES for size in sizes_bytes)

    def of(self, sources: Sequence[Array]) -> list[Array]:
        """Return private copies of the arrays of one buffer."""
        if self._are_small:
            return [source.copy() for source in sources]
        return [self._copy(index, source) for index, source in enumerate(sources)]

    def _copy(self, index: int, source: Array) -> Array:
        if source.nbytes < _WORTH_BYTES:
            return source.copy()
        shelf = self._shelves[index]
        for place in range(len(shelf)):
            if _references(shelf, place) <= _UNUSED:
                copied = shelf[place]
                is_same = copied.shape == source.shape and copied.dtype == source.dtype
                if is_same and copied.flags.c_contiguous and copied.flags.writeable:
                    copied[...] = source
                    return copied
                del shelf[place]  # the user has changed the array itself
                break
        copied = source.copy()
        if len(shelf) >= _KEPT:
            del shelf[0]
        shelf.append(copied)
        return copied
