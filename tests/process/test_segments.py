"""Segments whose owners and readers are killed."""

import os
import signal
import sys
from pathlib import Path

import pytest

from engine.errors import SegmentLostError
from engine.process import Channel, ChildProcess, PeerGoneError
from engine.shm import Mailbox, Segment, SlotRing, SlotState, reap, reap_owner, segment_folder

OWNER = """
import sys
from engine.process import Channel
from engine.shm import Segment
channel = Channel.from_fd(int(sys.argv[1]))
segment = Segment.create(5000, purpose="owner")
segment.buffer[:3] = b"abc"
channel.send_bytes(segment.name.encode())
channel.recv_bytes()
"""

READER = """
import sys
from engine.process import Channel
from engine.shm import Segment
channel = Channel.from_fd(int(sys.argv[1]))
segment = Segment.attach(sys.argv[2])
channel.send_bytes(bytes(segment.buffer[:3]))
channel.recv_bytes()
"""

PRODUCER = """
import os, signal, sys
from engine.process import Channel
from engine.shm import SlotRing
channel = Channel.from_fd(int(sys.argv[1]))
ring = SlotRing.attach(sys.argv[2])
for number in range(2):
    slot = ring.acquire()
    ring.buffer(slot)[:] = bytes([number + 1]) * ring.slot_bytes
    ring.commit(slot, number)
    channel.send_bytes(bytes([slot]))
ring.buffer(ring.acquire())[:5] = b"12345"
os.kill(os.getpid(), signal.SIGKILL)
"""

MAILBOX_WRITER = """
import sys
from engine.process import Channel
from engine.shm import Mailbox
channel = Channel.from_fd(int(sys.argv[1]))
box = Mailbox.attach(sys.argv[2], is_writer=True)
box.write(b"whole", b"value")
with box.writing() as (place, finish):
    place[:5] = b"parts"
    channel.send_bytes(b"in the middle")
    channel.recv_bytes()
"""


def start(code: str, *args: str) -> tuple[ChildProcess, Channel]:
    ours, theirs = Channel.pair()
    with theirs:
        argv = [sys.executable, "-c", code, str(theirs.fileno()), *args]
        child = ChildProcess("test child", argv, pass_fds=[theirs.fileno()])
    return child, ours


def kill(child: ChildProcess) -> None:
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(5).signal_name == "SIGKILL"


def received(channel: Channel) -> bytes:
    data = channel.recv_bytes(10)
    assert data is not None
    return data


def test_the_segment_of_a_killed_owner_is_reaped_and_those_of_the_living_are_not() -> None:
    first, first_line = start(OWNER)
    second, second_line = start(OWNER)
    with first, first_line, second, second_line:
        dead, alive = received(first_line).decode(), received(second_line).decode()
        kill(first)
        assert (segment_folder() / dead).exists()
        removed = reap()
        assert dead in removed
        assert alive not in removed
        assert not (segment_folder() / dead).exists()
        assert (segment_folder() / alive).exists()
        kill(second)
        assert reap_owner(second.pid) == [alive]
        assert reap_owner(second.pid) == []


def test_a_reader_keeps_the_memory_of_a_killed_and_reaped_owner() -> None:
    owner, line = start(OWNER)
    with owner, line:
        name = received(line).decode()
        with Segment.attach(name) as segment:
            kill(owner)
            reap_owner(owner.pid)
            assert bytes(segment.buffer[:3]) == b"abc"
            with pytest.raises(SegmentLostError):
                Segment.attach(name)


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_the_end_of_a_reader_leaves_the_segment_as_it_is(end: str) -> None:
    with Segment.create(5000, purpose="test") as segment:
        segment.buffer[:3] = b"xyz"
        reader, line = start(READER, segment.name)
        with reader, line:
            assert received(line) == b"xyz"
            if end == "kill":
                kill(reader)
            else:
                line.send_bytes(b"go")
                assert reader.wait(5).is_clean
        with Segment.attach(segment.name) as again:
            assert bytes(again.buffer[:3]) == b"xyz"


def test_a_forked_copy_of_the_owner_does_not_remove_the_segment() -> None:
    code = """
import os, sys
from engine.shm import Segment, segment_folder
segment = Segment.create(100, purpose="test")
pid = os.fork()
if pid == 0:
    segment.close()
    os._exit(0)
os.waitpid(pid, 0)
is_there = (segment_folder() / segment.name).exists()
segment.close()
sys.exit(0 if is_there else 1)
"""
    with ChildProcess("forker", [sys.executable, "-W", "ignore", "-c", code]) as child:
        assert child.wait(10).is_clean, child.stderr_tail()


def test_a_killed_producer_costs_the_half_written_slot_and_no_finished_one() -> None:
    with SlotRing.create(4, 1000, purpose="test") as ring:
        producer, line = start(PRODUCER, ring.name)
        with producer, line:
            assert producer.wait(10).signal_name == "SIGKILL"
            slots = [received(line)[0], received(line)[0]]
            with pytest.raises(PeerGoneError):
                line.recv_bytes(5)
        assert ring.counts()[SlotState.WRITING] == 1
        assert len(ring.forfeit_producer()) == 1
        for number, slot in enumerate(slots):
            assert ring.sequence(slot) == number
            assert bytes(ring.take(slot)) == bytes([number + 1]) * 1000
            ring.release(slot)
        assert ring.counts()[SlotState.FREE] == 4


def test_a_writer_killed_in_the_middle_leaves_the_last_whole_value() -> None:
    with Mailbox.create(100, purpose="test") as box:
        writer, line = start(MAILBOX_WRITER, box.name)
        with writer, line:
            assert received(line) == b"in the middle"
            kill(writer)
        assert box.read() == (1, b"whole", bytearray(b"value"))
        box.write(b"", b"after")
        assert box.read() == (2, b"", bytearray(b"after"))


def test_nothing_is_written_to_standard_error_when_a_process_with_segments_exits() -> None:
    code = """
from engine.shm import Mailbox, SlotRing
ring = SlotRing.create(2, 100, purpose="test")
box = Mailbox.create(100, purpose="test")
view = ring.buffer(ring.acquire())
other = SlotRing.attach(ring.name)
for thing in (ring, box, other):
    thing.close()
"""
    argv = [sys.executable, "-W", "error", "-c", code]
    with ChildProcess("user", argv) as child:
        assert child.wait(10).is_clean
        assert child.stderr_tail() == ""


def test_importing_starts_and_opens_nothing() -> None:
    code = """
import os, threading
before = len(os.listdir("/proc/self/fd"))
import engine.process, engine.shm
assert len(os.listdir("/proc/self/fd")) == before
assert threading.active_count() == 1
"""
    assert Path("/proc/self/fd").is_dir()
    with ChildProcess("importer", [sys.executable, "-c", code]) as child:
        assert child.wait(10).is_clean, child.stderr_tail()
