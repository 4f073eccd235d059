"""What a tile says in words, decided without Qt."""

from dataclasses import dataclass

from engine.protocol import FrameKind, StreamFigures, StreamPhase, StreamState

__all__ = (
    "PHASE_TONE",
    "PHASE_WORD",
    "DropWatch",
    "Strip",
    "notice",
    "stall_limit_s",
    "strip",
    "unit_of",
)

PHASE_WORD = {
    StreamPhase.STOPPED: "stopped",
    StreamPhase.STARTING: "starting",
    StreamPhase.RUNNING: "running",
    StreamPhase.RESTARTING: "restarting",
    StreamPhase.STOPPING: "stopping",
    StreamPhase.FINISHED: "finished",
    StreamPhase.FAILED: "failed",
}

PHASE_TONE = {
    StreamPhase.STOPPED: "muted",
    StreamPhase.STARTING: "info",
    StreamPhase.RUNNING: "ok",
    StreamPhase.RESTARTING: "warn",
    StreamPhase.STOPPING: "muted",
    StreamPhase.FINISHED: "info",
    StreamPhase.FAILED: "error",
}

_EXPLAINED = {
    StreamPhase.STOPPED: "Start it to see its pictures here.",
    StreamPhase.STARTING: "Waiting for the first frame.",
    StreamPhase.RUNNING: "Waiting for the first picture.",
    StreamPhase.RESTARTING: "It comes back by itself.",
    StreamPhase.STOPPING: "Finishing the frames under way.",
    StreamPhase.FINISHED: "The source has come to its end.",
    StreamPhase.FAILED: "The reason stands in the log.",
}


@dataclass(frozen=True)
class Strip:
    """The texts below a picture; all but the name are empty when there are no figures."""

    name: str
    rates: str = ""
    age: str = ""
    drops: str = ""
    is_dropping: bool = False


class DropWatch:
    """Tells whether a stream drops frames now, as opposed to having done so once.

    Parameters
    ----------
    memory_s : a drop counts as "now" for that long.
    """

    def __init__(self, memory_s: float = 3.0) -> None:
        self._memory_ns = round(memory_s * 1e9)
        self._total: int | None = None
        self._dropped_at_ns: int | None = None

    def update(self, figures: StreamFigures | None, now_ns: int) -> bool:
        """Take the newest counters and return whether frames are being dropped."""
        total = sum(figures.dropped.values()) if figures is not None else 0
        if self._total is not None and total > self._total:
            self._dropped_at_ns = now_ns
        self._total = total
        at_ns = self._dropped_at_ns
        return at_ns is not None and now_ns - at_ns <= self._memory_ns


def unit_of(state: StreamState) -> str:
    """Return what a stream's frames per second are called."""
    frame_format = state.frame_format
    is_line = frame_format is not None and frame_format.kind is FrameKind.LINE
    return "lines/s" if is_line else "fps"


def strip(state: StreamState, figures: StreamFigures | None, *, is_dropping: bool = False) -> Strip:
    """Return the texts of the strip of a stream; `is_dropping` says that drops go on."""
    if figures is None:
        return Strip(state.name)
    dropped = sum(figures.dropped.values())
    return Strip(
        state.name,
        f"{figures.rate_in_hz:.1f} | {figures.rate_out_hz:.1f} {unit_of(state)}",
        f"{_short(figures.latency_ms.p50)} ms",
        "no drops" if not dropped else f"{_thousands(dropped)} dropped",
        is_dropping,
    )


def notice(state: StreamState, *, has_picture: bool) -> tuple[str, str]:
    """Return headline and sentence that stand in the tile; both empty when the picture speaks."""
    if state.phase is StreamPhase.RUNNING and has_picture:
        return "", ""
    word = PHASE_WORD[state.phase]
    return word.capitalize(), state.message or _EXPLAINED[state.phase]


def stall_limit_s(state: StreamState) -> float:
    """Return after how many seconds without a new picture a running stream counts as stalled."""
    frame_format = state.frame_format
    rate_hz = frame_format.rate_hz if frame_format is not None else 0.0
    return max(1.0, 3.0 / rate_hz) if rate_hz > 0 else 1.0


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")
