"""Bad input on the command line: one sentence, the right exit code, no traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.exit_codes import DEVICE, DONE, LICENSE, PROGRAM, USAGE
from tests.support.tiny_project import make_project


def penstock(*arguments: str, timeout_s: float = 40.0) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def run(project: Path, *more: str) -> tuple[int, str, str]:
    return penstock("run", str(project), "--seconds", "2", "--quiet", *more)


def edit(project: Path, before: str, after: str) -> None:
    text = project.read_text()
    assert before in text
    project.write_text(text.replace(before, after))


def refuses(outcome: tuple[int, str, str], code: int, *words: str) -> None:
    returned, _, told = outcome
    assert returned == code, told
    assert "Traceback" not in told
    lines = [line for line in told.splitlines() if line.startswith("penstock:")]
    assert len(lines) == 1, told
    for word in words:
        assert word in lines[0]


def test_a_run_writes_the_report_with_exact_counters(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    code, printed, told = run(project, "--json", "--report", str(tmp_path / "deep" / "r.json"))

    assert code == DONE, told
    report = json.loads((tmp_path / "deep" / "r.json").read_text())
    assert json.loads(printed) == report
    [stream] = report["streams"]
    assert stream["frames_out"] > 100
    total = stream["frames_out"] + sum(stream["dropped"].values()) + stream["in_flight"]
    assert stream["frames_in"] == total
    assert {"p50", "p95", "p99"} == set(stream["latency_ms"])
    assert report["environment"]["plugins"]["onnxruntime-cpu"] == "available"


def test_a_run_ends_by_itself_when_the_sources_have_ended(tmp_path: Path) -> None:
    project = make_project(tmp_path, is_looped=False)
    code, _, told = penstock("run", str(project), "--quiet")

    assert code == DONE, told


def test_an_unknown_key_is_named_with_its_path(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    edit(project, "[engine]", "[engine]\nlaness = 3")

    refuses(run(project), USAGE, "engine.laness", "did you mean 'lanes'")


def test_a_wrong_type_is_named_with_its_path(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    edit(project, "queue_depth = 3", 'queue_depth = "three"')

    refuses(run(project), USAGE, "streams[0].queue_depth", "whole number")


def test_a_missing_project_is_refused(tmp_path: Path) -> None:
    refuses(run(tmp_path / "none.toml"), USAGE, "none.toml", "No such file")


def test_a_missing_media_file_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    (tmp_path / "cube.npy").unlink()

    refuses(run(project), DEVICE, "cube.npy", "'one'")


def test_a_truncated_program_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    dfp = tmp_path / "linear.dfp"
    dfp.write_bytes(dfp.read_bytes()[:-100])

    refuses(run(project), PROGRAM, "linear.dfp")


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    (tmp_path / "linear.dfp").write_bytes(b"not a program at all")

    refuses(run(project), PROGRAM, "linear.dfp")


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100])
def test_a_license_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    project = make_project(tmp_path)
    (tmp_path / "own.lic").write_bytes(content)
    edit(project, 'license = ""', 'license = "own.lic"')

    refuses(run(project), LICENSE, "own.lic")


def test_a_license_with_one_changed_byte_is_refused(tmp_path: Path) -> None:
    from engine.license import bundled_license

    data = bytearray(bundled_license())
    data[len(data) // 2] ^= 1
    project = make_project(tmp_path)
    (tmp_path / "own.lic").write_bytes(data)
    edit(project, 'license = ""', 'license = "own.lic"')

    refuses(run(project), LICENSE, "own.lic")


def test_a_missing_driver_folder_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    edit(project, "driver_directories = []", 'driver_directories = ["nowhere"]')
    code, _, told = penstock("run", str(project), "--seconds", "2")

    assert code == DONE
    assert "nowhere" in told


def test_a_report_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    (tmp_path / "file").write_text("")

    refuses(run(project, "--report", str(tmp_path / "file" / "r.json")), 1, "r.json")


def test_an_unknown_driver_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    edit(project, 'driver = "cube-line"', 'driver = "cube-lime"')

    refuses(run(project), DEVICE, "did you mean 'cube-line'")


VERBS = (
    "gui run demo serve compile inspect bench tune devices plugins drivers license manager exec "
    "doctor"
)


@pytest.mark.parametrize("verb", VERBS.split())
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    code, printed, _ = penstock(verb, "--help")

    assert code == DONE
    assert f"Usage: penstock {verb}" in printed
    assert "Example: penstock" in printed


def test_without_a_verb_all_are_listed() -> None:
    _, printed, _ = penstock("--help")

    assert [verb for verb in VERBS.split() if f" {verb} " not in printed] == []


def test_an_unknown_verb_is_a_usage_error() -> None:
    code, _, told = penstock("dance")

    assert code == USAGE
    assert "dance" in told
