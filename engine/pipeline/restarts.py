"""When a stream whose driver died is started again: pure, with the time handed in."""

from collections import deque

__all__ = ("RestartPolicy",)

_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 30.0
_LIMIT = 5
_WINDOW_S = 60.0
_STABLE_S = 10.0


class RestartPolicy:
    """Counts deaths: at most five restarts a minute, each later than the one before.

    Ten stable seconds make the next delay short again.
    """

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()
        self._in_a_row = 0
        self._started_s = 0.0
        self.restarts = 0

    def started(self, at_s: float) -> None:
        """Note that the driver delivers frames."""
        self._started_s = at_s

    def died(self, at_s: float) -> float | None:
        """Return the delay in seconds before the next start, or None when it is time to give up."""
        if self._started_s and at_s - self._started_s >= _STABLE_S:
            self._in_a_row = 0
        self._started_s = 0.0
        while self._deaths and at_s - self._deaths[0] > _WINDOW_S:
            self._deaths.popleft()
        if len(self._deaths) >= _LIMIT:
            return None
        self._deaths.append(at_s)
        delay_s = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0**self._in_a_row)
        self._in_a_row += 1
        self.restarts += 1
        return delay_s
