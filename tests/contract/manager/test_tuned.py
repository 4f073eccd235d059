"""Programs that `penstock tune` found a plugin for, on shared devices and in the engine."""

import logging
from pathlib import Path

import pytest

from engine import Dfp, SyncAccl
from engine.config import EngineSettings, ProgramSettings, Project
from engine.dfp import Tuned, pack_dfp
from engine.service.store import StateStore
from engine.service.workspace import Workspace
from tests.support.manager_rig import Rig, frame, identity_program


def tuned_for(plugin: str) -> Dfp:
    """Return a program, y = x, tuned for a plugin."""
    plain = Dfp(identity_program())
    graphs = {name: plain.member(name) for name in plain.manifest.members}
    return Dfp(pack_dfp(name="tuned", models=plain.models, graphs=graphs, tuned=Tuned(plugin)))


@pytest.mark.slow
def test_a_tuned_program_goes_to_the_shared_device_of_its_plugin(own: Rig) -> None:
    own.start("onnxruntime-cpu", "onnx-reference")
    with SyncAccl(tuned_for("onnx-reference"), **own.place) as accl:
        assert accl.run(frame(3))[0, 0] == 3
        clients = [len(device.clients) for device in own.status.devices]
        assert accl.device_ids == [0]
        assert accl.get_pressure(0) in ("low", "medium", "high", "full", "N/A")
    assert clients == [0, 1]


@pytest.mark.slow
@pytest.mark.expected_log
def test_a_tuned_program_runs_on_the_first_device_where_its_plugin_is_not_shared(
    own: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    own.start("onnxruntime-cpu")
    with (
        caplog.at_level(logging.WARNING),
        SyncAccl(tuned_for("onnx-reference"), **own.place) as accl,
    ):
        assert accl.run(frame(3))[0, 0] == 3
    assert "tuned for onnx-reference, which the device manager does not share" in caplog.text


@pytest.mark.slow
def test_a_device_that_was_chosen_is_used_however_a_program_was_tuned(own: Rig) -> None:
    own.start("onnx-reference", "onnxruntime-cpu")
    with SyncAccl(tuned_for("onnx-reference"), [1], **own.place) as accl:
        assert accl.run(frame(3))[0, 0] == 3
        assert [len(device.clients) for device in own.status.devices] == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "used"), [("", "onnx-reference"), ("onnxruntime-cpu", "onnxruntime-cpu")]
)
def test_a_tuned_program_of_a_project_runs_with_its_plugin_where_the_project_names_none(
    chosen: str, used: str, tmp_path: Path
) -> None:
    tuned_for("onnx-reference").write(tmp_path / "tuned.dfp")
    project = Project(
        engine=EngineSettings(plugin=chosen),
        programs=(ProgramSettings("tuned", str(tmp_path / "tuned.dfp")),),
    )
    workspace = Workspace(StateStore(lambda _: None))
    try:
        workspace.use_project(project, None)
        program = workspace.programs.get("tuned")
        program.session()
        assert program.plugin_key == used
    finally:
        workspace.close()
