"""Keeps a distance between results."""

import time

from engine.accelerator.options import ClientOptions

__all__ = ("Pacer",)


class Pacer:
    """Says how long to wait so that results come at most at the target rate."""

    def __init__(self, options: ClientOptions) -> None:
        wanted = options.smoothing and options.fps_target > 0
        self._distance_s = 1.0 / options.fps_target if wanted else 0.0
        self._next = 0.0

    def delay_s(self) -> float:
        """Return the seconds to wait before the next result, and count on it being delivered."""
        if not self._distance_s:
            return 0.0
        now = time.monotonic()
        at = max(now, self._next)
        self._next = at + self._distance_s
        return at - now
