"""A batch run whose workers are actors of a Ray cluster on this machine."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.batch_files import end, make_cubes, results_in, wait_until
from tests.support.tiny_project import make_program

pytest.importorskip("ray", reason="ray is not installed: pip install 'penstock[cluster]'")
pytestmark = [pytest.mark.slow, pytest.mark.soak]

COUNT = 12


@pytest.fixture
def ray_folder() -> Iterator[str]:
    """A short folder for Ray's sockets; what is still alive in it at the end is a failure."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield folder
        wait_until_ray_is_gone(folder)


def wait_until_ray_is_gone(folder: str) -> None:
    deadline = time.monotonic() + 20
    while left := [p for p in psutil.process_iter(["cmdline"]) if is_in(p, folder)]:
        assert time.monotonic() < deadline, [p.info["cmdline"] for p in left]
        time.sleep(0.1)


def is_in(process: psutil.Process, folder: str) -> bool:
    return any(folder in word for word in process.info["cmdline"] or ())


def start(
    program: Path, inputs: Path, out: Path, executor: str, ray_folder: str
) -> subprocess.Popen:
    command = [sys.executable, "-m", "app", "batch", str(program), str(inputs)]
    command += ["--out", str(out), "--executor", executor, "--workers", "2", "--json", "--quiet"]
    environment = {
        **os.environ,
        "RAY_ADDRESS": "local",  # Ray would join any other that runs on this machine
        "RAY_TMPDIR": ray_folder,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def batch(program: Path, inputs: Path, out: Path, executor: str, ray_folder: str) -> dict:
    process = start(program, inputs, out, executor, ray_folder)
    try:
        printed, told = process.communicate(timeout=55)
    finally:
        end(process)
    assert process.returncode == 0, told
    return json.loads(printed)


def test_a_run_on_a_cluster_gives_the_same_files_as_one_on_this_machine(
    tmp_path: Path, ray_folder: str
) -> None:
    program = make_program(tmp_path)
    inputs = make_cubes(tmp_path / "in", COUNT, lines=20)
    here = batch(program, inputs, tmp_path / "here", "processes", ray_folder)
    there = batch(program, inputs, tmp_path / "there", "ray", ray_folder)
    again = batch(program, inputs, tmp_path / "there", "processes", ray_folder)

    assert (here["done"], there["done"], there["executor"]) == (COUNT, COUNT, "ray")
    assert results_in(tmp_path / "there") == results_in(tmp_path / "here")
    assert (again["already"], again["done"]) == (COUNT, 0)


def test_a_run_on_a_cluster_that_is_killed_goes_on_with_nothing_lost_or_doubled(
    tmp_path: Path, ray_folder: str
) -> None:
    program = make_program(tmp_path)
    inputs = make_cubes(tmp_path / "in", COUNT, lines=600)
    here = batch(program, inputs, tmp_path / "here", "processes", ray_folder)
    out = tmp_path / "there"
    process = start(program, inputs, out, "ray", ray_folder)
    try:
        wait_until(lambda: len(results_in(out)) >= 3, process)
    finally:
        end(process)
    wait_until_ray_is_gone(ray_folder)
    there = batch(program, inputs, out, "ray", ray_folder)

    assert here["done"] == COUNT
    assert there["already"] + there["done"] == COUNT
    assert results_in(out) == results_in(tmp_path / "here")
