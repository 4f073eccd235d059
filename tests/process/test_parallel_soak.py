"""Memory, descriptors and threads stay flat; `tests.benchmarks.parallel_soak` has the full size."""

import pytest

from tests.benchmarks.parallel_soak import SOAKS, grown_apart, is_flat

COUNTS = {
    "runner, numbers": 1_000_000,
    "runner, stream of numbers": 500_000,
    "runner, small tuples": 150_000,
    "buffer, 16 bytes": 100_000,
    "pool, numbers": 1_000_000,
    "runner, lives": 60,
    "buffer, lives": 40,
    "pool, lives": 100,
}


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("name", SOAKS)
def test_memory_descriptors_and_threads_stay_flat(name: str) -> None:
    growth = grown_apart(name, COUNTS[name])
    assert is_flat(growth), growth
