from math import isnan

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ui.plots.history import History


def test_samples_come_back_oldest_first() -> None:
    history = History(8)
    for index in range(3):
        history.add(float(index), {"a": index * 10.0})

    assert history.times().tolist() == [0.0, 1.0, 2.0]
    assert history.values("a").tolist() == [0.0, 10.0, 20.0]
    assert history.latest("a") == 20.0


@given(st.integers(1, 20), st.integers(0, 70))
def test_the_newest_samples_are_kept_and_nothing_grows(capacity: int, count: int) -> None:
    history = History(capacity)
    for index in range(count):
        history.add(float(index), {"a": -float(index)})
    kept = list(range(max(0, count - capacity), count))

    assert history.times().tolist() == kept
    assert history.values("a").tolist() == [-float(index) for index in kept]
    assert history._times.size == 2 * capacity


def test_a_series_that_misses_a_batch_has_a_gap() -> None:
    history = History(8)
    history.add(0.0, {"a": 1.0, "b": 1.0})
    history.add(1.0, {"b": 2.0})
    history.add(2.0, {"a": 3.0, "b": 3.0})

    assert np.isnan(history.values("a")).tolist() == [False, True, False]


def test_a_series_that_comes_later_begins_with_gaps() -> None:
    history = History(8)
    history.add(0.0, {"a": 1.0})
    history.add(1.0, {"a": 1.0, "b": 2.0})

    assert np.isnan(history.values("b")).tolist() == [True, False]


def test_a_series_without_samples_is_forgotten() -> None:
    history = History(4)
    history.add(0.0, {"gone": 1.0, "here": 1.0})
    for index in range(1, 9):
        history.add(float(index), {"here": 1.0})

    assert history.keys == {"here"}


def test_an_older_time_begins_a_new_history() -> None:
    history = History(4)
    history.add(100.0, {"a": 1.0})
    history.add(5.0, {"a": 2.0})

    assert history.times().tolist() == [5.0]


def test_the_sample_near_a_time_is_found_and_none_far_away() -> None:
    history = History(8)
    for index in range(5):
        history.add(index * 1.0, {"a": index * 10.0})

    assert history.at("a", 2.2) == 20.0
    assert isnan(history.at("a", 9.0))
    assert isnan(history.at("unknown", 2.0))
    assert isnan(History().at("a", 0.0))
