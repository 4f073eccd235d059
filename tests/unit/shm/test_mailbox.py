"""The newest-value mailbox within one process; the race is in tests/process."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.errors import (
    BrokenError,
    ClosedError,
    InvalidArgumentError,
    SegmentLostError,
    WrongStateError,
)
from engine.shm import Mailbox, SlotRing

Ends = tuple[Mailbox, Mailbox]


@pytest.fixture
def ends() -> Iterator[Ends]:
    with Mailbox.create(100, purpose="test") as writer, Mailbox.attach(writer.name) as reader:
        yield writer, reader


def test_an_empty_mailbox_has_nothing_to_read(ends: Ends) -> None:
    _, reader = ends
    assert reader.read() is None
    assert reader.sequence == 0


def test_only_the_newest_value_is_read_and_only_once(ends: Ends) -> None:
    writer, reader = ends
    for number in range(1, 11):
        assert writer.write(b"meta%d" % number, bytes([number]) * 20) == number
    assert reader.sequence == 10
    assert reader.read() == (10, b"meta10", bytearray([10]) * 20)
    assert reader.read(newer_than=10) is None
    assert reader.read(newer_than=9) is not None


def test_what_was_read_is_the_readers_own(ends: Ends) -> None:
    writer, reader = ends
    writer.write(b"", b"first")
    value = reader.read()
    assert value is not None
    for _ in range(10):
        writer.write(b"", b"later")
    assert value[2] == b"first"
    value[2][0] = 0


def test_the_parts_of_a_payload_are_joined(ends: Ends) -> None:
    writer, reader = ends
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    writer.write(b"m", (b"ab", bytearray(b"cd"), picture.data))
    assert reader.read() == (1, b"m", bytearray(b"abcd\x00\x01\x02\x03\x04\x05"))


def test_a_payload_can_be_written_in_place(ends: Ends) -> None:
    writer, reader = ends
    with writer.writing() as (place, finish):
        np.frombuffer(place, np.uint8, count=50)[:] = 8
        assert finish(b"in place", 50) == 1
    assert reader.read() == (1, b"in place", bytearray([8]) * 50)


def test_a_value_that_was_not_finished_is_never_seen(ends: Ends) -> None:
    writer, reader = ends
    for number in range(1, 6):
        writer.write(b"", bytes([number]))
    with writer.writing() as (place, _):
        place[:50] = bytes(50)
    assert reader.read() == (5, b"", bytearray([5]))
    assert writer.write(b"", b"next") == 6
    assert reader.read() == (6, b"", bytearray(b"next"))


def test_a_value_is_finished_once_and_in_time(ends: Ends) -> None:
    writer, _ = ends
    with writer.writing() as (_place, finish):
        finish(b"", 1)
        with pytest.raises(WrongStateError, match="was finished"):
            finish(b"", 1)
    with writer.writing() as (_, late), pytest.raises(WrongStateError, match="being written"):
        writer.write(b"", b"")
    with pytest.raises(WrongStateError, match="was finished"):
        late(b"", 1)
    assert writer.sequence == 1


def test_a_value_fills_the_mailbox_to_the_last_byte_and_no_further(ends: Ends) -> None:
    writer, reader = ends
    writer.write(bytes(40), bytes(60))
    with pytest.raises(InvalidArgumentError, match="do not fit into mailbox"):
        writer.write(bytes(41), bytes(60))
    with writer.writing() as (_, finish), pytest.raises(InvalidArgumentError):
        finish(bytes(41), 60)
    assert reader.read() == (1, bytes(40), bytearray(60))


def test_a_reader_cannot_write(ends: Ends) -> None:
    _, reader = ends
    with pytest.raises(TypeError):
        reader.write(b"", b"x")


def test_another_process_may_be_the_writer(ends: Ends) -> None:
    owner, reader = ends
    with Mailbox.attach(owner.name, is_writer=True) as writer:
        writer.write(b"", b"from elsewhere")
    assert reader.read() == (1, b"", bytearray(b"from elsewhere"))


def test_a_mailbox_whose_newest_value_is_never_whole_is_told_as_damaged(ends: Ends) -> None:
    writer, reader = ends
    writer.write(b"", b"x")
    writer._words[8] = 17  # says that value 17 is the newest, which nobody wrote
    with pytest.raises(BrokenError, match="damaged"):
        reader.read()


def test_a_closed_mailbox_says_so(ends: Ends) -> None:
    writer, reader = ends
    writer.close()
    reader.close()
    reader.close()
    assert reader.is_closed
    with pytest.raises(ClosedError):
        reader.read()
    with pytest.raises(ClosedError):
        writer.write(b"", b"")
    with pytest.raises(SegmentLostError):
        Mailbox.attach(writer.name)


def test_only_a_mailbox_can_be_attached_as_one(ends: Ends) -> None:
    writer, _ = ends
    not_a_mailbox = pytest.raises(SegmentLostError, match="is not a mailbox")
    with SlotRing.create(1, 10, purpose="test") as ring, not_a_mailbox:
        Mailbox.attach(ring.name)
    writer._words[1] = 1 << 40
    with pytest.raises(SegmentLostError, match="smaller than its header says"):
        Mailbox.attach(writer.name)
