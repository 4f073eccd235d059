"""The clock of a source: when the next frame is due."""

__all__ = ("SourceClock",)

_DEBT_LIMIT_NS = 1_000_000_000


class SourceClock:
    """Ticks at a fixed rate without drift; pure, it is told the time.

    A source that falls behind catches up without pausing, but never more than one second: beyond
    that the clock starts anew from the present, so that a slow source runs late and does not
    rush afterwards.

    Parameters
    ----------
    rate_hz : ticks per second; 0 is always due.
    now_ns : time of the first tick.
    """

    def __init__(self, rate_hz: float, now_ns: int) -> None:
        self._rate_hz = rate_hz
        self._anchor_ns = now_ns
        self._ticks = 0

    @property
    def due_ns(self) -> int:
        """Time of the next tick."""
        if self._rate_hz <= 0:
            return self._anchor_ns
        return self._anchor_ns + round(self._ticks * 1e9 / self._rate_hz)

    def wait_s(self, now_ns: int) -> float:
        """Return the seconds until the next tick, 0 when it is due."""
        return max(0, self.due_ns - now_ns) / 1e9

    def tick(self, now_ns: int) -> None:
        """Count the tick that is due as done at `now_ns`, and forget debt above one second."""
        if now_ns - self.due_ns > _DEBT_LIMIT_NS:
            self._anchor_ns, self._ticks = now_ns, 0
        self._ticks += 1
