import msgspec
import pytest

from engine.protocol import EnginePhase, EngineStatus, RecorderState, Snapshot, StreamPhase
from tests.ui.wall.fakes import snapshot, stream
from ui.plots.events import changes


def texts(before: Snapshot | None, now: Snapshot) -> list[str]:
    return [event.text for event in changes(before, now, 0)]


def test_the_first_state_is_no_event() -> None:
    assert texts(None, snapshot(stream())) == []


def test_the_same_state_is_no_event() -> None:
    assert texts(snapshot(stream()), snapshot(stream(), version=2)) == []


@pytest.mark.parametrize(
    ("phase", "tone", "said"),
    [
        (StreamPhase.RUNNING, "ok", "street is running"),
        (StreamPhase.RESTARTING, "warn", "street is restarting: why"),
        (StreamPhase.FAILED, "error", "street has failed: why"),
        (StreamPhase.FINISHED, "info", "street has finished: why"),
    ],
)
def test_a_phase_that_was_entered_is_an_event(phase: StreamPhase, tone: str, said: str) -> None:
    message = "why" if ":" in said else ""
    (event,) = changes(
        snapshot(stream(phase=StreamPhase.STARTING)),
        snapshot(stream(phase=phase, message=message)),
        5,
    )

    assert (event.at_ns, event.tone, event.source, event.text) == (5, tone, "street", said)


def test_a_restart_between_two_states_is_not_missed() -> None:
    assert texts(snapshot(stream()), snapshot(stream(restarts=1))) == ["street was restarted"]


def test_streams_that_come_and_go_are_events() -> None:
    told = texts(snapshot(stream("a")), snapshot(stream("b")))

    assert told == ["b was added", "a was removed"]


def test_engine_and_recorder_are_told_of() -> None:
    before = snapshot()
    now = msgspec.structs.replace(
        before,
        engine=EngineStatus(phase=EnginePhase.RUNNING, pid=7, message="One lane is slow."),
        recorder=RecorderState(problem="The disk is full."),
    )

    assert texts(before, now) == [
        "Engine is up, process 7",
        "One lane is slow.",
        "Run started",
        "The disk is full.",
    ]
