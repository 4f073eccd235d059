"""A stream whose camera loses frames, and is lost itself: counters balance, it starts again."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.config import EngineSettings, ProgramSettings, Project, StreamSettings, save_project
from engine.protocol import GetReport, LoadProject, StartAll, StopAll, StreamPhase, StreamReport
from tests.support.tiny_project import BANDS, PIXELS, make_program

CAMERA = f"""
import time
from pathlib import Path
from engine.drivers import BaseDriver, NoFrameYetError
from engine.errors import DriverError
from engine.protocol import FrameFormat, FrameKind

class Driver(BaseDriver):
    def open(self, parameters):
        self.cable, self.calls = Path(parameters["cable"]), 0
        if not self.cable.exists():
            raise DriverError("the camera is lost; plug it in")
        return FrameFormat(FrameKind.LINE, ({PIXELS}, {BANDS}), "uint16")

    def read(self, out):
        time.sleep(0.002)
        self.calls += 1
        if self.calls % 5 == 0:
            self.lost_count += 3
            raise NoFrameYetError
        if self.calls % 50 == 1 and not self.cable.exists():
            raise DriverError("the camera is lost; plug it in")
        out[...] = 100
"""


@pytest.fixture
def client() -> Iterator[EngineClient]:
    with EngineClient.launch(name="test") as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Write a project with the lossy camera; the file ``cable`` connects it."""
    folder = tmp_path / "drivers" / "lossy"
    folder.mkdir(parents=True)
    (folder / "manifest.toml").write_text(
        'name = "lossy"\nlabel = "Lossy"\napi_version = 2\nhas_own_parameters = true\n'
    )
    (folder / "driver.py").write_text(CAMERA)
    make_program(tmp_path)
    cable = tmp_path / "cable"
    cable.touch()
    written = Project(
        name="lossy",
        engine=EngineSettings(driver_directories=(str(tmp_path / "drivers"),)),
        programs=(ProgramSettings("linear", "linear.dfp"),),
        streams=(StreamSettings("one", "linear", "lossy", {"cable": str(cable)}),),
    )
    path = tmp_path / "project.toml"
    save_project(written, path)
    return path


def until(client: EngineClient, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, client.snapshot.streams
        client.wait(0.05)
        client.pump()


def report(client: EngineClient) -> StreamReport:
    found = client.call(GetReport()).report
    assert found is not None
    return found.streams[0]


def phase(client: EngineClient) -> StreamPhase:
    return client.snapshot.streams[0].phase


@pytest.mark.slow
@pytest.mark.expected_log
def test_lost_frames_are_counted_and_a_lost_camera_is_found_again(
    client: EngineClient, project: Path
) -> None:
    client.call(LoadProject(str(project)))
    client.call(StartAll())
    until(client, lambda: report(client).dropped.get("lost_by_device", 0) >= 30)
    assert report(client).frames_out > 0

    (project.parent / "cable").unlink()
    until(client, lambda: phase(client) is StreamPhase.RESTARTING)
    assert "plug it in" in client.snapshot.streams[0].message
    before = report(client).frames_out
    (project.parent / "cable").touch()
    until(client, lambda: report(client).frames_out > before)

    client.call(StopAll())
    found = report(client)
    assert found.in_flight == 0
    assert found.frames_in == found.frames_out + sum(found.dropped.values())
    assert found.dropped["lost_by_device"] % 3 == 0
    assert found.restarts >= 1
