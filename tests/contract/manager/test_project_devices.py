"""Which device the streams of a project use: the one it names, the user's choice, or device 0."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.config import EngineSettings, ProgramSettings, Project
from engine.errors import DeviceNotFoundError
from engine.plugins.device_list import ENVIRONMENT
from engine.plugins.simulator import ENVIRONMENT as SIMULATOR
from engine.service.store import StateStore
from engine.service.workspace import Workspace
from tests.support.manager_rig import frame, identity_program

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv(SIMULATOR, "rate_hz = 1000, devices = [{}, {}]")
    made = Workspace(StateStore(lambda _: None))
    yield made
    made.close()


def program(workspace: Workspace, folder: Path, **engine: Any) -> Any:
    (folder / "identity.dfp").write_bytes(identity_program())
    project = Project(
        engine=EngineSettings(**engine),
        programs=(ProgramSettings("identity", str(folder / "identity.dfp")),),
    )
    workspace.use_project(project, None)
    return workspace.programs.get("identity")


def frames(workspace: Workspace) -> list[int]:
    simulator: Any = workspace.registry.choose("simulator")
    return [device.state.frames for device in simulator.devices]


def test_a_project_may_name_a_device_of_a_plugin(workspace: Workspace, tmp_path: Path) -> None:
    loaded = program(workspace, tmp_path, plugin="simulator:1")
    assert loaded.session().run([frame(4)])[0][0, 0] == 4
    assert loaded.plugin_key == "simulator"
    assert frames(workspace) == [0, 1]


def test_a_project_that_names_a_device_that_is_not_there_is_told(
    workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(DeviceNotFoundError, match="no simulated device 2"):
        program(workspace, tmp_path, plugin="simulator:2").session()


def test_a_project_that_names_none_uses_device_0(workspace: Workspace, tmp_path: Path) -> None:
    loaded = program(workspace, tmp_path)
    loaded.session()
    assert loaded.plugin_key == "onnxruntime-cpu"


def test_a_project_that_names_none_uses_what_its_user_chose(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "simulator:1,*")
    loaded = program(workspace, tmp_path)
    loaded.session().run([frame(4)])
    assert frames(workspace) == [0, 1]


def test_a_plugin_that_the_project_switched_off_has_no_devices(
    workspace: Workspace, tmp_path: Path
) -> None:
    loaded = program(workspace, tmp_path, disabled_plugins=("onnxruntime-cpu",))
    loaded.session()
    assert loaded.plugin_key not in ("onnxruntime-cpu", "simulator", "")
