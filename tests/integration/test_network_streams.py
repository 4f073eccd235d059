"""Two cameras in the network, run from a project file with a model of the demo."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from resources import resource_path
from tests.support.video_servers import HttpVideo, RtspServer, missing_rtsp

SECRET = "swordfish"

PROJECT = """
schema_version = 1
name = "two cameras"

[recorder]
enabled = true

[[programs]]
name = "squeezenet"
path = "{program}"

[[streams]]
name = "gate"
program = "squeezenet"
driver = "network-stream"

[streams.source]
url = "{gate}"
max_rate_hz = 10.0

[[streams]]
name = "yard"
program = "squeezenet"
driver = "network-stream"

[streams.source]
url = "{yard}"
user = "ann"
password = "{secret}"
"""


def run(folder: Path, gate: str, yard: str, seconds: int) -> tuple[int, str, str]:
    program = resource_path("demo/programs/squeezenet.dfp")
    project = folder / "project.toml"
    project.write_text(PROJECT.format(program=program, gate=gate, yard=yard, secret=SECRET))
    command = [sys.executable, "-m", "app", "run", str(project), "--seconds", str(seconds)]
    done = subprocess.run(
        [*command, "--quiet", "--json", "--report", str(folder / "report.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def everything_written(folder: Path) -> str:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "project.toml"]
    assert any(path.suffix == ".jsonl" for path in paths)
    return "".join(path.read_text() for path in paths)


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_rtsp()), reason=missing_rtsp())
def test_two_network_cameras_run_from_a_project_file(tmp_path: Path) -> None:
    with HttpVideo(login=f"ann:{SECRET}") as yard, RtspServer(login=("ann", SECRET)) as gate:
        url = gate.url(login=f"ann:{SECRET}")
        code, printed, told = run(tmp_path, url, yard.url(), seconds=5)

    assert code == 0, told
    streams = {one["name"]: one for one in json.loads(printed)["streams"]}
    for name in ("gate", "yard"):
        one = streams[name]
        assert one["frames_out"] > 5, told
        assert one["restarts"] == 0
        total = one["frames_out"] + sum(one["dropped"].values()) + one["in_flight"]
        assert one["frames_in"] == total
    assert streams["gate"]["frames_in"] < 70  # ten a second
    assert SECRET not in printed + told + everything_written(tmp_path)


def test_a_camera_that_refuses_is_told_in_one_sentence(tmp_path: Path) -> None:
    with HttpVideo(login="bob:else") as yard:
        code, _, told = run(tmp_path, yard.url(login=f"ann:{SECRET}"), yard.url(), seconds=40)

    assert code != 0
    assert f"network stream http://127.0.0.1:{yard.port}/cam.mjpg" in told
    assert "another user or password (401)" in told
    assert "Traceback" not in told
    assert SECRET not in told
