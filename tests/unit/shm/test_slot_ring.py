"""The slot ring, both ends in one process."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.errors import (
    BrokenError,
    ClosedError,
    InvalidArgumentError,
    OutputError,
    SegmentLostError,
    WrongStateError,
)
from engine.shm import Mailbox, Segment, SlotRing, SlotState, layout

Ends = tuple[SlotRing, SlotRing]


@pytest.fixture
def ends() -> Iterator[Ends]:
    with SlotRing.create(3, 1000, purpose="test") as ours, SlotRing.attach(ours.name) as theirs:
        yield ours, theirs


def test_both_ends_agree_on_the_shape(ends: Ends) -> None:
    producer, consumer = ends
    assert (consumer.slots, consumer.slot_bytes) == (producer.slots, producer.slot_bytes)
    assert (consumer.slots, consumer.slot_bytes) == (3, 1000)


def test_a_frame_arrives_without_a_copy_and_cannot_be_written_by_its_reader(ends: Ends) -> None:
    producer, consumer = ends
    slot = producer.acquire()
    assert slot is not None
    np.frombuffer(producer.buffer(slot), np.uint8)[:] = 7
    producer.commit(slot, 41)
    frame = np.frombuffer(consumer.take(slot), np.uint8)
    assert frame.shape == (1000,)
    assert frame.tolist() == [7] * 1000
    assert consumer.sequence(slot) == 41
    assert not frame.flags.writeable


def test_every_slot_begins_at_a_multiple_of_64_bytes_and_touches_no_other(ends: Ends) -> None:
    producer, consumer = ends
    for value in range(3):
        slot = producer.acquire()
        assert slot is not None
        frame = np.frombuffer(producer.buffer(slot), np.uint8)
        assert frame.ctypes.data % 64 == 0
        frame[:] = value + 1
        producer.commit(slot, value)
    for slot in range(3):
        assert set(consumer.take(slot)) == {slot + 1}


def test_acquire_says_none_when_no_slot_is_free_and_goes_on_after_a_release(ends: Ends) -> None:
    producer, consumer = ends
    slots = [producer.acquire() for _ in range(4)]
    assert slots == [0, 1, 2, None]
    producer.commit(1, 0)
    consumer.take(1)
    consumer.release(1)
    assert producer.acquire() == 1


def test_slots_are_used_in_turn(ends: Ends) -> None:
    producer, _ = ends
    used = []
    for _ in range(6):
        slot = producer.acquire()
        assert slot is not None
        used.append(slot)
        producer.abandon(slot)
    assert used == [0, 1, 2, 0, 1, 2]


def test_counts_add_up_to_the_number_of_slots(ends: Ends) -> None:
    producer, consumer = ends
    producer.acquire()
    producer.acquire()
    producer.commit(0, 0)
    assert consumer.counts() == {
        SlotState.FREE: 1,
        SlotState.WRITING: 1,
        SlotState.READY: 1,
        SlotState.READING: 0,
    }


def test_a_step_out_of_order_is_refused_and_tells_what_went_before(ends: Ends) -> None:
    producer, consumer = ends
    with pytest.raises(WrongStateError, match="take is not possible while the slot is FREE"):
        consumer.take(0)
    with pytest.raises(WrongStateError, match="acquire it before writing"):
        producer.buffer(0)
    producer.acquire()
    with pytest.raises(WrongStateError, match=r"release is not .* before that: acquire 0"):
        producer.release(0)
    producer.commit(0, 5)
    with pytest.raises(WrongStateError):
        producer.commit(0, 6)
    assert consumer.sequence(0) == 5
    with pytest.raises(WrongStateError):
        producer.buffer(0)


@pytest.mark.parametrize("slot", [-1, 3])
def test_a_slot_that_does_not_exist_is_refused(ends: Ends, slot: int) -> None:
    producer, consumer = ends
    for call in (producer.buffer, producer.abandon, consumer.take, consumer.release):
        with pytest.raises(InvalidArgumentError, match="the ring has 3"):
            call(slot)
    with pytest.raises(InvalidArgumentError):
        producer.commit(slot, 0)


def test_a_lost_producer_costs_only_the_slot_it_was_writing(ends: Ends) -> None:
    producer, consumer = ends
    producer.acquire()
    producer.acquire()
    producer.commit(0, 9)
    assert consumer.forfeit_producer() == [1]
    assert consumer.take(0) is not None
    assert consumer.counts()[SlotState.FREE] == 2


def test_a_lost_consumer_gives_everything_back(ends: Ends) -> None:
    producer, consumer = ends
    for slot in range(2):
        assert producer.acquire() == slot
        producer.commit(slot, slot)
    consumer.take(0)
    assert producer.forfeit_consumer() == [0, 1]
    assert producer.counts()[SlotState.FREE] == 3


def test_a_damaged_state_is_told_as_somebody_elses_fault(ends: Ends) -> None:
    producer, consumer = ends
    producer._words[8] = 200
    with pytest.raises(BrokenError, match="no known state"):
        consumer.counts()


def test_frames_stay_readable_after_close_and_nothing_else_works() -> None:
    ring = SlotRing.create(1, 100, purpose="test")
    slot = ring.acquire()
    assert slot == 0
    frame = np.frombuffer(ring.buffer(0), np.uint8)
    frame[:] = 3
    ring.close()
    ring.close()
    assert frame.sum() == 300
    assert ring.is_closed
    for call in (ring.acquire, ring.counts, ring.forfeit_producer):
        with pytest.raises(ClosedError):
            call()
    with pytest.raises(SegmentLostError):
        SlotRing.attach(ring.name)


def test_only_a_slot_ring_can_be_attached_as_one() -> None:
    sentence = "is not a slot ring"
    with (
        Mailbox.create(100, purpose="test") as box,
        pytest.raises(SegmentLostError, match=sentence),
    ):
        SlotRing.attach(box.name)
    with (
        Segment.create(10, purpose="test") as small,
        pytest.raises(SegmentLostError, match=sentence),
    ):
        SlotRing.attach(small.name)


def test_a_header_that_promises_more_than_there_is_is_refused(ends: Ends) -> None:
    producer, _ = ends
    producer._words[2] = 1 << 40
    with pytest.raises(SegmentLostError, match="smaller than its header says"):
        SlotRing.attach(producer.name)


def test_a_ring_of_many_slots_keeps_their_records_apart() -> None:
    with SlotRing.create(200, 8, purpose="test") as ring:
        for number in range(200):
            slot = ring.acquire()
            assert slot is not None
            ring.buffer(slot)[:] = number.to_bytes(8, "little")
            ring.commit(slot, number)
        taken = [int.from_bytes(ring.take(slot), "little") for slot in range(200)]
        assert taken == [ring.sequence(slot) for slot in range(200)] == list(range(200))


@pytest.mark.parametrize(("slots", "slot_bytes"), [(0, 100), (2, 0), (-1, 5)])
def test_a_ring_without_slots_or_bytes_is_refused(slots: int, slot_bytes: int) -> None:
    with pytest.raises(InvalidArgumentError, match="must be at least 1"):
        SlotRing.create(slots, slot_bytes, purpose="test")


def test_a_ring_larger_than_the_memory_gives_a_sentence() -> None:
    with pytest.raises(OutputError, match="no shared memory for 'ring of cam1'"):
        SlotRing.create(1000, 1 << 40, purpose="ring of cam1")


def test_a_processor_that_reorders_memory_gets_fences(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer, consumer = ends
    monkeypatch.setattr(layout, "_KEEPS_ORDER", False)
    slot = producer.acquire()
    assert slot is not None
    producer.commit(slot, 1)
    consumer.take(slot)
    consumer.release(slot)
    assert consumer.counts()[SlotState.FREE] == 3
