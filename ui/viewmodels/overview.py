"""The few figures of header and status bar."""

from engine.protocol import Snapshot, StreamPhase, Telemetry
from ui.viewmodels.formats import format_bytes, format_ms

__all__ = ("age_text", "load_text", "memory_text", "rate_text", "streams_text")


def streams_text(snapshot: Snapshot) -> str:
    """Return how many streams there are and run: "4 streams", "3 of 4 streams"."""
    count = len(snapshot.streams)
    running = sum(stream.phase is StreamPhase.RUNNING for stream in snapshot.streams)
    noun = "stream" if count == 1 else "streams"
    return f"{running} of {count} {noun}" if 0 < running < count else f"{count} {noun}"


def rate_text(telemetry: Telemetry | None) -> str:
    """Return the results per second of all streams together."""
    if telemetry is None or not telemetry.streams:
        return "\u2013"
    return f"{sum(stream.rate_out_hz for stream in telemetry.streams):.0f} fps"


def age_text(telemetry: Telemetry | None) -> str:
    """Return the median age of a result: of the streams' medians, weighted by their rates."""
    streams = sorted(
        (s for s in (telemetry.streams if telemetry else ()) if s.rate_out_hz > 0),
        key=lambda stream: stream.latency_ms.p50,
    )
    half = sum(stream.rate_out_hz for stream in streams) / 2
    passed = 0.0
    for stream in streams:
        passed += stream.rate_out_hz
        if passed >= half:
            return format_ms(stream.latency_ms.p50)
    return "\u2013"


def load_text(telemetry: Telemetry | None, cpu_count: int) -> str:
    """Return the processor use of all processes in percent of the whole machine."""
    if telemetry is None or not telemetry.processes:
        return "\u2013"
    total = sum(process.cpu_percent for process in telemetry.processes)
    return f"{total / max(cpu_count, 1):.0f} %"


def memory_text(telemetry: Telemetry | None) -> str:
    """Return the memory of all processes together."""
    if telemetry is None or not telemetry.processes:
        return "\u2013"
    return format_bytes(sum(process.memory_bytes for process in telemetry.processes))
