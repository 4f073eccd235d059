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

    @property
    def is_active(self) -> bool:
        """Whether there is a distance to keep."""
        return self._distance_s > 0.0

    def left_s(self) -> float:
        """Return the seconds until the next result may be delivered."""
        return max(0.0, self._next - time.monotonic()) if self._distance_s else 0.0

    def note(self) -> None:
        """Count on a result being delivered now."""
        self._next = time.monotonic() + self._distance_s

    def delay_s(self) -> float:
        """Return the seconds to wait before the next result, and count on it being delivered."""
        if not self._distance_s:
            return 0.0
        now = time.monotonic()
        at = max(now, self._next)
        self._next = at + self._distance_s
        return at - now
