"""The engine service with real processes: counters, stages, policies, commands, kills."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from engine.client import EngineClient, PreviewReader, find_endpoints
from engine.config import Policy, StreamSettings
from engine.errors import (
    BusyError,
    ConfigError,
    EngineDiedError,
    StreamNotFoundError,
    WrongStateError,
)
from engine.protocol import (
    AddStream,
    EnginePhase,
    GetReport,
    LoadProject,
    RemoveStream,
    Report,
    SaveProject,
    SetLanes,
    SetPluginEnabled,
    SetPreview,
    SetRecording,
    SetStreamEnabled,
    StartAll,
    StartStream,
    StopAll,
    StopStream,
    StreamFigures,
    StreamPhase,
    StreamReport,
    StreamState,
    UnloadProgram,
    UpdateStream,
)
from tests.support.tiny_project import LINES, make_project

Until = Callable[[EngineClient, Callable[[], object]], None]


@pytest.fixture
def client() -> Iterator[EngineClient]:
    with EngineClient.launch(name="test") as running:
        yield running


def until(client: EngineClient, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    import time

    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {client.snapshot.streams}"
        client.wait(0.05)
        client.pump()


def stream(client: EngineClient, name: str = "one") -> StreamState:
    return next(s for s in client.snapshot.streams if s.name == name)


def figures(client: EngineClient, name: str = "one") -> StreamFigures:
    streams = client.telemetry.streams if client.telemetry else ()
    return next((f for f in streams if f.name == name), StreamFigures(name))


def report(client: EngineClient) -> Report:
    answer = client.call(GetReport()).report
    assert answer is not None
    return answer


def running(client: EngineClient, project: Path) -> None:
    client.call(LoadProject(str(project)))
    client.call(StartAll())
    until(client, lambda: all(s.phase is StreamPhase.RUNNING for s in client.snapshot.streams))


def balanced(stream: StreamReport) -> bool:
    return stream.frames_in == stream.frames_out + sum(stream.dropped.values()) + stream.in_flight


def test_counters_balance_and_stages_add_up_to_the_age(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path, names=("one", "two")))
    until(client, lambda: all(figures(client, n).frames_out > 100 for n in ("one", "two")))

    for one in report(client).streams:
        assert balanced(one)
        assert one.frames_out > 100
        assert sum(one.stages_mean_ms.values()) == pytest.approx(one.age_mean_ms, rel=0.02)
        assert set(one.found) == {"low", "high"}
        assert one.latency_ms.p50 <= one.latency_ms.p95 <= one.latency_ms.p99


def test_blocking_delivers_every_frame_of_a_source_that_ends(
    client: EngineClient, tmp_path: Path
) -> None:
    running_project = make_project(tmp_path, rate_hz=2000.0, is_looped=False, policy=Policy.BLOCK)
    client.call(LoadProject(str(running_project)))
    client.call(StartAll())
    until(client, lambda: stream(client).phase is StreamPhase.FINISHED)

    [one] = report(client).streams
    assert (one.frames_in, one.frames_out, one.dropped) == (LINES, LINES, {})
    assert client.snapshot.engine.phase is EnginePhase.IDLE


def test_every_frame_is_counted_when_the_source_is_far_too_fast(
    client: EngineClient, tmp_path: Path
) -> None:
    project = make_project(tmp_path, rate_hz=20_000.0, is_looped=False, lines=5_000)
    client.call(LoadProject(str(project)))
    client.call(StartAll())
    until(client, lambda: stream(client).phase is StreamPhase.FINISHED)

    [one] = report(client).streams
    assert one.frames_in == 5_000
    assert balanced(one)
    assert one.in_flight == 0


def test_stopping_takes_less_than_a_second_and_counts_everything(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path, names=tuple("abcd")))

    client.call(StopAll(), timeout_s=1.0)

    assert all(balanced(one) and one.in_flight == 0 for one in report(client).streams)
    client.pump()
    assert all(s.phase is StreamPhase.STOPPED for s in client.snapshot.streams)


def test_a_stream_can_be_stopped_while_it_is_starting(client: EngineClient, tmp_path: Path) -> None:
    client.call(LoadProject(str(make_project(tmp_path))))
    client.call(StartAll())
    client.call(StopAll(), timeout_s=3.0)
    until(client, lambda: stream(client).phase is StreamPhase.STOPPED)


@pytest.mark.expected_log
def test_kill_of_one_driver_leaves_the_others_whole_and_brings_it_back(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path, names=("one", "two"), policy=Policy.BLOCK))
    until(client, lambda: figures(client, "one").frames_out > 50)
    log = client.drain_log()
    killed = stream(client, "one").driver_pid

    os.kill(killed, signal.SIGKILL)
    until(
        client,
        lambda: (
            stream(client, "one").phase is StreamPhase.RUNNING
            and stream(client, "one").driver_pid not in (0, killed)
        ),
        timeout_s=3.0,
    )

    assert stream(client, "one").restarts == 1
    log = client.drain_log()
    assert any("SIGKILL" in e.message and e.stream == "one" for e in log), log
    two = next(s for s in report(client).streams if s.name == "two")
    assert two.dropped == {}
    assert two.restarts == 0


def test_kill_of_the_engine_is_told_in_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with EngineClient.launch() as client:
        running(client, make_project(tmp_path, names=("one", "two")))
        pids = [s.driver_pid for s in client.snapshot.streams]
        os.kill(client.engine_pid, signal.SIGKILL)
        until(client, lambda: client.engine_outcome, timeout_s=2.0)

        assert client.engine_outcome is not None
        assert "SIGKILL" in client.engine_outcome
        with pytest.raises(EngineDiedError, match="SIGKILL"):
            client.call(StopAll())
        until(client, lambda: not any(psutil.pid_exists(pid) for pid in pids), timeout_s=3.0)


def test_a_second_client_sees_the_same_state_and_may_leave(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path))
    with EngineClient.attach(client.endpoint.folder) as other:
        until(other, lambda: figures(other).frames_out > 0)
        client.pump()
        assert other.snapshot.project == client.snapshot.project
        assert any(e.folder == client.endpoint.folder for e in find_endpoints())

    until(client, lambda: figures(client).frames_out > 100)


def test_a_preview_shows_the_frame_its_result_belongs_to(
    client: EngineClient, tmp_path: Path
) -> None:
    client.call(LoadProject(str(make_project(tmp_path))))
    client.call(SetPreview("one", is_watched=True))
    client.call(StartAll())
    until(client, lambda: stream(client).preview)
    place = stream(client).preview
    assert place is not None
    with PreviewReader(place) as reader:
        until(client, lambda: figures(client).frames_out > 100)
        preview = reader.read()
        assert preview is not None
        assert preview.class_map is not None
        assert preview.result.line is not None
        assert bytes(preview.class_map[-1]) == preview.result.line.classes
        dark, bright = preview.picture[-1, 0, :3], preview.picture[-1, -1, :3]
        assert int(dark.max()) < int(bright.min())
        client.call(SetPreview("one", is_watched=False))
        until(client, lambda: stream(client).preview is None)


def test_recording_writes_lines_and_stops_on_demand(client: EngineClient, tmp_path: Path) -> None:
    running(client, make_project(tmp_path))
    client.call(SetRecording(is_recording=True, directory="out"))
    until(client, lambda: client.snapshot.recorder.records > 10)
    client.call(SetRecording(is_recording=False))

    [file] = (tmp_path / "out").glob("one-*.jsonl")
    assert len(file.read_text().splitlines()) > 10


@pytest.mark.expected_log
def test_recording_into_a_folder_that_cannot_be_made_is_refused(
    client: EngineClient, tmp_path: Path
) -> None:
    from engine.errors import OutputError

    running(client, make_project(tmp_path))
    with pytest.raises(OutputError, match="choose a folder that can be written"):
        client.call(SetRecording(is_recording=True, directory="/proc/nowhere"))
    assert "/proc/nowhere" in client.snapshot.recorder.problem
    assert stream(client).phase is StreamPhase.RUNNING


def test_streams_can_be_added_changed_toggled_and_removed_while_others_run(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path, names=("one",), policy=Policy.BLOCK))
    source = {"path": "cube.npy", "rate_hz": 50.0}
    client.call(AddStream(StreamSettings("extra", "linear", "cube-line", source)))
    client.call(StartStream("extra"))
    until(client, lambda: stream(client, "extra").phase is StreamPhase.RUNNING)
    pid = stream(client, "extra").driver_pid

    client.call(
        UpdateStream("extra", StreamSettings("extra", "linear", "cube-line", source, threshold=0.9))
    )
    assert stream(client, "extra").driver_pid == pid, "a new threshold needs no restart"
    faster = {**source, "rate_hz": 90.0}
    client.call(UpdateStream("extra", StreamSettings("extra", "linear", "cube-line", faster)))
    until(client, lambda: stream(client, "extra").driver_pid not in (0, pid))

    client.call(SetStreamEnabled("extra", is_enabled=False))
    until(client, lambda: stream(client, "extra").phase is StreamPhase.STOPPED)
    client.call(SetStreamEnabled("extra", is_enabled=True))
    until(client, lambda: stream(client, "extra").phase is StreamPhase.RUNNING)
    client.call(RemoveStream("extra"))
    until(client, lambda: len(client.snapshot.streams) == 1)
    assert report(client).streams[0].dropped == {}
    assert client.snapshot.engine.is_modified


def test_the_number_of_lanes_changes_while_streams_run(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path, policy=Policy.BLOCK))
    for lanes in (1, 4, 2):
        client.call(SetLanes(lanes))
        before = figures(client).frames_out
        until(client, lambda before=before: figures(client).frames_out > before + 50)
        assert client.snapshot.engine.lanes == lanes
    assert report(client).streams[0].dropped == {}


@pytest.mark.expected_log
def test_a_disabled_plugin_is_not_used_by_streams_that_start_later(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path))
    client.call(SetPluginEnabled("onnxruntime-cpu", is_enabled=False))
    before = figures(client).frames_out
    until(client, lambda: figures(client).frames_out > before + 20)

    for plugin in client.snapshot.plugins:
        client.call(SetPluginEnabled(plugin.key, is_enabled=False))
    client.call(StopStream("one"))
    client.call(StartStream("one"))
    until(client, lambda: stream(client).phase is StreamPhase.FAILED)
    assert "plugin" in stream(client).message


@pytest.mark.expected_log
def test_commands_that_do_not_fit_are_refused_with_a_sentence(
    client: EngineClient, tmp_path: Path
) -> None:
    running(client, make_project(tmp_path))
    with pytest.raises(StreamNotFoundError, match="no stream 'gone'"):
        client.call(StartStream("gone"))
    with pytest.raises(WrongStateError, match="running already"):
        client.call(StartStream("one"))
    with pytest.raises(BusyError, match="used by one"):
        client.call(UnloadProgram("linear"))
    with pytest.raises(ConfigError, match="same name twice"):
        client.call(AddStream(StreamSettings("one", "linear", "cube-line")))
    with pytest.raises(ConfigError, match="cannot be read"):
        client.call(LoadProject(str(tmp_path / "missing.toml")))


def test_a_saved_project_opens_again_as_it_was(client: EngineClient, tmp_path: Path) -> None:
    client.call(LoadProject(str(make_project(tmp_path))))
    client.call(SetLanes(3))
    other = tmp_path / "other"
    other.mkdir()
    client.call(SaveProject(str(other / "copy.toml")))
    assert not client.snapshot.engine.is_modified
    running(client, other / "copy.toml")

    assert client.snapshot.project.engine.lanes == 3
    assert client.snapshot.programs[0].problem == ""
