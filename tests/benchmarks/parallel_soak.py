"""Memory over ten million small items and a thousand lives of runners, buffers and pools.

``python -m tests.benchmarks parallel_soak`` measures at full size, each soak in a process of its
own; ``python -m tests.benchmarks.parallel_soak NAME COUNT`` one of them at any size. Growth is that
of the resident memory of the program and of its workers, and of descriptors and threads, from the
end of a warm-up (of a tenth; of the half when there are few) to the end.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from engine.buffer import Commander, Producer, buffer_iterator_factory
from engine.machine import ProcessPool, glob_remove, glob_store
from engine.runner import OrderedRunner, UnorderedRunner
from tests.benchmarks.rows import Row

ROOT = Path(__file__).resolve().parents[2]
ITEMS = 10_000_000
CYCLES = 1000
MOST_BYTES = 5_000_000
LIMIT_S = 3600
WORKERS = 2


class Growth(NamedTuple):
    """What a soak has left: bytes of the program, bytes of its workers, descriptors, threads."""

    own_bytes: int
    workers_bytes: int
    descriptors: int
    threads: int
    seconds: float


class Level(NamedTuple):
    own_bytes: int
    workers_bytes: int
    descriptors: int
    threads: int


# -- items


def runner_call() -> Iterator[Callable[[int], None]]:
    with UnorderedRunner(WORKERS, start_method="fork") as runner:
        yield lambda count: runner(range(count))


def runner_stream() -> Iterator[Callable[[int], None]]:
    with OrderedRunner(WORKERS, start_method="fork") as runner:
        yield lambda count: drain(runner.imap(range(count)))


def runner_texts() -> Iterator[Callable[[int], None]]:
    """Texts and tuples are pickled, numbers are not."""
    with UnorderedRunner(WORKERS, start_method="fork", on_error="retry") as runner:
        yield lambda count: runner(("item", number) for number in range(count))


class Endless(Commander):
    def __init__(self) -> None:
        self.index = -1

    def create_message(self) -> dict[str, int]:
        self.index += 1
        return {"index": self.index}


class Small(Producer):
    def create_data(self, message: Any) -> Any:
        return np.full(16, message["index"] % 256, np.uint8)


def buffer_items() -> Iterator[Callable[[int], None]]:
    with buffer() as iterator:

        def take(count: int) -> None:
            for _ in range(count):
                next(iterator)

        yield take


def pool_items() -> Iterator[Callable[[int], None]]:
    with ProcessPool(WORKERS, start_method="fork") as pool:
        yield lambda count: drain(pool.imap(same, range(count), 256))
    pool.join()


# -- lives


def runner_cycles() -> Iterator[Callable[[int], None]]:
    def live(count: int) -> None:
        for _ in range(count):
            with UnorderedRunner(WORKERS, start_method="fork") as runner:
                runner([np.zeros(100_000), 1])

    yield live


def buffer_cycles() -> Iterator[Callable[[int], None]]:
    def live(count: int) -> None:
        for _ in range(count):
            with buffer() as iterator:
                next(iterator)

    yield live


def pool_cycles() -> Iterator[Callable[[int], None]]:
    def live(count: int) -> None:
        for _ in range(count):
            key = glob_store(np.zeros(100_000))
            with ProcessPool(WORKERS, start_method="fork") as pool:
                pool.map(same, range(4))
            pool.join()
            glob_remove(key)

    yield live


def buffer() -> Any:
    return buffer_iterator_factory(
        WORKERS, ((16,),), Endless(), Small(), "fork", True, buffer_dtype=np.uint8
    )


def same(value: int) -> int:
    return value


def drain(results: Iterable[Any]) -> None:
    deque(results, maxlen=0)


SOAKS: dict[str, Callable[[], Iterator[Callable[[int], None]]]] = {
    "runner, numbers": runner_call,
    "runner, stream of numbers": runner_stream,
    "runner, small tuples": runner_texts,
    "buffer, 16 bytes": buffer_items,
    "pool, numbers": pool_items,
    "runner, lives": runner_cycles,
    "buffer, lives": buffer_cycles,
    "pool, lives": pool_cycles,
}


# -- measuring


def grown(name: str, count: int) -> Growth:
    """Run a soak in this process and return what is left of it."""
    for work in SOAKS[name]():
        is_short = count < ITEMS and not name.endswith("lives")
        work(max(1, count // (2 if is_short else 10)))
        before, since = level(), time.monotonic()
        work(count)
        seconds, after = time.monotonic() - since, level()
        differences = [now - then for now, then in zip(after, before, strict=True)]
        return Growth(*differences, seconds)
    raise AssertionError("a soak yields its work")


def level() -> Level:
    gc.collect()
    own = psutil.Process()
    children = own.children(recursive=True)
    private = sum(child.memory_full_info().uss for child in children)
    return Level(own.memory_info().rss, private, own.num_fds(), own.num_threads())


def run(_rounds: int) -> list[Row]:
    """Run all soaks at full size, one after the other."""
    return [row(name, CYCLES if name.endswith("lives") else ITEMS) for name in SOAKS]


def row(name: str, count: int) -> Row:
    growth = grown_apart(name, count)
    told = (
        f"{growth.own_bytes / 1e6:+.2f} MB here, {growth.workers_bytes / 1e6:+.2f} MB in workers, "
        f"{growth.descriptors:+d} descriptors, {growth.threads:+d} threads"
    )
    rate = f"{count / growth.seconds:.0f}/s"
    verdict = "ok" if is_flat(growth) else "MISSED"
    return Row(f"{name}: {count:,}", told, rate, "", "<= 5 MB", verdict)


def is_flat(growth: Growth) -> bool:
    return (
        max(growth.own_bytes, growth.workers_bytes) <= MOST_BYTES
        and growth.descriptors <= 0
        and growth.threads <= 0
    )


def grown_apart(name: str, count: int) -> Growth:
    """Run a soak in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.parallel_soak", name, str(count)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Growth(*json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(grown(sys.argv[1], int(sys.argv[2]))))
