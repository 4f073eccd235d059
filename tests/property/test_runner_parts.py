"""The runner's pure parts under every order of events: reordering, spans of memory, pace."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from engine.errors import EngineBugError
from engine.runner._pace import MAX_PARCEL_ITEMS, Pace, parcels_ahead
from engine.runner._reorder import Arrivals, ReorderWindow
from engine.runner._spans import PIECE_BYTES, SpanTable


@st.composite
def runs_in_any_order(draw: st.DrawFn) -> tuple[int, list[tuple[int, list[int]]]]:
    """Return a number of items, and their results cut into runs that come in any order."""
    count = draw(st.integers(0, 60))
    cuts = sorted(draw(st.sets(st.integers(0, count), max_size=20)) | {0, count})
    runs = [(begin, list(range(begin, end))) for begin, end in pairwise(cuts) if begin < end]
    return count, draw(st.permutations(runs))


@given(runs_in_any_order())
def test_the_window_gives_everything_once_in_order_and_holds_nothing_it_could_give(
    case: tuple[int, list[tuple[int, list[int]]]],
) -> None:
    count, runs = case
    window: ReorderWindow[int] = ReorderWindow()
    given_out: list[int] = []
    came: set[int] = set()
    for first, values in runs:
        came.update(values)
        for begin, ready in window.add(first, values):
            assert begin == len(given_out)
            given_out += ready
        unbroken = next(n for n in range(count + 1) if n not in came)
        assert len(given_out) == unbroken
        assert window.held == len(came) - unbroken
    assert given_out == list(range(count))


@given(runs_in_any_order())
def test_without_order_every_run_passes_at_once(
    case: tuple[int, list[tuple[int, list[int]]]],
) -> None:
    arrivals: Arrivals[int] = Arrivals()
    for first, values in case[1]:
        assert list(arrivals.add(first, values)) == [(first, values)]
        assert arrivals.held == 0


def test_a_result_that_comes_twice_is_a_bug() -> None:
    window: ReorderWindow[str] = ReorderWindow()
    window.add(0, ["a"])
    with pytest.raises(EngineBugError, match="item 0 came twice"):
        window.add(0, ["a"])


class SpanMachine(RuleBasedStateMachine):
    """Take and give back in every order."""

    size = 20 * PIECE_BYTES
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.table = SpanTable(self.size)
        self.used: dict[int, int] = {}

    @rule(target=held, size=st.integers(1, 8 * PIECE_BYTES))
    def take(self, size: int) -> Any:
        begin = self.table.take(size)
        needed = -(-size // PIECE_BYTES) * PIECE_BYTES
        if begin is None:
            assert needed > self.largest_gap()
            return multiple()
        assert begin % PIECE_BYTES == 0
        assert begin + needed <= self.size
        assert all(
            begin + needed <= other or other + used <= begin for other, used in self.used.items()
        )
        self.used[begin] = needed
        return begin

    @rule(begin=consumes(held))
    def give_back(self, begin: int) -> None:
        self.table.give_back(begin)
        del self.used[begin]

    @rule(begin=st.integers(0, 25).map(lambda n: n * PIECE_BYTES))
    def give_back_what_is_not_in_use(self, begin: int) -> None:
        if begin not in self.used:
            with pytest.raises(EngineBugError):
                self.table.give_back(begin)

    @invariant()
    def used_bytes_are_counted(self) -> None:
        assert self.table.used_bytes == sum(self.used.values())

    def largest_gap(self) -> int:
        edges = [(0, 0), *sorted(self.used.items()), (self.size, 0)]
        return max(after - (begin + used) for (begin, used), (after, _) in pairwise(edges))

    def teardown(self) -> None:
        for begin in self.used:
            self.table.give_back(begin)
        assert self.table.take(self.size) == 0  # whole again


TestSpans = SpanMachine.TestCase

SECONDS = st.floats(1e-7, 100)
ITEM_BYTES = st.integers(0, 100_000_000)


@given(st.lists(st.tuples(SECONDS, ITEM_BYTES), min_size=1))
def test_parcels_at_most_double_and_stay_within_bounds(
    measured: list[tuple[float, int]],
) -> None:
    pace = Pace()
    for item_s, item_bytes in measured:
        before = pace.items
        pace.worked(before, item_s * before, item_bytes * before)
        assert 1 <= pace.items <= min(2 * before, MAX_PARCEL_ITEMS)
        assert pace.depth in {1, 2}


@given(SECONDS, ITEM_BYTES)
def test_a_parcel_soon_holds_a_millisecond_of_work_or_two_megabytes(
    item_s: float, item_bytes: int
) -> None:
    pace = Pace()
    for _ in range(12):
        pace.worked(pace.items, item_s * pace.items, item_bytes * pace.items)
    limit = min(0.001 / item_s, 2_000_000 / max(1, item_bytes), MAX_PARCEL_ITEMS)
    assert pace.items == max(1, int(limit * (1 + 1e-9)))


@given(st.floats(0.01, 100))
def test_one_slow_item_makes_the_next_parcel_small(item_s: float) -> None:
    pace = Pace()
    for _ in range(12):
        pace.worked(pace.items, 1e-6 * pace.items, 0)
    assert pace.items == MAX_PARCEL_ITEMS
    pace.worked(1, item_s, 0)
    assert pace.items == 1


def test_slow_items_are_handed_out_singly_unless_the_consumer_is_slow_too() -> None:
    pace = Pace()
    pace.worked(1, 1.0, 0)
    assert pace.depth == 1
    pace.consumed(1, 0.9)
    assert pace.depth == 2


@given(st.integers(1, 1000), st.floats(1e-6, 1e6))
def test_what_is_sent_ahead_is_bounded_and_enough_for_every_worker(
    workers: int, scale: float
) -> None:
    parcels = parcels_ahead(workers, scale)
    assert workers <= parcels <= max(workers, workers * scale)
