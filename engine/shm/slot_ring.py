"""Slots of equal size that go round between one producer process and one consumer process."""

from collections import deque
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
from engine.shm.slot_states import MOVES, SlotEvent, SlotState, next_state

__all__ = ("SlotRing",)

_MAGIC = int.from_bytes(b"PNSKRNG1", "little")
_SLOTS, _SLOT_BYTES = 1, 2  # words of the first line, after the magic
_WORDS_PER_LINE = LINE_BYTES // 8
_STORY_LENGTH = 20


class SlotRing:
    """Hand frames from one process to another without copying them.

    Each slot goes FREE > WRITING > READY > READING > FREE. The producer moves it out of the first
    two states, the consumer out of the others, so that neither needs a lock. How the consumer
    learns of a READY slot (a message, a doorbell) is the caller's affair. One thread of the
    producer calls `acquire`; different slots may be taken and released by different threads.

    Attributes
    ----------
    slots : number of slots.
    slot_bytes : size of each; its memory begins at a multiple of 64 bytes.
    """

    def __init__(self, segment: Segment, slots: int, slot_bytes: int) -> None:
        self.slots = slots
        self.slot_bytes = slot_bytes
        self._segment = segment
        self._words = words_of(segment, _header_bytes(slots))
        self._next = 0
        self._story: deque[str] = deque(maxlen=_STORY_LENGTH)
        begin, stride = _header_bytes(slots), round_up(slot_bytes, LINE_BYTES)
        offsets = [begin + stride * slot for slot in range(slots)]
        self._payloads = [segment.buffer[offset : offset + slot_bytes] for offset in offsets]

    @classmethod
    def create(cls, slots: int, slot_bytes: int, *, purpose: str) -> Self:
        """Make a ring of free slots; this process owns its memory.

        Raises
        ------
        OutputError : there is not enough shared memory.
        """
        check_positive(slots=slots, slot_bytes=slot_bytes)
        segment = Segment.create(_size_bytes(slots, slot_bytes), purpose=purpose)
        words = words_of(segment, LINE_BYTES)
        words[_SLOTS], words[_SLOT_BYTES] = slots, slot_bytes
        fence()
        words[0] = _MAGIC
        return cls(segment, slots, slot_bytes)

    @classmethod
    def attach(cls, name: str) -> Self:
        """Use a ring that another process made.

        Raises
        ------
        SegmentLostError : there is no ring of that name.
        """
        segment = Segment.attach(name)
        check_header(segment, _MAGIC, "slot ring")
        words = words_of(segment, LINE_BYTES)
        slots, slot_bytes = words[_SLOTS], words[_SLOT_BYTES]
        if not slots or not slot_bytes or _size_bytes(slots, slot_bytes) > segment.size_bytes:
            segment.close()
            raise SegmentLostError(f"slot ring {name!r} is smaller than its header says", name=name)
        return cls(segment, slots, slot_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Under which the other process attaches."""
        return self._segment.name

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._segment.is_closed

    def acquire(self) -> int | None:
        """Return a slot to write (FREE > WRITING), or None when none is free. Producer."""
        self._check_open()
        for step in range(self.slots):
            slot = (self._next + step) % self.slots
            if self.state(slot) is SlotState.FREE:
                self._next = (slot + 1) % self.slots
                self._move(slot, SlotEvent.ACQUIRE)
                return slot
        return None

    def buffer(self, slot: int) -> memoryview:
        """Return the bytes of a slot that is being written. Producer.

        Raises
        ------
        WrongStateError : the slot was not acquired.
        """
        payload = self._payload(slot)
        if (state := self.state(slot)) is not SlotState.WRITING:
            raise WrongStateError(f"slot {slot} is {state.name}; acquire it before writing")
        return payload

    def commit(self, slot: int, sequence: int) -> None:
        """Give a written slot to the consumer (WRITING > READY). Producer."""
        self._payload(slot)
        if self.state(slot) is SlotState.WRITING:
            self._words[_record(slot) + 1] = sequence
        self._move(slot, SlotEvent.COMMIT)

    def abandon(self, slot: int) -> None:
        """Give a slot back unused (WRITING > FREE). Producer."""
        self._move(slot, SlotEvent.ABANDON)

    def take(self, slot: int) -> memoryview:
        """Return the bytes of a ready slot, read-only (READY > READING). Consumer.

        Raises
        ------
        WrongStateError : the slot is not READY.
        """
        self._move(slot, SlotEvent.TAKE)
        return self._payload(slot).toreadonly()

    def release(self, slot: int) -> None:
        """Give a slot back to the producer (READING > FREE); its bytes are not ours any more."""
        self._move(slot, SlotEvent.RELEASE)

    def forfeit_producer(self) -> list[int]:
        """Free what a dead producer was writing, and return these slots."""
        return self._forfeit(SlotEvent.PRODUCER_LOST)

    def forfeit_consumer(self) -> list[int]:
        """Free what a dead consumer had not released, taken or not, and return these slots."""
        return self._forfeit(SlotEvent.CONSUMER_LOST)

    def sequence(self, slot: int) -> int:
        """Return the number the slot was last committed with."""
        self._payload(slot)
        return int(self._words[_record(slot) + 1])

    def state(self, slot: int) -> SlotState:
        """Return the state of a slot at this moment."""
        self._payload(slot)
        value = self._words[_record(slot)]
        try:
            return SlotState(value)
        except ValueError:
            raise BrokenError(
                f"slot {slot} of ring {self.name!r} is in no known state ({value}); "
                "another process has damaged it, restart the stream",
                slot=slot,
            ) from None

    def counts(self) -> dict[SlotState, int]:
        """Return how many slots are in each state; the numbers add up to `slots`."""
        states = [self.state(slot) for slot in range(self.slots)]
        return {state: states.count(state) for state in SlotState}

    def close(self) -> None:
        """Let go of the memory; the creator also removes it. Views keep what they need."""
        self._segment.close()
        self._payloads = []
        self._words = memoryview(b"")

    def _move(self, slot: int, event: SlotEvent) -> None:
        self._payload(slot)
        state = self.state(slot)
        try:
            following = next_state(state, event)
        except WrongStateError as error:
            story = ", ".join(self._story) or "nothing"
            raise WrongStateError(
                f"slot {slot} of ring {self.name!r}: {error}; before that: {story}",
                slot=slot,
                **error.details,
            ) from None
        self._story.append(f"{event} {slot}")
        fence()  # what was done to the bytes comes before the new state
        self._words[_record(slot)] = following
        fence()  # what the new state allows comes after it

    def _forfeit(self, event: SlotEvent) -> list[int]:
        self._check_open()
        lost = [slot for slot in range(self.slots) if event in MOVES[self.state(slot)]]
        for slot in lost:
            self._move(slot, event)
        return lost

    def _payload(self, slot: int) -> memoryview:
        self._check_open()
        if not 0 <= slot < self.slots:
            raise InvalidArgumentError(f"there is no slot {slot}; the ring has {self.slots}")
        return self._payloads[slot]

    def _check_open(self) -> None:
        _ = self._segment.buffer  # raises ClosedError


def _record(slot: int) -> int:
    """Return the index of a slot's first word: its state; the second is its sequence number."""
    return (slot + 1) * _WORDS_PER_LINE


def _header_bytes(slots: int) -> int:
    return round_up((slots + 1) * LINE_BYTES, PAGE_BYTES)


def _size_bytes(slots: int, slot_bytes: int) -> int:
    return _header_bytes(slots) + slots * round_up(slot_bytes, LINE_BYTES)
