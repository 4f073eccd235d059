"""The histogram's percentiles are close to exact ones, its mean is exact, its size is bounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry import Histogram

PERCENTS = (0, 5, 50, 95, 99, 100)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_percentiles_are_within_one_percent_of_exact_ones(values: list[int]) -> None:
    got = filled(values).percentiles_ns(PERCENTS)
    np.testing.assert_allclose(got, np.percentile(values, PERCENTS), rtol=0.01, atol=0.5)


@pytest.mark.parametrize("seed", range(3))
def test_percentiles_of_many_lognormal_durations_are_within_one_percent(seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(17, 1.2, 20_000).astype(np.int64)
    got = filled(values.tolist()).percentiles_ns(PERCENTS)
    np.testing.assert_allclose(got, np.percentile(values, PERCENTS), rtol=0.01)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=100))
def test_the_mean_is_exact(values: list[int]) -> None:
    assert filled(values).mean_ns == sum(values) / len(values)


@given(st.integers(0, 2**47 - 1))
def test_a_single_value_is_found_again_in_a_bucket_next_to_it(value: int) -> None:
    (got,) = filled([value]).percentiles_ns([50])
    assert got == pytest.approx(value, rel=0.004, abs=0)


def test_without_values_everything_is_zero() -> None:
    assert Histogram().mean_ns == 0.0
    assert Histogram().percentiles_ns([50, 99]) == [0.0, 0.0]


def test_negative_and_absurdly_long_durations_are_counted_at_the_ends() -> None:
    low, high = filled([-5, 2**60]).percentiles_ns([0, 100])
    assert low == 0.0
    assert high == pytest.approx(2**47, rel=0.01)
