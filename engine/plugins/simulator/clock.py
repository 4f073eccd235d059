"""The simulated device's time: real, or moved by hand."""

import threading
import time
from typing import Protocol

__all__ = ("Clock", "RealClock", "SteppedClock")


class Clock(Protocol):
    """Tells seconds, and waits."""

    def now_s(self) -> float:
        """Return the time."""
        ...

    def wait_until(self, moment_s: float) -> None:
        """Return at that time, at once when it has passed."""
        ...


class RealClock:
    """The computer's monotonic clock."""

    def __init__(self) -> None:
        self._never = threading.Event()

    def now_s(self) -> float:
        """Return seconds since some moment in the past."""
        return time.monotonic()

    def wait_until(self, moment_s: float) -> None:
        """Block until then."""
        left_s = moment_s - time.monotonic()
        if left_s > 0:
            self._never.wait(left_s)


class SteppedClock:
    """A clock that stands still; waiting moves it, so that nothing takes time and all is exact."""

    def __init__(self, at_s: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._at_s = at_s

    def now_s(self) -> float:
        """Return where the clock stands."""
        return self._at_s

    def wait_until(self, moment_s: float) -> None:
        """Move the clock there, never back."""
        with self._lock:
            self._at_s = max(self._at_s, moment_s)
