from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.plots.scale import Scale, nice_top, spread, value_ticks


@pytest.mark.parametrize(
    ("value", "top"), [(0.3, 0.3), (0.31, 0.4), (7, 8), (9, 10), (11, 20), (58, 60), (61, 80)]
)
def test_the_top_is_the_next_round_number(value: float, top: float) -> None:
    assert nice_top(value) == pytest.approx(top)


@given(st.floats(1e-6, 1e12))
def test_the_top_is_never_below_the_value(value: float) -> None:
    assert value * (1 - 1e-6) <= nice_top(value) <= value * 2.01


def test_nothing_to_show_has_a_top_as_well() -> None:
    assert nice_top(0.0) == nice_top(float("nan")) == nice_top(float("inf")) == 1.0


def test_the_scale_changes_at_most_once_a_second() -> None:
    scale = Scale()

    assert scale.fit(50, 0.0)
    assert not scale.fit(500, 0.5)
    assert scale.fit(500, 1.1)


def test_the_scale_shrinks_only_when_half_of_it_is_empty() -> None:
    scale = Scale()
    scale.fit(90, 0.0)

    assert not scale.fit(60, 2.0)
    assert scale.fit(20, 4.0)
    assert scale.top == 30


def test_the_scale_never_falls_below_its_least_top() -> None:
    scale = Scale(4)
    scale.fit(0.0, 10.0)

    assert scale.top == 4


@pytest.mark.parametrize("top", [1, 2, 3, 4, 5, 6, 8, 10, 200, 0.5])
def test_ticks_go_from_zero_to_the_top_in_even_steps(top: float) -> None:
    ticks = value_ticks(top, 150)
    steps = {round(b - a, 9) for a, b in pairwise(ticks)}

    assert (ticks[0], ticks[-1]) == (0, top)
    assert len(steps) == 1


def test_a_low_plot_has_few_ticks() -> None:
    assert value_ticks(80, 45) == [0, 80]
    assert value_ticks(80, 60) == [0, 40, 80]
    assert value_ticks(80, 100) == [0, 20, 40, 60, 80]


@given(st.lists(st.floats(0, 100), max_size=8).map(sorted))
def test_spread_labels_do_not_cover_each_other_and_stay_inside(wanted: list[float]) -> None:
    placed = spread(wanted, 12.0, 0.0, 100.0)

    assert all(b - a >= 12.0 - 1e-6 for a, b in pairwise(placed))
    assert all(-1e-6 <= place <= 100.0 + 1e-6 for place in placed)


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([10.0, 50.0], 12.0, 0.0, 100.0) == [10.0, 50.0]
