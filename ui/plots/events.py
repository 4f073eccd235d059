"""Finds what happened between two states of the engine, as sentences."""

from dataclasses import dataclass

from engine.protocol import EnginePhase, Snapshot, StreamPhase, StreamState

__all__ = ("Event", "changes")

_SAID = {
    StreamPhase.STARTING: ("info", "is starting"),
    StreamPhase.RUNNING: ("ok", "is running"),
    StreamPhase.RESTARTING: ("warn", "is restarting"),
    StreamPhase.STOPPED: ("muted", "has stopped"),
    StreamPhase.FINISHED: ("info", "has finished"),
    StreamPhase.FAILED: ("error", "has failed"),
}


@dataclass(frozen=True)
class Event:
    """Something a user would tell a friend.

    Attributes
    ----------
    tone : "ok", "info", "warn", "error" or "muted".
    source : stream, plugin or part it is about.
    """

    at_ns: int
    tone: str
    source: str
    text: str


def changes(before: Snapshot | None, now: Snapshot, at_ns: int) -> list[Event]:
    """Return the events that lead from one state to the next; none for the first state."""
    if before is None:
        return []
    events = [*_engine(before, now, at_ns)]
    known = {stream.name: stream for stream in before.streams}
    for stream in now.streams:
        events += _stream(known.pop(stream.name, None), stream, at_ns)
    events += [Event(at_ns, "muted", name, f"{name} was removed") for name in known]
    return events


def _engine(before: Snapshot, now: Snapshot, at_ns: int) -> list[Event]:
    events = []
    if now.engine.pid != before.engine.pid and now.engine.pid:
        events.append(Event(at_ns, "ok", "engine", f"Engine is up, process {now.engine.pid}"))
    if now.engine.message and now.engine.message != before.engine.message:
        events.append(Event(at_ns, "warn", "engine", now.engine.message))
    phases = (before.engine.phase, now.engine.phase)
    if phases[0] is not phases[1] and phases[1] is not EnginePhase.STOPPING:
        text = "Run started" if phases[1] is EnginePhase.RUNNING else "Run ended"
        events.append(Event(at_ns, "info", "engine", text))
    if now.license.problem and now.license.problem != before.license.problem:
        events.append(Event(at_ns, "error", "license", now.license.problem))
    if now.recorder.problem and now.recorder.problem != before.recorder.problem:
        events.append(Event(at_ns, "error", "recorder", now.recorder.problem))
    elif now.recorder.is_recording != before.recorder.is_recording:
        text = "Recording began" if now.recorder.is_recording else "Recording ended"
        events.append(Event(at_ns, "info", "recorder", text))
    return events


def _stream(before: StreamState | None, now: StreamState, at_ns: int) -> list[Event]:
    if before is None:
        return [Event(at_ns, "muted", now.name, f"{now.name} was added")]
    if now.restarts > before.restarts and before.phase is now.phase is StreamPhase.RUNNING:
        return [Event(at_ns, "warn", now.name, f"{now.name} was restarted")]
    if before.phase is now.phase or now.phase not in _SAID:
        return []
    tone, said = _SAID[now.phase]
    text = f"{now.name} {said}" + (f": {now.message}" if now.message else "")
    return [Event(at_ns, tone, now.name, text)]
