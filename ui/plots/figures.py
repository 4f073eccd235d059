"""Turns batches of telemetry into the series that the plots show."""

from collections.abc import Hashable
from dataclasses import dataclass

from engine.protocol import Telemetry

__all__ = ("DropRates", "series_of")

_MIN_STEP_S = 0.02


@dataclass
class _Counted:
    at_ns: int
    total: int


class DropRates:
    """Drops per second of each stream, from counters that start at 0 with every start."""

    def __init__(self) -> None:
        self._before: dict[str, _Counted] = {}

    def update(self, telemetry: Telemetry) -> dict[str, float]:
        """Return the drops per second since the last batch, by stream."""
        rates = {}
        now: dict[str, _Counted] = {}
        for stream in telemetry.streams:
            total = sum(stream.dropped.values())
            before = self._before.get(stream.name, _Counted(telemetry.at_ns, total))
            step_s = (telemetry.at_ns - before.at_ns) / 1e9
            since = total - before.total if total >= before.total else total
            rates[stream.name] = since / step_s if step_s >= _MIN_STEP_S else 0.0
            now[stream.name] = _Counted(telemetry.at_ns, total)
        self._before = now
        return rates


def series_of(telemetry: Telemetry, drops: dict[str, float]) -> dict[Hashable, float]:
    """Return the values of a batch by (stream or process, what)."""
    values: dict[Hashable, float] = {("device", "busy"): telemetry.lanes_busy * 100.0}
    for stream in telemetry.streams:
        name = stream.name
        values[name, "rate_out"] = stream.rate_out_hz
        values[name, "rate_in"] = stream.rate_in_hz
        values[name, "in_flight"] = float(stream.in_flight)
        values[name, "drops"] = drops.get(name, 0.0)
        if stream.latency_ms.p50 > 0:
            values[name, "p50"] = stream.latency_ms.p50
            values[name, "p95"] = stream.latency_ms.p95
            values[name, "p99"] = stream.latency_ms.p99
    for process in telemetry.processes:
        values[f"process {process.role}", "cpu"] = process.cpu_percent
        values[f"process {process.role}", "memory"] = process.memory_bytes / 2**20
    return values
