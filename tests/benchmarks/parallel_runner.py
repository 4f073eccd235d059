"""Runners against the published original, ``Pool`` and ``ProcessPoolExecutor``, two workers each.

The original is measured where it can be imported, here or by the interpreter that
``PENSTOCK_EASYCORE_PYTHON`` names. Each measurement is a fresh process and all kinds take turns,
so that a ratio never compares two moments of a busy machine. Every result is checked.

As a program, ``python parallel_runner.py KIND PAYLOAD`` measures one kind and prints items/s.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
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
SLOWER = {"easycore": 8, "pool": 5, "executor": 5}
"""These get so many times fewer items, so that all measure for about as long."""
WANTED = {"int": 20.0, "100 kB results": 2.8, "10 MB results": 10.0, "1 MB inputs": 5.0}
ORDERS = ("ordered", "unordered")

Check = Callable[[Any], None]
RunItems = Callable[[int, Check], None]


def run(rounds: int) -> "list[Any]":
    """Return a row per payload, order and peer: medians of at least five rounds, paired ratios."""
    from tests.benchmarks.rows import Row

    rows: list[Row] = []
    for payload, original in WANTED.items():
        own = [f"{name} {order}" for name in ("ours", "easycore") for order in ORDERS]
        others = ["pool chunk64"] if payload == "int" else ["pool", "executor"]
        rates: dict[str, list[float]] = {kind: [] for kind in own + others}
        for _ in range(max(5, rounds)):
            for kind in rates:
                rates[kind] += measured(kind, payload)
        for order in ORDERS:
            wanted = {f"easycore {order}": original, **dict.fromkeys(others, 1.0)}
            for peer, at_least in wanted.items():
                title = f"{payload}, {order}, against {peer.removesuffix(order).strip()}"
                rows.append(paired(title, rates[f"ours {order}"], rates[peer], at_least))
    return rows


def paired(title: str, ours: list[float], theirs: list[float], at_least: float) -> "Any":
    """Compare round by round; the median of the ratios counts."""
    from tests.benchmarks.rows import Row

    if not theirs:
        return Row(title, f"{statistics.median(ours):.0f} items/s", "not installed")
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    return Row(
        title,
        f"{statistics.median(ours):.0f} items/s",
        f"{statistics.median(theirs):.0f} items/s",
        f"{ratio:.2f}",
        f">= {at_least:g}",
        "ok" if ratio >= at_least else "MISSED",
    )


def measured(kind: str, payload: str) -> list[float]:
    """Measure in a fresh process; empty when the peer is not there."""
    python = sys.executable
    if kind.startswith("easycore"):
        python = os.environ.get("PENSTOCK_EASYCORE_PYTHON", python)
    done = subprocess.run(
        [python, str(Path(__file__)), kind, payload],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if "No module named 'easycore'" in done.stderr:
        return []
    assert done.returncode == 0, done.stderr
    return [float(done.stdout)]


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


def runner(module: Any, size: int, order: str, node: Any) -> tuple[RunItems, Callable[[], None]]:
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

    made = Measured(WORKERS, node, 3.0)

    def run_items(count: int, check: Check) -> None:
        current[:] = [check]
        made(items(count, size))

    return run_items, made.close


def ours(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    import engine.runner

    return runner(engine.runner, size, order, {})


def easycore(size: int, order: str) -> tuple[RunItems, Callable[[], None]]:
    import easycore.common.parallel  # type: ignore[import-not-found]
    from easycore.common.config import CfgNode  # type: ignore[import-not-found]

    return runner(easycore.common.parallel, size, order, CfgNode())


def each(results: Iterable[Any], check: Check) -> None:
    for result in results:
        check(result)


def pool(size: int, chunk: str) -> tuple[RunItems, Callable[[], None]]:
    import multiprocessing

    made = multiprocessing.get_context("fork").Pool(WORKERS)
    chunk_size = int(chunk.removeprefix("chunk") or 1)

    def run_items(count: int, check: Check) -> None:
        pairs = ((item, size) for item in items(count, size))
        each(made.imap(work_on_pair, pairs, chunk_size), check)

    return run_items, made.terminate


def executor(size: int, _order: str) -> tuple[RunItems, Callable[[], None]]:
    made = ProcessPoolExecutor(WORKERS)

    def run_items(count: int, check: Check) -> None:
        pairs = [(item, size) for item in items(count, size)]
        each(made.map(work_on_pair, pairs), check)

    return run_items, made.shutdown


KINDS: dict[str, Callable[[int, str], tuple[RunItems, Callable[[], None]]]] = {
    "ours": ours,
    "easycore": easycore,
    "pool": pool,
    "executor": executor,
}


def items_per_s(kind: str, payload: str) -> float:
    name, _, order = kind.partition(" ")
    size = BYTES[payload]
    count = ITEMS[payload]
    if kind != "pool chunk64":
        count //= SLOWER.get(name, 1)
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
