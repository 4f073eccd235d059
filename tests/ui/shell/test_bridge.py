"""The bridge tells only what is new, and can start the engine again."""

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from engine.config import Project
from engine.errors import DriverNotFoundError, EngineDiedError, EngineError
from engine.protocol import (
    Answer,
    EnginePhase,
    LoadProject,
    LogEntry,
    SetProject,
    Snapshot,
    StartAll,
    StopAll,
    Telemetry,
)
from tests.ui.fakes import FakeConnection, demo_snapshot
from ui.bridge.bridge import EngineBridge


class Ears:
    """Hears everything a bridge tells."""

    def __init__(self, bridge: EngineBridge) -> None:
        self.snapshots: list[Snapshot] = []
        self.telemetry: list[Telemetry] = []
        self.log: list[LogEntry] = []
        self.deaths: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.ticks = 0
        self.restarts = 0
        bridge.snapshot_changed.connect(self.snapshots.append)
        bridge.telemetry_changed.connect(self.telemetry.append)
        bridge.log_arrived.connect(self.log.extend)
        bridge.engine_died.connect(self.deaths.append)
        bridge.command_failed.connect(self._on_failed)
        bridge.ticked.connect(self._on_tick)
        bridge.engine_restarted.connect(self._on_restarted)

    def _on_failed(self, sentence: str, details: str) -> None:
        self.failures.append((sentence, details))

    def _on_tick(self) -> None:
        self.ticks += 1

    def _on_restarted(self) -> None:
        self.restarts += 1


def test_the_same_state_is_told_once(qtbot: QtBot) -> None:
    connection = FakeConnection(demo_snapshot())
    bridge = EngineBridge(connection)
    ears = Ears(bridge)
    bridge.tick()
    bridge.tick()
    assert ears.snapshots == [connection.snapshot]
    assert ears.ticks == 2


def test_telemetry_and_log_are_told_when_they_arrive(qtbot: QtBot) -> None:
    connection = FakeConnection()
    bridge = EngineBridge(connection)
    ears = Ears(bridge)
    bridge.tick()
    assert ears.telemetry == []
    connection.telemetry = Telemetry(at_ns=5)
    connection.log = [LogEntry(1, "INFO", "engine", "hello")]
    bridge.tick()
    bridge.tick()
    assert [t.at_ns for t in ears.telemetry] == [5]
    assert [entry.message for entry in ears.log] == ["hello"]


def test_a_reply_comes_with_the_next_tick(qtbot: QtBot) -> None:
    bridge = EngineBridge(FakeConnection())
    got: list[tuple[Answer | None, EngineError | None]] = []
    bridge.ask(StopAll(), lambda answer, error: got.append((answer, error)))
    assert got == []
    bridge.tick()
    assert got == [(Answer(), None)]


def test_a_failed_command_is_told_with_its_details(qtbot: QtBot) -> None:
    connection = FakeConnection(error=DriverNotFoundError("no driver 'x'", driver="x"))
    bridge = EngineBridge(connection)
    ears = Ears(bridge)
    bridge.ask(StartAll())
    bridge.tick()
    assert ears.failures == [("no driver 'x'", "driver: x")]


def test_the_end_of_the_engine_is_told_once(qtbot: QtBot) -> None:
    connection = FakeConnection()
    bridge = EngineBridge(connection)
    ears = Ears(bridge)
    connection.engine_outcome = "the engine (process 7) was killed by SIGKILL"
    bridge.tick()
    bridge.tick()
    assert ears.deaths == ["the engine (process 7) was killed by SIGKILL"]
    assert not bridge.is_engine_alive


def test_a_command_to_an_engine_that_ended_fails_at_once(qtbot: QtBot) -> None:
    connection = FakeConnection(engine_outcome="the engine ended")
    bridge = EngineBridge(connection)
    bridge.tick()
    got: list[EngineError | None] = []
    bridge.ask(StartAll(), lambda _, error: got.append(error))
    assert connection.sent == []
    assert "start it again" in str(got[0])


def test_a_restart_loads_the_project_file_again_and_runs_it_when_it_ran(qtbot: QtBot) -> None:
    old = FakeConnection(demo_snapshot(is_modified=False))
    new = FakeConnection()
    bridge = EngineBridge(old, relaunch=lambda: new)
    ears = Ears(bridge)
    bridge.tick()
    old.engine_outcome = "the engine ended"
    bridge.tick()
    assert bridge.restart()
    assert old.is_closed
    assert new.sent == [LoadProject("/home/ada/line3/demo.toml"), StartAll()]
    assert ears.restarts == 1
    assert bridge.is_engine_alive


def test_a_restart_keeps_changes_that_were_not_saved(qtbot: QtBot) -> None:
    before = demo_snapshot(phase=EnginePhase.IDLE, is_modified=True)
    old, new = FakeConnection(before), FakeConnection()
    bridge = EngineBridge(old, relaunch=lambda: new)
    bridge.tick()
    old.engine_outcome = "the engine ended"
    bridge.tick()
    bridge.restart()
    assert new.sent == [SetProject(before.project, "/home/ada/line3")]


def test_the_empty_state_of_a_new_engine_is_not_shown(qtbot: QtBot) -> None:
    old, new = FakeConnection(demo_snapshot()), FakeConnection()
    bridge = EngineBridge(old, relaunch=lambda: new)
    ears = Ears(bridge)
    bridge.tick()
    old.engine_outcome = "the engine ended"
    bridge.tick()
    bridge.restart()
    bridge.tick()
    assert len(ears.snapshots) == 1
    new.snapshot = msgspec.structs.replace(demo_snapshot(), project=Project(name="again"))
    bridge.tick()
    assert ears.snapshots[-1].project.name == "again"


@pytest.mark.expected_log
def test_an_engine_that_cannot_be_started_is_told_as_a_sentence(qtbot: QtBot) -> None:
    def relaunch() -> FakeConnection:
        raise EngineDiedError("the engine (process 9) ended with exit code 3")

    bridge = EngineBridge(FakeConnection(engine_outcome="the engine ended"), relaunch=relaunch)
    ears = Ears(bridge)
    bridge.tick()
    assert not bridge.restart()
    assert "exit code 3" in ears.deaths[-1]


def test_a_running_engine_is_not_started_twice(qtbot: QtBot) -> None:
    bridge = EngineBridge(FakeConnection(), relaunch=FakeConnection)
    bridge.tick()
    assert not bridge.restart()


def test_closing_lets_go_of_the_engine_and_may_be_done_twice(qtbot: QtBot) -> None:
    connection = FakeConnection()
    bridge = EngineBridge(connection)
    ears = Ears(bridge)
    bridge.start()
    bridge.close()
    bridge.close()
    bridge.tick()
    assert connection.is_closed
    assert ears.ticks == 0
