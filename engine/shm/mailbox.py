"""The newest value of something, for whoever wants to look: the writer never waits for readers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from engine.errors import BrokenError, InvalidArgumentError, SegmentLostError, WrongStateError
from engine.shm.layout import (
    LINE_BYTES,
    PAGE_BYTES,
    check_header,
    check_positive,
    fence,
    round_up,
    words_of,
)
from engine.shm.segment import Segment

__all__ = ("Buffer", "Mailbox")

Buffer = bytes | bytearray | memoryview

_MAGIC = int.from_bytes(b"PNSKBOX1", "little")
_VALUE_BYTES = 1  # words of the first line, after the magic
_NEWEST = LINE_BYTES // 8
_SLOTS = 4
_BEGUN, _ENDED, _META_BYTES, _PAYLOAD_BYTES = 0, 1, 2, 3  # words of a slot's record
_MAX_TRIES = 10_000


class Mailbox:
    """One writer's newest value in shared memory, for any number of readers.

    A value is some bytes of `meta` and a payload, together at most `value_bytes`. Values carry
    consecutive numbers from 1. A reader always gets a whole value: it copies the newest one, then
    checks that the writer, which goes round four slots, has not come back to it meanwhile.
    One thread writes; every thread may read.
    """

    def __init__(self, segment: Segment, value_bytes: int) -> None:
        self.value_bytes = value_bytes
        self._segment = segment
        self._is_writing = False
        self._words = words_of(segment, PAGE_BYTES)
        stride = round_up(value_bytes, LINE_BYTES)
        offsets = [PAGE_BYTES + stride * slot for slot in range(_SLOTS)]
        self._places = [segment.buffer[offset : offset + value_bytes] for offset in offsets]

    @classmethod
    def create(cls, value_bytes: int, *, purpose: str) -> Self:
        """Make an empty mailbox; this process owns its memory and writes.

        Raises
        ------
        OutputError : there is not enough shared memory.
        """
        check_positive(value_bytes=value_bytes)
        segment = Segment.create(_size_bytes(value_bytes), purpose=purpose)
        words = words_of(segment, LINE_BYTES)
        words[_VALUE_BYTES] = value_bytes
        fence()
        words[0] = _MAGIC
        return cls(segment, value_bytes)

    @classmethod
    def attach(cls, name: str, *, is_writer: bool = False) -> Self:
        """Use a mailbox that another process made, normally to read (the memory is read-only then).

        Raises
        ------
        SegmentLostError : there is no mailbox of that name.
        """
        segment = Segment.attach(name, is_read_only=not is_writer)
        check_header(segment, _MAGIC, "mailbox")
        value_bytes = words_of(segment, LINE_BYTES)[_VALUE_BYTES]
        if not value_bytes or _size_bytes(value_bytes) > segment.size_bytes:
            segment.close()
            raise SegmentLostError(f"mailbox {name!r} is smaller than its header says", name=name)
        return cls(segment, value_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Under which readers attach."""
        return self._segment.name

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._segment.is_closed

    @property
    def sequence(self) -> int:
        """Number of the newest value, 0 when there is none yet."""
        self._check_open()
        return int(self._words[_NEWEST])

    def write(self, meta: bytes, payload: "Buffer | tuple[Buffer, ...]") -> int:
        """Publish a value and return its number.

        Parameters
        ----------
        payload : contiguous bytes, or several that are put one after the other.

        Raises
        ------
        InvalidArgumentError : meta and payload are larger than `value_bytes`.
        """
        parts = payload if isinstance(payload, tuple) else (payload,)
        views = [memoryview(part).cast("B") for part in parts]
        size = sum(view.nbytes for view in views)
        self._check_size(len(meta), size)
        with self.writing() as (place, finish):
            offset = 0
            for view in views:
                place[offset : offset + view.nbytes] = view
                offset += view.nbytes
            return finish(meta, size)

    @contextmanager
    def writing(self) -> Iterator[tuple[memoryview, Callable[[bytes, int], int]]]:
        """Write the payload in place: ``with box.writing() as (payload, finish)``.

        `payload` is memory of `value_bytes` bytes, valid until the block is left. Call
        ``finish(meta, payload_bytes)`` once to publish it and get its number; without that nothing
        is published.
        """
        self._check_open()
        if self._is_writing:
            raise WrongStateError("a value is being written; finish it before the next")
        number = self.sequence + 1
        record, place = _record(number), self._places[number % _SLOTS]
        is_finished = False

        def finish(meta: bytes, payload_bytes: int) -> int:
            nonlocal is_finished
            if is_finished:
                raise WrongStateError("this value was finished; begin a new one")
            self._check_size(len(meta), payload_bytes)
            place[payload_bytes : payload_bytes + len(meta)] = meta
            self._words[record + _META_BYTES] = len(meta)
            self._words[record + _PAYLOAD_BYTES] = payload_bytes
            fence()
            self._words[record + _ENDED] = number
            fence()
            self._words[_NEWEST] = number
            is_finished = True
            return number

        self._is_writing = True
        self._words[record + _BEGUN] = number  # from here on a reader of the old value starts over
        fence()
        try:
            yield place, finish
        finally:
            self._is_writing = False
            is_finished = True  # too late from here on

    def read(self, newer_than: int = 0) -> tuple[int, bytes, bytearray] | None:
        """Return number, meta and payload of the newest value, as copies of the caller's own.

        Returns None when no value is newer than number `newer_than`.
        """
        for _ in range(_MAX_TRIES):
            number = self.sequence
            if number <= newer_than:
                return None
            fence()
            value = self._copy(number)
            if value is not None:
                return value
        raise BrokenError(f"mailbox {self.name!r} is damaged; no value in it is whole")

    def close(self) -> None:
        """Let go of the memory; the creator also removes it. Safe to call twice."""
        self._segment.close()
        self._places = []
        self._words = memoryview(b"")

    def _copy(self, number: int) -> tuple[int, bytes, bytearray] | None:
        """Return a value, or None when the writer was at it meanwhile."""
        record, place = _record(number), self._places[number % _SLOTS]
        if self._words[record + _ENDED] != number:
            return None
        fence()
        meta_bytes = self._words[record + _META_BYTES]
        payload_bytes = self._words[record + _PAYLOAD_BYTES]
        payload = bytearray(place[:payload_bytes])
        meta = bytes(place[payload_bytes : payload_bytes + meta_bytes])
        fence()
        if self._words[record + _BEGUN] != number:
            return None
        return number, meta, payload

    def _check_size(self, meta_bytes: int, payload_bytes: int) -> None:
        if payload_bytes < 0 or meta_bytes + payload_bytes > self.value_bytes:
            raise InvalidArgumentError(
                f"{meta_bytes} bytes of meta and {payload_bytes} of payload do not fit into "
                f"mailbox {self.name!r} of {self.value_bytes} bytes"
            )

    def _check_open(self) -> None:
        _ = self._segment.buffer  # raises ClosedError


def _record(number: int) -> int:
    """Return the index of the first word of the record that value `number` uses."""
    return (2 + number % _SLOTS) * LINE_BYTES // 8


def _size_bytes(value_bytes: int) -> int:
    return PAGE_BYTES + _SLOTS * round_up(value_bytes, LINE_BYTES)
