"""Sharing a big array with new workers, and what a task costs that does nothing."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from engine.machine import ProcessPool, glob_read, glob_remove, glob_store, glob_update
from tests.benchmarks.rows import Row, bounded, compared

ELEMENTS = 50_000_000  # 400 MB of float64
WORKERS = 2
TASKS = 5_000


def run(rounds: int) -> list[Row]:
    rounds = max(5, rounds)
    array = np.ones(ELEMENTS)
    array[-1] = 7.0
    published, shared = paired(rounds, lambda: publish_ms(array), lambda: shared_memory_ms(array))
    updated, copied, own_mb = update_and_memcpy_ms(array, rounds)
    ours, plain = bursts_us(rounds)
    return [
        compared("400 MB to a new spawn pool", published, shared, "ms", at_most=1.2),
        compared("400 MB again, memory reused", updated, copied, "ms", at_most=1.5),
        bounded("worker's own memory after reading 400 MB", own_mb, "MB", 8.0),
        compared("no-op burst, per task", ours, plain, "us", at_most=1.2),
    ]


def paired(
    rounds: int, ours: Callable[[], float], bare: Callable[[], float]
) -> tuple[float, float]:
    """Return the medians of both, measured in turns."""
    pairs = [(ours(), bare()) for _ in range(rounds)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def elapsed_ms(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


# -- publishing


def publish_ms(array: Any) -> float:
    """Return the time from storing to the first result, in a pool that was just started."""
    with ProcessPool(WORKERS, start_method="spawn") as pool:
        pool.map(nothing, range(100), 1)
        keys: list[int] = []

        def publish() -> None:
            keys.append(glob_store(array))
            assert pool.apply(last, (keys[0],)) == 7.0

        milliseconds = elapsed_ms(publish)
        glob_remove(keys[0])
    return milliseconds


def shared_memory_ms(array: Any) -> float:
    """Return the same for a copy into multiprocessing's shared memory."""
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        pool.map(nothing, range(100), 1)
        segments: list[SharedMemory] = []

        def publish() -> None:
            segment = SharedMemory(create=True, size=array.nbytes)
            segments.append(segment)
            np.copyto(np.ndarray(array.shape, array.dtype, segment.buf), array)
            assert pool.apply(last_of_segment, (segment.name, array.shape)) == 7.0

        milliseconds = elapsed_ms(publish)
    segments[0].close()
    segments[0].unlink()
    return milliseconds


def update_and_memcpy_ms(array: Any, rounds: int) -> tuple[float, float, float]:
    """Return the medians of updating to the first new result and of copying, and a size."""
    target = np.zeros_like(array)
    other = array.copy()
    with ProcessPool(1, start_method="spawn") as pool:
        key = glob_store(array)
        before = pool.apply(own_mb, (key, False))
        after = pool.apply(own_mb, (key, True))

        def update(value: float) -> None:
            other[-1] = value
            glob_update(key, other)
            assert pool.apply(last, (key,)) == value

        for value in range(4):  # from then on there is memory to be used again
            update(float(value))
        updated, copied = paired(
            rounds,
            lambda: elapsed_ms(lambda: update(float(time.monotonic_ns()))),
            lambda: elapsed_ms(lambda: np.copyto(target, array)),
        )
        glob_remove(key)
    return updated, copied, after - before


# -- tasks that do nothing


def bursts_us(rounds: int) -> tuple[float, float]:
    plain_pool = multiprocessing.get_context("spawn").Pool(WORKERS)
    with ProcessPool(WORKERS, start_method="spawn") as ours, plain_pool as plain:
        for pool in (ours, plain):
            pool.map(nothing, range(1000), 1)
        return paired(2 * rounds + 1, lambda: burst_us(ours), lambda: burst_us(plain))


def burst_us(pool: Any) -> float:
    return elapsed_ms(lambda: pool.map(nothing, range(TASKS), 1)) / TASKS * 1e3


# -- in the workers


def nothing(value: object) -> object:
    return value


def last(key: int) -> float:
    return float(glob_read(key)[-1])


def last_of_segment(name: str, shape: tuple[int, ...]) -> float:
    segment = SharedMemory(name)
    value = float(np.ndarray(shape, np.float64, segment.buf)[-1])
    segment.close()
    return value


def own_mb(key: int, is_read: bool) -> float:
    """Return how much memory that is not shared this process has."""
    if is_read:
        glob_read(key).sum()
    for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1024
    return float("nan")
