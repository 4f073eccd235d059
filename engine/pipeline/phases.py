"""The phases of a stream as a table of allowed moves, pure."""

from engine.errors import EngineBugError
from engine.protocol import StreamPhase

__all__ = ("next_phase",)

_P = StreamPhase

_MOVES: dict[tuple[StreamPhase, str], StreamPhase] = {
    (_P.STOPPED, "start"): _P.STARTING,
    (_P.STARTING, "opened"): _P.RUNNING,
    (_P.STARTING, "driver_died"): _P.RESTARTING,
    (_P.STARTING, "stop"): _P.STOPPING,
    (_P.STARTING, "source_ended"): _P.FINISHED,
    (_P.RUNNING, "driver_died"): _P.RESTARTING,
    (_P.RUNNING, "source_ended"): _P.FINISHED,
    (_P.RUNNING, "stop"): _P.STOPPING,
    (_P.RESTARTING, "start_again"): _P.STARTING,
    (_P.RESTARTING, "stop"): _P.STOPPING,
    (_P.STOPPING, "stopped"): _P.STOPPED,
}


def next_phase(phase: StreamPhase, event: str) -> StreamPhase:
    """Return the phase after `event`; giving up is possible from everywhere.

    Raises
    ------
    EngineBugError
        When the table has no such move.
    """
    if event == "give_up":
        return StreamPhase.FAILED
    try:
        return _MOVES[phase, event]
    except KeyError:
        raise EngineBugError(
            f"a stream cannot {event!r} while {phase.value}; please report this"
        ) from None
