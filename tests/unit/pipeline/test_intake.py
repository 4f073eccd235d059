from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Policy
from engine.pipeline.intake import IntakeQueue


@dataclass(frozen=True)
class Frame:
    frame_id: int


def queue(policy: Policy, limit: int = 2) -> IntakeQueue[Frame]:
    return IntakeQueue(policy, limit)


def test_latest_drops_older_waiting_frames_as_superseded() -> None:
    waiting = queue(Policy.LATEST)
    waiting.arrived(Frame(0))

    _, dropped = waiting.arrived(Frame(1))

    assert dropped == [(Frame(0), "superseded")]
    assert waiting.take() == Frame(1)


def test_every_drops_the_new_frame_when_the_queue_is_full() -> None:
    waiting = queue(Policy.EVERY, limit=2)
    for number in range(2):
        assert waiting.arrived(Frame(number)) == (0, [])

    assert waiting.arrived(Frame(2)) == (0, [(Frame(2), "queue_full")])
    assert [waiting.take(), waiting.take()] == [Frame(0), Frame(1)]


def test_block_never_drops() -> None:
    waiting = queue(Policy.BLOCK, limit=1)

    assert [waiting.arrived(Frame(n)) for n in range(50)] == [(0, [])] * 50
    assert [waiting.take().frame_id for _ in range(50)] == list(range(50))


def test_gaps_in_the_numbers_are_frames_the_source_skipped() -> None:
    waiting = queue(Policy.EVERY, limit=9)

    assert waiting.arrived(Frame(2))[0] == 2
    assert waiting.arrived(Frame(3))[0] == 0
    assert waiting.arrived(Frame(7))[0] == 3
    assert waiting.skipped_before(10) == 2


@given(
    policy=st.sampled_from(Policy),
    steps=st.lists(st.one_of(st.integers(1, 4), st.just(0)), max_size=60),
)
def test_no_frame_is_lost_or_doubled(policy: Policy, steps: list[int]) -> None:
    """A positive step delivers a frame that many numbers later, 0 takes one."""
    waiting = queue(policy)
    number, skipped_total = -1, 0
    dropped: list[Frame] = []
    taken: list[Frame] = []
    for step in steps:
        if step:
            number += step
            skipped, lost = waiting.arrived(Frame(number))
            skipped_total += skipped
            dropped += [frame for frame, _ in lost]
        elif len(waiting):
            taken.append(waiting.take())
    rest = waiting.clear()

    assert skipped_total + len(dropped) + len(taken) + len(rest) == number + 1
    delivered = [frame.frame_id for frame in taken + rest]
    assert delivered == sorted(set(delivered))


@pytest.mark.parametrize("policy", list(Policy))
def test_clear_returns_what_waits(policy: Policy) -> None:
    waiting = queue(policy)
    waiting.arrived(Frame(0))

    assert waiting.clear() == [Frame(0)]
    assert len(waiting) == 0
