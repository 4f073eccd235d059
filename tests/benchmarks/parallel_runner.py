"""Runners against the published original, ``Pool``, ``ProcessPoolExecutor``, joblib and Ray.

Two workers each; our own runner also on Ray, against plain Ray. The original is installed into a
scratch virtual environment, which goes when the run is over; without a package index its rows say
so. Each measurement is a fresh process and all kinds take turns, so that a ratio never compares
two moments of a busy machine; those that start slowly come in fewer rounds. Every result is
checked.

As a program, ``python parallel_runner.py KIND PAYLOAD`` measures one kind and prints items/s.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
PAGE_BYTES = 4096
LIMIT_S = 120
BYTES = {
    "int": 0,
    "100 kB results": 100_000,
    "10 MB results": 10_000_000,
    "1 MB inputs": -1_000_000,
}
ITEMS = {"int": 400_000, "100 kB results": 6000, "10 MB results": 250, "1 MB inputs": 1500}
SLOWER = {"easycore": 8, "pool": 5, "executor": 5, "joblib": 2, "on-ray": 2}
SLOWER_ARRAYS = {"joblib": 4, "ray-tasks": 4, "ray-actors": 4, "on-ray": 4}
"""These get so many times fewer items, so that all measure for about as long."""
SLOWER_NUMBERS = {"ray-tasks": 200, "ray-actors": 200}
PEERS = ("pool", "executor", "joblib", "ray-tasks", "ray-actors")
ON_RAY = ("ray-tasks", "ray-actors")
START_SLOWLY = ("joblib", "ray-tasks", "ray-actors", "on-ray")
SLOW_ROUNDS = 3
STORE_BYTES = 2 << 30
WANTED = {"int": 20.0, "100 kB results": 2.8, "10 MB results": 10.0, "1 MB inputs": 5.0}
ORDERS = ("ordered", "unordered")

Check = Callable[[Any], None]
RunItems = Callable[[int, Check], None]


def run(rounds: int) -> "list[Any]":
    """Return a row per payload, order and peer: medians of at least five rounds, paired ratios."""
    from tests.benchmarks.peers import peers

    with peers("easycore", f"numpy=={np.__version__}") as easycore:
        rows = []
        for payload in WANTED:
            rates = measured_rates(payload, max(5, rounds), easycore)
            for order in ORDERS:
                rows += compared(payload, order, rates)
    return rows


def compared(payload: str, order: str, rates: dict[str, list[float]]) -> "list[Any]":
    rows = []
    for name, peer, at_least in compared_pairs(payload, order):
        where = " on Ray" if name == "on-ray" else ""
        title = f"{payload}, {order}{where}, against {peer.removesuffix(order).strip()}"
        rows.append(paired(title, rates[f"{name} {order}"], rates[peer], at_least))
    return rows


def compared_pairs(payload: str, order: str) -> Iterator[tuple[str, str, float]]:
    """Yield who is compared with whom, and what ratio is wanted."""
    yield "ours", f"easycore {order}", WANTED[payload]
    for peer in PEERS:
        yield "ours", f"{peer} {order}", 1.0
    if payload == "int":
        yield "ours", "pool chunk64", 1.0
    for peer in ON_RAY:
        yield "on-ray", f"{peer} {order}", 0.9


def measured_rates(payload: str, rounds: int, easycore: str) -> dict[str, list[float]]:
    """Return items/s of each kind, round by round."""
    names = ("ours", "easycore", *PEERS, "on-ray")
    kinds = [f"{name} {order}" for name in names for order in ORDERS]
    kinds += ["pool chunk64"] if payload == "int" else []
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds:
            if number < SLOW_ROUNDS or not kind.startswith(START_SLOWLY):
                rates[kind] += measured(kind, payload, easycore)
    return rates


def paired(title: str, ours: list[float], theirs: list[float], at_least: float) -> "Any":
    """Compare round by round; the median of the ratios counts."""
    from tests.benchmarks.rows import Row

    if not theirs:
        return Row(title, f"{statistics.median(ours):.0f} items/s", "not installed")
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=False))
    return Row(
        title,
        f"{statistics.median(ours):.0f} items/s",
        f"{statistics.median(theirs):.0f} items/s",
        f"{ratio:.2f}",
        f">= {at_least:g}",
        "ok" if ratio >= at_least else "MISSED",
    )


def measured(kind: str, payload: str, easycore: str) -> list[float]:
    """Measure in a fresh process; empty when the peer is not there."""
    python = easycore if kind.startswith("easycore") else sys.executable
    if not python:
        return []
    with tempfile.TemporaryDirectory(prefix="r-", ignore_cleanup_errors=True) as folder:
        quiet = {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"}
        done = subprocess.run(
            [python, str(Path(__file__)), kind, payload],
            env={**os.environ, **quiet, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    if any(f"No module named '{name}'" in done.stderr for name in ("joblib", "ray")):
        return []
    assert done.returncode == 0, done.stderr
    return [float(done.stdout.split()[-1])]


# -- the work: the same for all


_templates: dict[int, Any] = {}


def work(item: Any, size: int) -> Any:
    """Return the square of a number, a ready array stamped with the item, or an array's number."""
    if size == 0:
        return item * item
    if size < 0:
        return int(item[0]) + 256 * int(item[1])
    array = _templates.get(size)
    if array is None:
        array = _templates[size] = (np.arange(size, dtype=np.uint32) * 7).astype(np.uint8)
    array[8::PAGE_BYTES] = item % 251
    array[:8] = np.frombuffer(int(item).to_bytes(8, "little"), np.uint8)
    return array


def work_on_pair(pair: tuple[Any, int]) -> Any:
    return work(*pair)


def work_privately(item: Any, size: int) -> Any:
    """The same for who pickles later, in another thread."""
    result = work(item, size)
    return result.copy() if size > 0 else result


def items(count: int, size: int) -> Iterator[Any]:
    if size >= 0:
        yield from range(count)
        return
    for number in range(count):
        array = np.empty(-size, np.uint8)
        array[::PAGE_BYTES] = 1
        array[0], array[1] = number % 256, number // 256
        yield array


class Checker:
    """Checks one byte per page of each result, the order where there is one, and that all come."""

    def __init__(self, size: int, *, is_ordered: bool) -> None:
        self.size = size
        self.is_ordered = is_ordered
        self.seen: set[int] = set()
        pages = (size - 9) // PAGE_BYTES + 1
        self.stamps = [bytes([value]) * pages for value in range(251)] if size > 0 else []

    def __call__(self, result: Any) -> None:
        if self.size > 0:
            number = int.from_bytes(result[:8].tobytes(), "little")
            assert result[8::PAGE_BYTES].tobytes() == self.stamps[number % 251]
        else:
            number = result if self.size < 0 else round(result**0.5)
        assert not self.is_ordered or number == len(self.seen)
        self.seen.add(number)

    def finish(self, count: int) -> None:
        assert len(self.seen) == count


# -- the kinds


def runner(
    module: Any, size: int, order: str, node: Any, **keywords: Any
) -> tuple[RunItems, Callable[[], None]]:
    is_original = module.__name__.startswith("easycore")
    base = module.OrderedRunner if order == "ordered" else module.UnorderedRunner
    current: list[Check] = []

    class Measured(base):  # type: ignore[misc]
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            result = work(data, size)
            # The original pickles later, in another thread: its user has to hand out copies.
            return result.copy() if is_original and size > 0 else result

        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            current[0](data)

    made = Measured(WORKERS, node, 3.0, **keywords)

    def run_items(count: int, check: Check) -> None:
        current[:] = [check]
        made(items(count, size))

    return run_items, made.close


def ours(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    import engine.runner

    return runner(engine.runner, size, order, {})


def on_ray(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    import engine.runner

    ray = started_ray()
    executor = engine.runner.RayExecutor(read_only=True)  # as plain Ray gives results
    run_items, close = runner(engine.runner, size, order, {}, executor=executor)

    def stop() -> None:
        close()
        ray.shutdown()

    return run_items, stop


def easycore(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    import easycore.common.parallel  # type: ignore[import-not-found]
    from easycore.common.config import CfgNode  # type: ignore[import-not-found]

    return runner(easycore.common.parallel, size, order, CfgNode())


def each(results: Iterable[Any], check: Check) -> None:
    for result in results:
        check(result)


def pool(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    import multiprocessing

    made = multiprocessing.get_context("fork").Pool(WORKERS)
    chunk_size = int(order.removeprefix("chunk")) if order.startswith("chunk") else 1
    imap = made.imap_unordered if order == "unordered" else made.imap

    def run_items(count: int, check: Check) -> None:
        pairs = ((item, size) for item in items(count, size))
        each(imap(work_on_pair, pairs, chunk_size), check)

    return run_items, made.terminate


def executor(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    made = ProcessPoolExecutor(WORKERS)

    def run_items(count: int, check: Check) -> None:
        pairs = [(item, size) for item in items(count, size)]
        if order == "ordered":
            each(made.map(work_on_pair, pairs), check)
            return
        futures = {made.submit(work_on_pair, pair) for pair in pairs}
        for future in as_completed(futures):
            check(future.result())
            futures.discard(future)
            future._result = None  # type: ignore[attr-defined] # else all results stay

    return run_items, made.shutdown


def joblib(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    from joblib import Parallel, delayed

    generator = "generator" if order == "ordered" else "generator_unordered"
    made = Parallel(WORKERS, return_as=generator, max_nbytes=None)
    made.__enter__()

    def run_items(count: int, check: Check) -> None:
        each(made(delayed(work_privately)(item, size) for item in items(count, size)), check)

    return run_items, lambda: made.__exit__(None, None, None)


def started_ray() -> Any:
    import ray

    ray.init(
        address="local",
        num_cpus=WORKERS,
        include_dashboard=False,
        logging_level="error",
        log_to_driver=False,
        object_store_memory=STORE_BYTES,
    )
    return ray


def ray_tasks(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    ray = started_ray()
    remote = ray.remote(num_cpus=1)(work)
    window = 100 if size <= 0 else 8

    def run_items(count: int, check: Check) -> None:
        under_way: list[Any] = []
        for item in items(count, size):
            under_way.append(remote.remote(item, size))
            if len(under_way) >= window:
                if order == "unordered":
                    done, under_way = ray.wait(under_way, num_returns=1)
                else:
                    done, under_way = under_way[:1], under_way[1:]
                check(ray.get(done[0]))
                del done
        for reference in under_way:
            check(ray.get(reference))

    return run_items, ray.shutdown


def ray_actors(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    ray = started_ray()
    from ray.util import ActorPool

    class Worker:
        def work(self, item: Any) -> Any:
            return work(item, size)

    actors = ActorPool([ray.remote(num_cpus=1)(Worker).remote() for _ in range(WORKERS)])
    run = actors.map_unordered if order == "unordered" else actors.map

    def run_items(count: int, check: Check) -> None:
        each(run(lambda actor, item: actor.work.remote(item), items(count, size)), check)

    return run_items, ray.shutdown


KINDS: dict[str, Callable[[int, str], tuple[RunItems, Callable[[], None]]]] = {
    "ours": ours,
    "easycore": easycore,
    "pool": pool,
    "executor": executor,
    "joblib": joblib,
    "ray-tasks": ray_tasks,
    "ray-actors": ray_actors,
    "on-ray": on_ray,
}


def items_per_s(kind: str, payload: str) -> float:
    name, _, order = kind.partition(" ")
    size = BYTES[payload]
    count = ITEMS[payload]
    if kind != "pool chunk64":
        fewer = SLOWER | (SLOWER_NUMBERS if size == 0 else SLOWER_ARRAYS)
        count //= fewer.get(name, 1)
    is_ordered = order != "unordered"
    run_items, stop = KINDS[name](size, order)
    try:
        for portion in (2, max(4, count // 5), count):  # start, warm up, measure
            check = Checker(size, is_ordered=is_ordered)
            begin = time.perf_counter()
            run_items(portion, check)
            seconds = time.perf_counter() - begin
            check.finish(portion)
    finally:
        stop()
    return count / seconds


if __name__ == "__main__":
    print(items_per_s(sys.argv[1], sys.argv[2]))
