"""Batch runs that are killed at any stage, and what the same command makes of it."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.support.batch_files import (
    end,
    lines_in,
    make_cubes,
    results_in,
    start_batch,
    wait_until,
    workers_of,
)
from tests.support.tiny_project import BANDS, PIXELS, make_program

pytestmark = pytest.mark.slow

COUNT, LINES = 10, 1500


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder with program and cubes, and the results of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("batch")
    make_program(folder)
    make_cubes(folder / "in", COUNT, lines=LINES)
    process = start_batch(folder / "linear.dfp", folder / "in", out=folder / "out")
    told = process.communicate(timeout=50)
    assert process.returncode == 0, told
    results = results_in(folder / "out")
    assert len(results) == COUNT
    shutil.rmtree(folder / "out")
    return folder, results


@pytest.fixture
def begin(
    uninterrupted: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen]]:
    """Start the same command again and again; what is still running at the end is killed."""
    started: list[subprocess.Popen] = []
    folder, _ = uninterrupted

    def start() -> subprocess.Popen:
        process = start_batch(folder / "linear.dfp", folder / "in", out=tmp_path / "out")
        started.append(process)
        return process

    yield start
    for process in started:
        end(process)


def finishes_with_the_same_results(
    start: Callable[[], subprocess.Popen], out: Path, expected: dict[str, bytes]
) -> dict:
    """Run to the end; return the summary."""
    process = start()
    told = process.communicate(timeout=50)
    assert process.returncode == 0, told
    assert results_in(out) == expected
    assert not (out / ".unfinished").exists()
    entries = lines_in(out / "inputs.jsonl")
    assert [(e["state"], e["frames"]) for e in entries] == [("done", LINES)] * COUNT
    return json.loads((out / "summary.json").read_text())


def finished(out: Path) -> int:
    return len(results_in(out))


def begun(out: Path) -> bool:
    return any((out / ".unfinished").glob("*/*.jsonl"))


def wait_gone(processes: list, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while any(one.is_running() and one.status() != "zombie" for one in processes):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("stage", ["journal", "begun", "first", "half"])
def test_a_killed_run_goes_on_with_nothing_lost_or_doubled(
    stage: str,
    begin: Callable[[], subprocess.Popen],
    uninterrupted: tuple[Path, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    reached = {
        "journal": (out / "journal.sqlite3").exists,
        "begun": lambda: begun(out),
        "first": lambda: finished(out) >= 1,
        "half": lambda: finished(out) >= COUNT // 2,
    }
    process = begin()
    wait_until(reached[stage], process)
    workers = workers_of(process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    wait_gone(workers)
    left = results_in(out)

    assert all(uninterrupted[1][name] == content for name, content in left.items())
    summary = finishes_with_the_same_results(begin, out, uninterrupted[1])
    assert summary["already"] + summary["done"] == COUNT
    if stage == "half":
        assert summary["already"] >= COUNT // 2 - 3


def test_a_run_that_is_killed_three_times_in_a_row_still_finishes(
    begin: Callable[[], subprocess.Popen],
    uninterrupted: tuple[Path, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    for share in (2, 5, 8):
        process = begin()
        wait_until(lambda share=share: finished(out) >= share, process)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)

    finishes_with_the_same_results(begin, out, uninterrupted[1])


def test_killed_workers_are_replaced_and_their_inputs_done(
    begin: Callable[[], subprocess.Popen],
    uninterrupted: tuple[Path, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    process = begin()
    for share in (1, 4):
        wait_until(lambda share=share: finished(out) >= share, process)
        for worker in workers_of(process):
            with suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGKILL)
    told = process.communicate(timeout=50)

    assert process.returncode == 0, told
    assert results_in(out) == uninterrupted[1]
    assert json.loads((out / "summary.json").read_text())["workers_lost"] >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_leaves_nothing_unfinished(
    number: int,
    begin: Callable[[], subprocess.Popen],
    uninterrupted: tuple[Path, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    process = begin()
    wait_until(lambda: finished(out) >= 2, process)
    workers = workers_of(process)
    asked = time.monotonic()
    process.send_signal(number)
    _, told = process.communicate(timeout=20)
    took_s = time.monotonic() - asked

    assert process.returncode == 130
    assert told.strip() == "penstock: interrupted; run the same command again to go on"
    assert took_s < 5.0  # within a second where nobody else uses the cores
    assert not (out / ".unfinished").exists()
    wait_gone(workers)
    assert finishes_with_the_same_results(begin, out, uninterrupted[1])["already"] >= 1


def test_an_input_whose_workers_are_killed_each_time_fails_and_the_others_are_done(
    uninterrupted: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    shutil.copytree(uninterrupted[0] / "in", folder)
    large = np.random.default_rng(1).integers(0, 1000, (20_000, PIXELS, BANDS), np.uint16)
    np.save(folder / "large.npy", large)
    process = start_batch(uninterrupted[0] / "linear.dfp", folder, out=tmp_path / "out")
    try:
        while process.poll() is None:
            for worker in workers_of(process):
                if "large.npy" in maps_of(worker.pid):
                    with suppress(psutil.NoSuchProcess):
                        worker.send_signal(signal.SIGKILL)
            time.sleep(0.02)
        told, _ = process.communicate(timeout=20)
    finally:
        end(process)

    assert process.returncode == 1
    assert "large.npy ends the worker" in told
    [failed] = lines_in(tmp_path / "out" / "failed.jsonl")
    assert failed["input"].endswith("in/large.npy")
    assert "SIGKILL" in failed["sentence"]
    assert len(results_in(tmp_path / "out")) == COUNT


def maps_of(pid: int) -> str:
    """Return which files a process has mapped; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare for a small disk")
def test_a_full_disk_ends_the_run_with_a_sentence_and_room_lets_it_go_on(
    uninterrupted: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    folder, expected = uninterrupted
    out = tmp_path / "out"
    out.mkdir()
    run = f"{sys.executable} -m app batch {folder}/linear.dfp {folder}/in --out {out}"
    run += " --no-parquet --quiet"
    script = (
        f"mount -t tmpfs -o size=1m tmpfs {out} || exit 77\n"
        f"{run}; echo first $?\n"
        f"mount -o remount,size=100m {out}\n"
        f"{run}; echo second $?\n"
        f"cp -r {out} {tmp_path}/copy\n"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine does not let tests mount a small disk")

    assert "first 1" in done.stdout
    assert "No space left on device" in done.stderr or "disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "second 0" in done.stdout, done.stderr
    assert results_in(tmp_path / "copy") == expected
