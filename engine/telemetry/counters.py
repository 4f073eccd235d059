"""Counts the frames of a stream so that none can vanish."""

import threading
from typing import NamedTuple

from engine.errors import EngineBugError

__all__ = ("CounterSnapshot", "StreamCounters")


class CounterSnapshot(NamedTuple):
    """All counters of a stream at one instant.

    ``frames_in == frames_out + sum(dropped.values()) + in_flight``.
    """

    frames_in: int
    frames_out: int
    dropped: dict[str, int]
    in_flight: int


class StreamCounters:
    """Count a stream's frames from any thread; every snapshot is consistent.

    Frames in flight are counted by themselves, not derived from the others, so that `check` finds
    a frame that was counted twice or not at all.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames_in = 0
        self._frames_out = 0
        self._dropped: dict[str, int] = {}
        self._in_flight = 0

    def frame_in(self, n: int = 1) -> None:
        """Count `n` frames that the source gave a number, skipped ones too."""
        with self._lock:
            self._frames_in += n
            self._in_flight += n

    def frame_out(self) -> None:
        """Count a frame whose result is complete."""
        with self._lock:
            self._frames_out += 1
            self._in_flight -= 1

    def dropped(self, reason: str, n: int = 1) -> None:
        """Count `n` frames that were given up for `reason`, for example "superseded"."""
        if n == 0:
            return
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + n
            self._in_flight -= n

    def snapshot(self) -> CounterSnapshot:
        """Return all counters of one instant; the dictionary is the caller's own."""
        with self._lock:
            return CounterSnapshot(
                self._frames_in, self._frames_out, dict(self._dropped), self._in_flight
            )

    def check(self, in_flight: int | None = None) -> CounterSnapshot:
        """Return a snapshot after making sure that no frame is missing or counted twice.

        Parameters
        ----------
        in_flight : frames the caller itself knows to be under way (0 after a stop); None skips
            this comparison.

        Raises
        ------
        EngineBugError
            When the counters do not balance.
        """
        now = self.snapshot()
        dropped = sum(now.dropped.values())
        story = (
            f"{now.frames_in} in, {now.frames_out} out, {dropped} dropped {now.dropped}, "
            f"{now.in_flight} in flight"
        )
        if now.in_flight < 0 or now.frames_in != now.frames_out + dropped + now.in_flight:
            raise EngineBugError(f"the frame counters do not balance: {story}; please report this")
        if in_flight is not None and in_flight != now.in_flight:
            raise EngineBugError(
                f"{in_flight} frames are under way but the counters say {story}; please report this"
            )
        return now
