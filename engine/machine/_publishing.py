"""What workers get of the global storage: each value once in memory that all of them see."""

import os
import threading
from itertools import count
from typing import Protocol

from engine.machine._memory import Block
from engine.machine._packing import INLINE_BYTES, Layout, arrays_whole, pickled
from engine.machine._store import Version

__all__ = ("Publication", "Publisher", "Reader")

_MOST_SPARE_BYTES = 1 << 30
_LEAST_SPARE_BYTES = 1 << 20


class Reader(Protocol):
    """A worker that reads publications."""

    def drop_publication(self, number: int) -> None:
        """Tell the worker to let go of a publication, and to say so when it has."""
        ...


class Publication:
    """One value, ready for workers.

    Attributes
    ----------
    body : its pickle when it is small, else empty.
    block : where it lies when it is big.
    readers : the workers that may have the block mapped.
    """

    def __init__(self, number: int, body: bytes, block: Block | None) -> None:
        self.number = number
        self.body = body
        self.block = block
        self.is_retired = False
        self.readers: set[Reader] = set()


class Publisher:
    """Makes publications, and uses the memory of old ones again once no worker can see it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may retire anywhere
        os.register_at_fork(
            before=self._lock.acquire,
            after_in_parent=self._lock.release,
            after_in_child=self._lock.release,
        )
        self._numbers = count(1)
        self._leaving: dict[int, Publication] = {}
        self._spare: list[Block] = []

    def publish(self, version: Version) -> Publication:
        """Make a publication; runs the value's own pickling code.

        Raises
        ------
        OutputError : there is not enough memory.
        Exception : the value cannot be pickled.
        """
        data, buffers = pickled(version.value, arrays_whole)
        number = next(self._numbers)
        if not buffers and len(data) <= INLINE_BYTES:
            return Publication(number, data, None)
        layout = Layout.of(data, buffers)
        block = self._take_spare(layout.size_bytes) or Block()
        try:
            block.fill(layout.parts, layout.size_bytes)
        except BaseException:
            block.close()
            raise
        return Publication(number, b"", block)

    def add_reader(self, publication: Publication, reader: Reader) -> bool:
        """Note that a worker is about to get a publication; False when that is given up."""
        with self._lock:
            if publication.block is not None:
                if publication.is_retired:
                    return False
                publication.readers.add(reader)
        return True

    def retire(self, version: Version) -> None:
        """Give up a version's publication: its readers are told, its memory is used again."""
        publication: Publication | None = version.publication
        if publication is None or publication.block is None:
            return
        with self._lock:
            publication.is_retired = True
            readers = list(publication.readers)
            self._leaving[publication.number] = publication
        for reader in readers:
            reader.drop_publication(publication.number)
        self._reuse_if_free(publication.number)

    def released(self, number: int, reader: Reader) -> None:
        """Note that a worker has let go of a publication that was given up."""
        with self._lock:
            publication = self._leaving.get(number)
            if publication is not None:
                publication.readers.discard(reader)
        self._reuse_if_free(number)

    def reader_gone(self, reader: Reader, publications: list[Publication]) -> None:
        """Note that a worker has ended."""
        with self._lock:
            leaving = list(self._leaving.values())
            for publication in (*publications, *leaving):
                publication.readers.discard(reader)
        for publication in leaving:
            self._reuse_if_free(publication.number)

    def close(self, publications: list[Publication]) -> None:
        """Let go of these and of all spare memory: there are no workers any more."""
        with self._lock:
            blocks = [p.block for p in (*publications, *self._leaving.values()) if p.block]
            blocks += self._spare
            self._spare, self._leaving = [], {}
        for block in blocks:
            block.close()

    def _reuse_if_free(self, number: int) -> None:
        with self._lock:
            publication = self._leaving.get(number)
            if publication is None or publication.readers:
                return
            del self._leaving[number]
            block, publication.block = publication.block, None
            if block is None:
                return
            spare = sum(other.size_bytes for other in self._spare)
            if _LEAST_SPARE_BYTES <= block.size_bytes <= _MOST_SPARE_BYTES - spare:
                self._spare.append(block)
                return
        block.close()

    def _take_spare(self, size_bytes: int) -> Block | None:
        with self._lock:
            for block in self._spare:
                if size_bytes <= block.size_bytes <= 2 * size_bytes:
                    self._spare.remove(block)
                    return block
        return None
