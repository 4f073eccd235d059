"""Everything that is counted about one stream, from its start on."""

import threading
import time
from collections import Counter

from engine.protocol import (
    ClassShare,
    Result,
    StreamFigures,
)
from engine.telemetry import RateMeter, RollingFigures, StreamCounters

__all__ = ("StreamStatistics", "summarize")

_WINDOW_S = 5.0
_LABELS_KEPT = 200


class StreamStatistics:
    """Counters, rates, times and what was found; written by two threads, read by a third."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counters = StreamCounters()
        self.rolling = RollingFigures()
        self._rate_in = RateMeter()
        self._rate_out = RateMeter()
        self._lock = threading.Lock()
        self._found: Counter[str] = Counter()
        self._newest: Result | None = None
        self._first_ns = 0
        self._last_ns = 0

    def frames_in(self, count: int) -> None:
        """Count frames the source delivered."""
        now_ns = time.monotonic_ns()
        for _ in range(count):
            self.counters.frame_in()
            self._rate_in.add(now_ns)

    def frame_out(self, result: Result, durations_ns: tuple[int, ...]) -> None:
        """Count a complete result."""
        self.counters.frame_out()
        self.rolling.add(result.finished_at_ns - result.captured_at_ns, durations_ns)
        self._rate_out.add(result.finished_at_ns)
        with self._lock:
            self._first_ns = self._first_ns or result.finished_at_ns
            self._last_ns = result.finished_at_ns
            self._newest = result
            if len(self._found) < _LABELS_KEPT:
                self._found.update(_labels(result))

    def found(self) -> dict[str, int]:
        """Return in how many frames each label was found, most frequent first."""
        with self._lock:
            return dict(self._found.most_common())

    def rate_hz(self) -> float:
        """Return results per second between the first and the last one."""
        _, frames_out, _, _ = self.counters.snapshot()
        with self._lock:
            span_s = (self._last_ns - self._first_ns) / 1e9
        return (frames_out - 1) / span_s if span_s > 0 and frames_out > 1 else 0.0

    def figures(self) -> StreamFigures:
        """Return counters since the start and rates and times over the last seconds."""
        frames_in, frames_out, dropped, in_flight = self.counters.snapshot()
        recent = self.rolling.window(_WINDOW_S)
        now_ns = time.monotonic_ns()
        with self._lock:
            newest = self._newest
        return StreamFigures(
            name=self.name,
            frames_in=frames_in,
            frames_out=frames_out,
            dropped=dropped,
            in_flight=in_flight,
            rate_in_hz=self._rate_in.rate_hz(now_ns),
            rate_out_hz=self._rate_out.rate_hz(now_ns),
            latency_ms=recent.latency_ms,
            stages_ms=recent.stages_ms,
            stages_mean_ms=recent.stages_mean_ms,
            summary=summarize(newest) if newest is not None else "",
            shares=_shares(newest),
        )


def summarize(result: Result) -> str:
    """Say in a few words what was found, for example ``"cat 0.83, cup 0.71"``."""
    if result.boxes:
        return ", ".join(f"{box.label} {box.score:.2f}" for box in result.boxes[:4])
    if result.classes:
        return ", ".join(f"{found.label} {found.score:.2f}" for found in result.classes[:2])
    shares = [share for share in _shares(result) if share.share >= 0.01][:3]
    return ", ".join(f"{share.label} {share.share:.0%}" for share in shares) or "nothing found"


def _shares(result: Result | None) -> tuple[ClassShare, ...]:
    if result is None:
        return ()
    if result.mask is not None:
        return result.mask.shares
    return result.line.shares if result.line is not None else ()


def _labels(result: Result) -> set[str]:
    labels = {box.label for box in result.boxes}
    labels.update(found.label for found in result.classes[:1])
    labels.update(share.label for share in _shares(result))
    return labels
