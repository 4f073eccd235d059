"""Figures that the engine publishes several times a second, and the report of a whole run."""

import msgspec

from engine.protocol.results import ClassShare

__all__ = (
    "STAGES",
    "Environment",
    "LatencyFigures",
    "LogEntry",
    "ProcessFigures",
    "Report",
    "StageFigures",
    "StreamFigures",
    "StreamReport",
    "Telemetry",
)

STAGES = ("capture", "wait", "pre", "queue", "device", "order", "post")
"""Consecutive stages of a frame. capture: from the moment of capture until the driver's process has
the frame in shared memory. wait: until the pipeline takes it. pre: pre-processing. queue: until a
device lane begins. device: execution. order: until its turn in the stream's order. post: until the
result is complete."""


class LatencyFigures(msgspec.Struct, frozen=True):
    """Age of results in milliseconds at three percentiles."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class StageFigures(msgspec.Struct, frozen=True):
    """Duration of a stage in milliseconds at two percentiles."""

    p50: float = 0.0
    p95: float = 0.0


class StreamFigures(msgspec.Struct, frozen=True):
    """One stream: counters since its start, rates and times over the last seconds.

    frames_in = frames_out + sum(dropped) + in_flight, always.
    """

    name: str
    frames_in: int = 0
    frames_out: int = 0
    dropped: dict[str, int] = {}
    in_flight: int = 0
    rate_in_hz: float = 0.0
    rate_out_hz: float = 0.0
    latency_ms: LatencyFigures = LatencyFigures()
    stages_ms: dict[str, StageFigures] = {}
    stages_mean_ms: dict[str, float] = {}
    summary: str = ""
    shares: tuple[ClassShare, ...] = ()


class ProcessFigures(msgspec.Struct, frozen=True):
    """One process of the engine: processor use in percent of one core, resident memory in bytes."""

    role: str
    pid: int
    cpu_percent: float = 0.0
    memory_bytes: int = 0


class Telemetry(msgspec.Struct, frozen=True):
    """One batch of figures, published five times a second. `lanes_busy` is 0..1."""

    at_ns: int
    streams: tuple[StreamFigures, ...] = ()
    processes: tuple[ProcessFigures, ...] = ()
    lanes_busy: float = 0.0
    advice: str = ""


class LogEntry(msgspec.Struct, frozen=True):
    """One log record as it travels; `level` is a name like "WARNING"."""

    at_ns: int
    level: str
    logger: str
    message: str
    role: str = "engine"
    pid: int = 0
    stream: str = ""


class StreamReport(msgspec.Struct, frozen=True):
    """One stream over the whole run; the fields are documented in docs/report.md."""

    name: str
    frames_in: int
    frames_out: int
    dropped: dict[str, int]
    in_flight: int
    rate_hz: float
    latency_ms: LatencyFigures
    stages_ms: dict[str, StageFigures]
    program: str = ""
    driver: str = ""
    phase: str = ""
    message: str = ""
    error_code: str = ""
    restarts: int = 0
    age_mean_ms: float = 0.0
    stages_mean_ms: dict[str, float] = {}
    found: dict[str, int] = {}


class Environment(msgspec.Struct, frozen=True):
    """Where the run took place."""

    versions: dict[str, str]
    platform: str
    cpu: str
    cpu_count: int
    plugins: dict[str, str]
    lanes: int


class Report(msgspec.Struct, frozen=True):
    """A run in figures; times of day are ISO 8601 in UTC."""

    project: str
    started: str
    seconds: float
    environment: Environment
    streams: tuple[StreamReport, ...]
    recorder_problem: str = ""
