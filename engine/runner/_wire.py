"""What parent and worker say to each other, and the line on which slabs change hands."""

import os
import pickle
import socket
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Self

from engine.errors import BrokenError
from engine.process import MAX_MESSAGE_BYTES, wait_readable
from engine.runner._arena import Arena, Lender
from engine.runner._slab import Slab

__all__ = ("Board", "Kind", "SlabLine", "Stage", "pack", "unpack")


class Kind(IntEnum):
    """First field of each message; what follows stands beside it."""

    TASKS = 1  # call, first item, entries, freed spans, whether inputs are copied
    STOP = 2  # end the hooks and leave
    READY = 3  # the worker has begun
    RESULTS = 4  # call, first item, entries, freed spans, seconds, bytes, has only plain values
    DROPPED = 5  # call, first item, how many, freed spans: of a call that was given up
    ENDED = 6  # failure of the last hook, or None
    NOT_BEGUN = 7  # failure of the first hook
    BIG = 8  # where the real message lies


Message = tuple[Any, ...]


def pack(message: Message, arena: Arena) -> bytes:
    """Return the bytes to send; a message too large for the channel goes through the arena."""
    data = pickle.dumps(message, 5)
    if len(data) <= MAX_MESSAGE_BYTES:
        return data
    return pickle.dumps((int(Kind.BIG), *arena.write((data,))), 5)


def unpack(data: bytes, lender: Lender) -> Message:
    """Return a received message."""
    message: Message = pickle.loads(data)  # noqa: S301 - from our own worker or parent
    if message[0] == Kind.BIG:
        (buffer,) = lender.buffers(*message[1:])
        message = pickle.loads(buffer)  # noqa: S301 - from our own worker or parent
    return message


class SlabLine:
    """One end of the line on which slabs are handed over, in the order they were made."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def pair(cls) -> tuple[Self, socket.socket]:
        """Return our end, and the socket for the other process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._end.fileno()

    def send(self, slab: Slab) -> None:
        """Hand a slab over; it stays ours as well."""
        socket.send_fds(self._end, [b"s"], [slab.fd])

    def receive(self) -> Slab:
        """Return the next slab, which was sent before the message that speaks of it.

        Raises
        ------
        BrokenError : the other side is gone.
        """
        for slab in self._receive(10.0):
            return slab
        raise BrokenError("the other process did not hand over its memory")

    def pending(self) -> Iterator[Slab]:
        """Yield the slabs that have come and were not received."""
        while found := self._receive(0.0):
            yield from found

    def _receive(self, timeout_s: float) -> list[Slab]:
        if not wait_readable([self._end.fileno()], timeout_s):
            return []
        try:
            _, fds, _, _ = socket.recv_fds(self._end, 16, 1)
        except ConnectionResetError:  # told once, before what a dead process had sent
            return self._receive(timeout_s)
        for fd in fds:
            os.set_inheritable(fd, False)
        return [Slab(fd) for fd in fds]

    def close(self) -> None:
        """Close this end."""
        self._end.close()


class Stage(IntEnum):
    """How far a worker has come."""

    STARTING = 0
    SERVING = 1
    ENDING = 2


_CALL, _FIRST_WORKER = 0, 8
_ITEM, _STAGE = 0, 1
_WORDS_PER_WORKER = 8


class Board:
    """A few numbers that parent and workers see at once, so that they need no message.

    The parent writes the number of the current call; each worker writes its stage and which item
    it has in hand.
    """

    def __init__(self, slab: Slab, worker: int = 0) -> None:
        self.slab = slab
        self._worker = worker
        self._words = memoryview(slab.mapping).cast("Q")

    @classmethod
    def create(cls, workers: int) -> Self:
        """Make a board for that many workers."""
        return cls(Slab.create((_FIRST_WORKER + workers * _WORDS_PER_WORKER) * 8, "board"))

    @property
    def words(self) -> memoryview:
        """All numbers, for a worker's innermost loop; the call's is the first."""
        return self._words

    @property
    def item_word(self) -> int:
        """Where this worker writes one more than the number of its item, 0 without one."""
        return _FIRST_WORKER + self._worker * _WORDS_PER_WORKER + _ITEM

    @property
    def call(self) -> int:
        """Number of the current call, 0 when there is none."""
        return int(self._words[_CALL])

    def set_call(self, call: int) -> None:
        """Let the workers do the items of this call only."""
        self._words[_CALL] = call

    def reset(self, worker: int) -> None:
        """Forget what a worker wrote, before another takes its place."""
        self._words[_FIRST_WORKER + worker * _WORDS_PER_WORKER + _ITEM] = 0
        self._words[_FIRST_WORKER + worker * _WORDS_PER_WORKER + _STAGE] = Stage.STARTING

    def set_stage(self, stage: Stage) -> None:
        """Say how far this worker is."""
        self._words[_FIRST_WORKER + self._worker * _WORDS_PER_WORKER + _STAGE] = stage

    def item_of(self, worker: int) -> int | None:
        """Return the item a worker has, or had, in hand."""
        word = self._words[_FIRST_WORKER + worker * _WORDS_PER_WORKER + _ITEM]
        return word - 1 if word else None

    def stage_of(self, worker: int) -> Stage:
        """Return how far a worker has come."""
        return Stage(self._words[_FIRST_WORKER + worker * _WORDS_PER_WORKER + _STAGE])
