"""The report of a run: every stream's counters, rates and times, and where it ran."""

import datetime
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.config import StreamSettings
from engine.pipeline.figures import StreamStatistics
from engine.protocol import Environment, Report, StreamReport, StreamState

__all__ = ("environment", "make_report", "stream_report")

_PACKAGES = ("penstock", "numpy", "onnxruntime", "onnx", "opencv-python-headless", "av", "msgspec")


def stream_report(
    settings: StreamSettings, state: StreamState, statistics: StreamStatistics
) -> StreamReport:
    """Describe one stream from its start until now."""
    frames_in, frames_out, dropped, in_flight = statistics.counters.snapshot()
    total = statistics.rolling.total()
    return StreamReport(
        name=settings.name,
        frames_in=frames_in,
        frames_out=frames_out,
        dropped=dropped,
        in_flight=in_flight,
        rate_hz=round(statistics.rate_hz(), 3),
        latency_ms=total.latency_ms,
        stages_ms=total.stages_ms,
        program=settings.program,
        driver=settings.driver,
        phase=state.phase.value,
        message=state.message,
        error_code=state.error_code,
        restarts=state.restarts,
        age_mean_ms=total.age_mean_ms,
        stages_mean_ms=total.stages_mean_ms,
        found=statistics.found(),
    )


def make_report(
    project: str,
    started: datetime.datetime,
    streams: Iterable[StreamReport],
    *,
    plugins: Mapping[str, str],
    lanes: int,
    recorder_problem: str = "",
) -> Report:
    """Put the streams' reports together with the environment; `started` is in UTC."""
    return Report(
        project=project,
        started=started.isoformat(timespec="milliseconds"),
        seconds=round((datetime.datetime.now(datetime.UTC) - started).total_seconds(), 3),
        environment=environment(plugins, lanes),
        streams=tuple(streams),
        recorder_problem=recorder_problem,
    )


def environment(plugins: Mapping[str, str], lanes: int) -> Environment:
    """Describe the machine and the versions of what does the work."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Environment(
        versions=versions,
        platform=platform.platform(),
        cpu=_cpu_name(),
        cpu_count=os.cpu_count() or 1,
        plugins=dict(plugins),
        lanes=lanes,
    )


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
