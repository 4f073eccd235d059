"""A slot ring under every order of events: slow readers, deaths, restarts."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from engine.shm import SlotRing, SlotState

_SLOT_BYTES = 96


def pattern(number: int) -> bytes:
    return number.to_bytes(4, "little") * (_SLOT_BYTES // 4)


class RingMachine(RuleBasedStateMachine):
    """One producer and one consumer, each with its own mapping of the ring."""

    announced = Bundle("announced")
    """Messages under way from the producer to the consumer: (generation, slot, number)."""

    @initialize(slots=st.integers(1, 5))
    def begin(self, slots: int) -> None:
        self.owner = SlotRing.create(slots, _SLOT_BYTES, purpose="machine")
        self.producer = SlotRing.attach(self.owner.name)
        self.consumer = SlotRing.attach(self.owner.name)
        self.slots = slots
        self.number = 0
        self.generation = 0  # a new consumer knows nothing of the messages to the old one
        self.writing: dict[int, bytes] = {}
        self.ready: dict[int, int] = {}
        self.reading: dict[int, tuple[memoryview, int]] = {}
        self.sent = self.read = self.forfeited = 0

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            for ring in (self.producer, self.consumer, self.owner):
                ring.close()

    @rule()
    def acquire_and_write_half(self) -> None:
        slot = self.producer.acquire()
        if slot is None:
            assert len(self.writing) + len(self.ready) + len(self.reading) == self.slots
            return
        assert slot not in self.writing
        assert slot not in self.ready
        assert slot not in self.reading  # never under a reader's hands
        self.number += 1
        self.writing[slot] = pattern(self.number)
        self.producer.buffer(slot)[: _SLOT_BYTES // 2] = pattern(self.number)[: _SLOT_BYTES // 2]

    @rule(target=announced, data=st.data())
    def finish_and_commit(self, data: st.DataObject) -> object:
        if not self.writing:
            return multiple()
        slot = data.draw(st.sampled_from(sorted(self.writing)))
        content = self.writing.pop(slot)
        self.producer.buffer(slot)[:] = content
        number = int.from_bytes(content[:4], "little")
        self.producer.commit(slot, number)
        self.ready[slot] = number
        self.sent += 1
        return (self.generation, slot, number)

    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        if self.writing:
            slot = data.draw(st.sampled_from(sorted(self.writing)))
            del self.writing[slot]
            self.producer.abandon(slot)

    @rule(message=consumes(announced))
    def take(self, message: tuple[int, int, int]) -> None:
        generation, slot, number = message
        if generation != self.generation:
            return
        assert self.ready.pop(slot) == number
        view = self.consumer.take(slot)
        assert self.consumer.sequence(slot) == number
        self.reading[slot] = (view, number)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Reading may last any number of steps: this is the slow reader."""
        if self.reading:
            slot = data.draw(st.sampled_from(sorted(self.reading)))
            del self.reading[slot]
            self.consumer.release(slot)
            self.read += 1

    @rule()
    def kill_the_producer(self) -> None:
        self.producer.close()
        assert sorted(self.consumer.forfeit_producer()) == sorted(self.writing)
        self.writing.clear()
        self.producer = SlotRing.attach(self.owner.name)

    @rule()
    def kill_the_consumer(self) -> None:
        lost = sorted([*self.ready, *self.reading])
        self.reading.clear()
        self.consumer.close()
        assert sorted(self.producer.forfeit_consumer()) == lost
        self.forfeited += len(lost)
        self.ready.clear()
        self.generation += 1
        self.consumer = SlotRing.attach(self.owner.name)

    @invariant()
    def nothing_changes_under_a_reader(self) -> None:
        for view, number in getattr(self, "reading", {}).values():
            assert bytes(view) == pattern(number)

    @invariant()
    def slots_add_up(self) -> None:
        if not hasattr(self, "owner"):
            return
        expected = {
            SlotState.WRITING: len(self.writing),
            SlotState.READY: len(self.ready),
            SlotState.READING: len(self.reading),
        }
        expected[SlotState.FREE] = self.slots - sum(expected.values())
        assert self.owner.counts() == expected

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if hasattr(self, "owner"):
            under_way = len(self.ready) + len(self.reading)
            assert self.sent == self.read + self.forfeited + under_way


TestSlotRing = RingMachine.TestCase
TestSlotRing.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
