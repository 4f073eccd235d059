"""When a frame was captured, when it is due, and which frames are passed over; all without I/O."""

__all__ = ("CaptureClock", "Playout", "RateLimit")

_WINDOW_NS = 10_000_000_000
_JUMP_NS = 5_000_000_000
_LATE_NS = 1_000_000_000


class CaptureClock:
    """Tells when frames of a live source were captured, free of the network's jitter.

    A packet is never earlier than its picture. So the packet that was under way for the shortest
    time, of the last ten to twenty seconds, ties the source's clock to ours; the delay that every
    packet has in common cannot be known and is not counted.
    """

    def __init__(self) -> None:
        self._least: int | None = None
        self._least_before: int | None = None
        self._since_ns = 0

    def captured_ns(self, media_ns: int, arrived_ns: int) -> int:
        """Return the monotonic time of capture, never after `arrived_ns`.

        Parameters
        ----------
        media_ns : time of the frame by the source's clock.
        arrived_ns : monotonic time of arrival.
        """
        offset = arrived_ns - media_ns
        if self._least is None or abs(offset - self._least) > _JUMP_NS:  # the source began anew
            self._least, self._least_before, self._since_ns = offset, None, arrived_ns
        elif arrived_ns - self._since_ns > _WINDOW_NS:
            self._least_before, self._least, self._since_ns = self._least, offset, arrived_ns
        self._least = min(self._least, offset)
        least = self._least if self._least_before is None else min(self._least, self._least_before)
        return media_ns + least


class Playout:
    """Tells when frames are due that come faster than they are to be seen, as from a file."""

    def __init__(self) -> None:
        self._anchor_ns: int | None = None

    def due_ns(self, media_ns: int, now_ns: int) -> int:
        """Return when the frame is due; begins anew after a gap or a jump of the source's clock."""
        if (
            self._anchor_ns is None
            or not -_LATE_NS < self._anchor_ns + media_ns - now_ns < _JUMP_NS
        ):
            self._anchor_ns = now_ns - media_ns
        return self._anchor_ns + media_ns


class RateLimit:
    """Passes frames over so that no more than `rate_hz` remain on average; 0 keeps all."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = round(1e9 / rate_hz) if rate_hz > 0 else 0
        self._due_ns: int | None = None

    def keeps(self, captured_ns: int) -> bool:
        """Tell whether a frame of that time is kept."""
        if not self._period_ns:
            return True
        if self._due_ns is None or captured_ns - self._due_ns > self._period_ns:
            self._due_ns = captured_ns  # the first one, or after a gap
        if captured_ns < self._due_ns:
            return False
        self._due_ns += self._period_ns
        return True
