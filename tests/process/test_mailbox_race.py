"""A mailbox between two processes at full speed: no reader ever sees a torn value."""

import sys
import time

import numpy as np
import pytest

from engine.process import Channel, ChildProcess
from engine.shm import Mailbox

SECONDS = 1.0

WRITER = """
import sys
import numpy as np
from engine.process import Channel
from engine.shm import Mailbox
channel = Channel.from_fd(int(sys.argv[1]))
box = Mailbox.attach(sys.argv[2], is_writer=True)
size, in_place = int(sys.argv[3]), sys.argv[4] == "in place"
number = box.sequence
while channel.recv_bytes(0) is None:
    for _ in range(20):
        number += 1
        meta = number.to_bytes(8, "little")
        if in_place:
            with box.writing() as (place, finish):
                np.frombuffer(place, np.uint8, count=size).fill(number % 251)
                finish(meta, size)
        else:
            box.write(meta, bytes([number % 251]) * size)
channel.send_bytes(number.to_bytes(8, "little"))
"""


@pytest.mark.parametrize(
    ("size", "way"), [(64, "copied"), (20_000, "in place"), (640 * 360 * 4, "in place")]
)
def test_every_value_read_is_whole_and_newer_than_the_last(size: int, way: str) -> None:
    ours, theirs = Channel.pair()
    with Mailbox.create(size + 8, purpose="race") as box, ours:
        with theirs:
            argv = [sys.executable, "-c", WRITER, str(theirs.fileno()), box.name, str(size), way]
            writer = ChildProcess("writer", argv, pass_fds=[theirs.fileno()])
        with writer:
            reads = _read_for(SECONDS, box, size)
            ours.send_bytes(b"stop")
            answer = ours.recv_bytes(10)
            assert answer is not None, writer.stderr_tail()
            written = int.from_bytes(answer, "little")
            assert writer.wait(5).is_clean
        last = box.read()
        assert last is not None
        assert last[0] == written
        assert 20 < reads <= written
        assert written > 100


def _read_for(seconds: float, box: Mailbox, size: int) -> int:
    end = None
    reads = newest = 0
    give_up = time.monotonic() + 20
    while end is None or time.monotonic() < end:
        assert time.monotonic() < give_up
        value = box.read(newer_than=newest)
        if value is None:
            continue
        end = end or time.monotonic() + seconds  # the clock starts with the first value
        number, meta, payload = value
        assert number > newest
        assert int.from_bytes(meta, "little") == number
        pixels = np.frombuffer(payload, np.uint8)
        assert pixels.shape == (size,)
        assert pixels.min() == pixels.max() == number % 251
        newest = number
        reads += 1
    return reads
