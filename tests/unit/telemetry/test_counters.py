"""Frame counters balance, whatever happens in whatever order."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineBugError
from engine.telemetry import CounterSnapshot, StreamCounters


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("in"), st.integers(1, 5)),
            st.tuples(st.just("out"), st.just(1)),
            st.tuples(st.sampled_from(["superseded", "skipped", "failed"]), st.integers(1, 5)),
        )
    )
)
def test_counters_balance_after_any_sequence_of_events(events: list[tuple[str, int]]) -> None:
    counters = StreamCounters()
    under_way = 0
    frames_in = frames_out = 0
    for what, n in events:
        if what == "in":
            counters.frame_in(n)
            under_way += n
            frames_in += n
        elif under_way >= n:
            under_way -= n
            if what == "out":
                counters.frame_out()
                frames_out += 1
            else:
                counters.dropped(what, n)
        now = counters.check(in_flight=under_way)
        assert now.frames_in == frames_in == now.frames_out + sum(now.dropped.values()) + under_way
        assert now.frames_out == frames_out


def test_drops_are_kept_apart_by_reason() -> None:
    counters = StreamCounters()
    counters.frame_in(6)
    counters.dropped("superseded", 2)
    counters.dropped("queue_full")
    counters.dropped("superseded")
    counters.frame_out()

    expected = CounterSnapshot(6, 1, {"superseded": 3, "queue_full": 1}, 1)
    assert counters.snapshot() == expected


def test_dropping_no_frame_leaves_no_reason_behind() -> None:
    counters = StreamCounters()
    counters.dropped("superseded", 0)
    assert counters.snapshot().dropped == {}


def test_a_snapshot_does_not_change_afterwards() -> None:
    counters = StreamCounters()
    counters.frame_in()
    before = counters.snapshot()
    counters.dropped("failed")
    assert before.dropped == {}


def test_a_result_that_was_counted_twice_is_found() -> None:
    counters = StreamCounters()
    counters.frame_in()
    counters.frame_out()
    counters.frame_out()
    with pytest.raises(EngineBugError, match=r"do not balance: 1 in, 2 out"):
        counters.check()


def test_a_frame_that_nobody_holds_any_more_is_found() -> None:
    counters = StreamCounters()
    counters.frame_in(3)
    counters.frame_out()
    with pytest.raises(EngineBugError, match=r"0 frames are under way .* 2 in flight"):
        counters.check(in_flight=0)


def test_no_event_of_any_thread_is_lost_and_every_snapshot_balances() -> None:
    counters = StreamCounters()
    rounds, threads = 2000, 4
    ready = threading.Barrier(threads + 1)

    def work(reason: str) -> None:
        ready.wait()
        for _ in range(rounds):
            counters.frame_in(2)
            counters.frame_out()
            counters.dropped(reason)

    workers = [
        threading.Thread(target=work, args=(f"r{i % 2}",), name=f"work-{i}") for i in range(threads)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    while any(worker.is_alive() for worker in workers):
        counters.check()
    for worker in workers:
        worker.join(10)

    half = rounds * threads // 2
    assert counters.check(in_flight=0) == (4 * half, 2 * half, {"r0": half, "r1": half}, 0)
