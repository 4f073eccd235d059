"""Measures how often something happens."""

import threading
from bisect import bisect_right
from collections import deque

__all__ = ("RateMeter",)

_YOUNG_NS = 1_000_000_000


class RateMeter:
    """Measure a rate over the last seconds; all methods may be called from any thread.

    Parameters
    ----------
    capacity : events that are remembered; at higher rates the window is shorter.
    """

    def __init__(self, capacity: int = 8192) -> None:
        self._lock = threading.Lock()
        self._times_ns: deque[int] = deque(maxlen=capacity)

    def add(self, at_ns: int) -> None:
        """Count one event; times never go back."""
        with self._lock:
            self._times_ns.append(at_ns)

    def rate_hz(self, now_ns: int, window_s: float = 2.0) -> float:
        """Return events per second in the last `window_s` seconds before `now_ns`.

        Steady events are measured between the first and the last of the window, which gives their
        exact rate. Once they stay away for two usual gaps the silence counts too, so that the
        rate falls, down to 0 when the window is empty. In its first second the rate rises slowly.
        """
        with self._lock:
            times = list(self._times_ns)
        recent = times[bisect_right(times, now_ns - int(window_s * 1e9)) :]
        if len(recent) < 2:
            return 1 / window_s if recent and len(times) > 1 else 0.0
        span_ns = recent[-1] - recent[0]
        silence_ns = now_ns - recent[-1]
        gaps = len(recent) - 1
        if len(recent) == len(times):  # it has just begun: a first burst is not a rate
            return gaps * 1e9 / max(now_ns - recent[0], _YOUNG_NS)
        if span_ns > 0 and silence_ns <= 2 * span_ns / gaps:
            return gaps * 1e9 / span_ns
        return len(recent) * 1e9 / max(now_ns - recent[0], 1)
