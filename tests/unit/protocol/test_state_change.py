"""Changes, applied in order, turn a snapshot into the engine's state."""

import msgspec
import pytest

from engine.config import Project
from engine.protocol import (
    DriverState,
    EnginePhase,
    EngineStatus,
    LicenseState,
    PluginState,
    ProgramState,
    RecorderState,
    Snapshot,
    StateChange,
    StreamPhase,
    StreamState,
)

BEFORE = Snapshot(
    version=4,
    engine=EngineStatus(phase=EnginePhase.RUNNING),
    project=Project(name="old"),
    license=LicenseState(licensee="Ann"),
    plugins=(PluginState("k", "id", "name"),),
    drivers=(DriverState("video-file", "Video file"),),
    programs=(ProgramState("p", "p.dfp"),),
    streams=(StreamState("a"), StreamState("b", StreamPhase.RUNNING)),
    recorder=RecorderState(is_recording=True),
)
SECTIONS: dict[str, object] = {
    "engine": EngineStatus(message="stopped"),
    "project": Project(name="new"),
    "license": LicenseState(licensee="Bob"),
    "plugins": (),
    "drivers": (DriverState("cube-line", "Cube"),),
    "programs": (),
    "recorder": RecorderState(problem="disk full"),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_only_the_named_section_changes(name: str) -> None:
    change = StateChange(5, **{name: SECTIONS[name]})
    expected = msgspec.structs.replace(BEFORE, version=5, **{name: SECTIONS[name]})
    assert change.apply_to(BEFORE) == expected


def test_every_section_of_a_snapshot_can_change() -> None:
    sections = set(Snapshot.__struct_fields__) - {"version"}
    assert sections == {*SECTIONS, "streams"}
    assert sections <= set(StateChange.__struct_fields__)


def test_an_empty_change_moves_only_the_version() -> None:
    assert StateChange(5).apply_to(BEFORE) == msgspec.structs.replace(BEFORE, version=5)


def test_a_changed_stream_keeps_its_place_and_leaves_the_others_alone() -> None:
    failed = StreamState("a", StreamPhase.FAILED, "no file")
    after = StateChange(5, streams=(failed,)).apply_to(BEFORE)
    assert after.streams == (failed, BEFORE.streams[1])


def test_a_change_of_a_stream_that_was_removed_does_not_bring_it_back() -> None:
    after = StateChange(5, streams=(StreamState("gone"),)).apply_to(BEFORE)
    assert after.streams == BEFORE.streams


def test_a_complete_list_adds_removes_and_orders_streams() -> None:
    streams = (StreamState("c"), BEFORE.streams[1])
    after = StateChange(5, streams=streams, are_streams_complete=True).apply_to(BEFORE)
    assert after.streams == streams


def test_all_streams_can_be_removed() -> None:
    assert StateChange(5, streams=(), are_streams_complete=True).apply_to(BEFORE).streams == ()


def test_the_snapshot_before_is_left_as_it_was() -> None:
    before = msgspec.msgpack.encode(BEFORE)
    StateChange(5, engine=EngineStatus(), streams=(StreamState("a", restarts=3),)).apply_to(BEFORE)
    assert msgspec.msgpack.encode(BEFORE) == before


def test_a_change_that_travelled_has_the_same_effect() -> None:
    change = StateChange(5, streams=(StreamState("b", restarts=2),), plugins=())
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(change), type=StateChange)
    assert again.apply_to(BEFORE) == change.apply_to(BEFORE)
