"""``penstock batch`` as scripts use it: what is printed, and the exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.batch_progress import progress_line
from app.exit_codes import DONE, FAILED, PROGRAM, USAGE
from engine.batch import BatchProgress
from tests.support.batch_files import make_cubes


def batch(*arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "app", "batch", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_run_tells_its_summary_as_json_and_ends_with_0(program: Path, tmp_path: Path) -> None:
    inputs = make_cubes(tmp_path / "in", 2, lines=3)
    code, printed, told = batch(program, inputs, "--out", tmp_path / "out", "--json", "--quiet")

    assert code == DONE, told
    summary = json.loads(printed)
    assert (summary["done"], summary["frames"], summary["plugin"]) == (2, 6, "onnxruntime-cpu")
    assert set(summary["worker_seconds"]) == {"decode", "pre", "execute", "post", "write"}
    assert told == ""


def test_a_failed_input_is_printed_and_ends_with_1(program: Path, tmp_path: Path) -> None:
    inputs = make_cubes(tmp_path / "in", 1, lines=3)
    (inputs / "bad.npy").write_bytes(b"no cube")
    code, printed, told = batch(program, inputs, "--out", tmp_path / "out")

    assert code == FAILED
    assert "bad.npy cannot be read" in printed
    assert "2 inputs: 1 done, 1 failed" in printed
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.dfp", "in"], PROGRAM, "none.dfp"),
        (["m.onnx", "in"], USAGE, "penstock compile"),
        (["{program}", "nothing.png"], USAGE, "nothing.png does not exist"),
        (["{program}", "in", "--executor", "cloud"], FAILED, "executor 'cloud'"),
        (["{program}", "in", "--workers", "-1"], USAGE, "--workers"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: list[str], code: int, words: str, program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "in", 1, lines=2)
    given = [argument.format(program=program) for argument in arguments]
    returned, _, told = batch(*given, "--out", tmp_path / "out")

    assert returned == code, told
    assert words in told
    assert "Traceback" not in told
    assert len([line for line in told.splitlines() if line.startswith("penstock:")]) == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(program: Path, tmp_path: Path) -> None:
    inputs = make_cubes(tmp_path / "in", 1, lines=2)
    (tmp_path / "file").write_text("")
    code, _, told = batch(program, inputs, "--out", tmp_path / "file" / "out")

    assert code == FAILED
    assert "cannot be written" in told
    assert "Traceback" not in told


def test_progress_has_counts_rate_and_time_left() -> None:
    assert progress_line(BatchProgress(is_planning=True, total=7), 1.0) == "looking for inputs: 7"
    half = BatchProgress(is_planning=False, total=12, already=2, done=4, failed=1, frames=80)
    assert (
        progress_line(half, 10.0) == "7 of 12 inputs, 1 failed, 80 frames, 8.0 frames/s, 10 s left"
    )
