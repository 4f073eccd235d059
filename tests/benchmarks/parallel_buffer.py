"""The buffer against concurrentbuffer, faster-fifo and a bare ring with the same copies.

The peers are installed into a scratch virtual environment, which goes when the run is over; without
a package index the rows that need them say so. All ways take turns, so that whatever else the
machine does hits them alike. Two producers everywhere.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil

from engine.buffer import Commander, Producer, buffer_iterator_factory
from tests.benchmarks.buffer_case import SHAPES
from tests.benchmarks.peers import peers
from tests.benchmarks.rows import Row, bounded, compared

ROOT = Path(__file__).resolve().parents[2]
CASE = Path(__file__).with_name("buffer_case.py")
PEERS = ("concurrentbuffer==0.0.8", "faster-fifo", f"numpy=={np.__version__}")
PRODUCERS = 2
SECONDS = 1.0
LIMIT_S = 60.0

Rates = dict[tuple[str, str], list[float]]

WANTED = [  # ours, theirs, at least, shapes
    ("ours-fork", "ring-fork", 0.6, list(SHAPES)),
    ("ours-spawn", "ring-spawn", 0.6, list(SHAPES)),
    ("ours-fork-views-in_place", "ring-fork", 0.5, list(SHAPES)),
    ("ours-fork", "peer-fork", 8.0, ["12 kB"]),
    ("ours-spawn", "peer-spawn", 8.0, ["12 kB"]),
    ("ours-fork", "peer-fork", 1.6, ["0.6 MB"]),
    ("ours-spawn", "peer-spawn", 1.6, ["0.6 MB"]),
    ("ours-fork-views", "peer-fork", 2.2, ["0.6 MB", "12.6 MB", "50 MB"]),
    ("ours-spawn-views", "peer-spawn", 2.2, ["0.6 MB", "12.6 MB", "50 MB"]),
    ("ours-fork", "peer-fork", 1.0, ["12.6 MB", "50 MB"]),
    ("ours-fork", "faster_fifo", 1.0, list(SHAPES)),
]
NAMES = {
    "ours-fork": "copies, fork",
    "ours-spawn": "copies, spawn",
    "ours-fork-views": "views, fork",
    "ours-spawn-views": "views, spawn",
    "ours-fork-views-in_place": "made in place, views",
    "ring-fork": "bare ring, fork",
    "ring-spawn": "bare ring, spawn",
    "peer-fork": "concurrentbuffer, fork",
    "peer-spawn": "concurrentbuffer, spawn",
    "faster_fifo": "faster-fifo",
}


def run(rounds: int) -> list[Row]:
    with peers(*PEERS) as python:
        rates = measured(rounds, python)
    rows = [
        row_of(f"{NAMES[ours]} / {NAMES[theirs]}, {shape}", rates, ours, theirs, shape, at_least)
        for ours, theirs, at_least, shapes in WANTED
        for shape in shapes
    ]
    return [*rows, idle_row()]


def measured(rounds: int, python: str) -> Rates:
    ways = {
        (way, shape)
        for ours, theirs, _, shapes in WANTED
        for shape in shapes
        for way in (ours, theirs)
    }
    rates: Rates = {}
    for _ in range(rounds):
        for way, shape in sorted(ways):
            rate = rate_of(way, shape, python)
            if rate:
                rates.setdefault((way, shape), []).append(rate)
    return rates


def rate_of(way: str, shape: str, python: str) -> float:
    """Data per second, 0 when the way is not there or hangs."""
    is_ours = way.startswith(("ours", "ring"))
    if not is_ours and not python:
        return 0.0
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.update({"PYTHONPATH": str(ROOT)} if is_ours else {"BUFFER_CASE": "peer"})
    command = [sys.executable if is_ours else python, str(CASE), way, shape]
    process = subprocess.Popen(
        [*command, str(PRODUCERS), str(SECONDS)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        told, _ = process.communicate(timeout=LIMIT_S)
        return float(json.loads(told)) if told else 0.0
    except subprocess.TimeoutExpired:
        return 0.0
    finally:
        end_session(process.pid)
        process.wait()


def end_session(session: int) -> None:
    """End what a hanging peer has left running in the session that was made for it."""
    for found in psutil.process_iter():
        try:
            if os.getsid(found.pid) == session:
                found.kill()
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue


def row_of(what: str, rates: Rates, ours: str, theirs: str, shape: str, at_least: float) -> Row:
    if not rates.get((ours, shape)) or not rates.get((theirs, shape)):
        missing = NAMES[ours if not rates.get((ours, shape)) else theirs]
        return Row(what, "", wanted=f">= {at_least:g}", verdict=f"no {missing}")
    mine, bare = (statistics.median(rates[way, shape]) for way in (ours, theirs))
    return compared(what, mine, bare, "/s", at_least=at_least)


class Zeros(Producer):
    def create_data(self, message: object) -> np.ndarray:
        return np.zeros((64, 64, 3), np.uint8)


class Nothing(Commander):
    def create_message(self) -> dict[str, int]:
        return {}


def idle_row() -> Row:
    """Processor time of all processes while the buffers are full and nobody asks."""
    iterator = buffer_iterator_factory(
        PRODUCERS, ((64, 64, 3),), Nothing(), Zeros(), "fork", True, np.uint8
    )
    with iterator:
        for _ in range(100):
            next(iterator)
        workers = psutil.Process().children()
        psutil.cpu_percent(interval=0.5)  # until the buffers are full
        before = sum(sum(worker.cpu_times()[:2]) for worker in workers)
        psutil.cpu_percent(interval=2.0)
        used = sum(sum(worker.cpu_times()[:2]) for worker in workers) - before
    return bounded("idle buffer", used / 2.0 * 100, "% of a core", 0.5)
