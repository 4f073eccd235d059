"""Inputs for batch runs, runs in a process of their own, and what they leave."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path

import cv2
import numpy as np
import psutil

from engine.batch import BatchPlan, BatchSummary, JobSettings, open_batch_program, run_batch
from tests.support.tiny_project import BANDS, PIXELS

__all__ = (
    "end",
    "lines_in",
    "make_cubes",
    "make_pictures",
    "results_in",
    "run_here",
    "spawning",
    "start_batch",
    "wait_until",
    "workers_of",
)

LISTS = ("inputs.jsonl", "failed.jsonl")


@contextmanager
def spawning() -> Iterator[None]:
    """Start the helper process that spawning needs; else it would live as long as its parent."""
    resource_tracker.ensure_running()
    yield
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def make_cubes(folder: Path, count: int, *, lines: int) -> Path:
    """Write cubes c00.npy, c01.npy, ... that all differ, in every line; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        random = np.random.default_rng(number)
        cube = random.integers(0, 1000, (lines, PIXELS, BANDS), np.uint16)
        np.save(folder / f"c{number:02d}.npy", cube)
    return folder


def make_pictures(folder: Path, count: int, *, size: int = 40) -> Path:
    """Write pictures p00.png, p01.png, ... that all differ; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        random = np.random.default_rng(number)
        picture = random.integers(0, 255, (size, size + number, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"p{number:02d}.png"), picture)
    return folder


def run_here(
    program: Path,
    *inputs: Path | str,
    out: Path,
    settings: JobSettings | None = None,
    **more: object,
) -> BatchSummary:
    """Run a batch in this process, with real workers."""
    plan = BatchPlan(
        open_batch_program(program),
        tuple(map(str, inputs)),
        out,
        settings or JobSettings(),
        **more,
    )
    return run_batch(plan)


def start_batch(program: Path, *inputs: Path, out: Path, workers: int = 2) -> subprocess.Popen:
    """Start ``penstock batch`` as a user would, without waiting."""
    command = [sys.executable, "-m", "app", "batch", str(program), *map(str, inputs)]
    command += ["--out", str(out), "--workers", str(workers), "--no-parquet", "--quiet"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def results_in(out: Path) -> dict[str, bytes]:
    """Return the content of every result file by its name under the folder of results."""
    found = {}
    for place, folders, files in os.walk(out):
        folders[:] = [name for name in folders if name != ".unfinished"]
        for path in (Path(place) / name for name in files):
            if path.suffix in (".jsonl", ".parquet") and path.name.lstrip(".") not in LISTS:
                found[path.relative_to(out).as_posix()] = path.read_bytes()
    return {name: found[name] for name in sorted(found)}


def lines_in(path: Path) -> list[dict]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def wait_until(
    condition: Callable[[], object], process: subprocess.Popen, timeout_s: float = 40.0
) -> None:
    """Wait until a condition holds, while a process runs."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.005)


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Return the worker processes of a run."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
    return found


def end(process: subprocess.Popen) -> None:
    """Kill a run and everything below it, if it is still there."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
