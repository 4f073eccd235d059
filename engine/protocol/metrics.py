"""What every published figure means: one registry for tooltips, table headers and documents."""

from typing import Literal

import msgspec

__all__ = ("METRICS", "Metric", "metric")

Window = Literal["run", "recent", "now"]


class Metric(msgspec.Struct, frozen=True):
    """One figure.

    Attributes
    ----------
    metric_id : stable name: what it belongs to, a dot, and the field that carries it.
    label : short text for a header, with its unit where it has one.
    unit : "frames", "frames/s", "ms", "%", "bytes", "" (none).
    window : "run" counts since the start, "recent" covers the last seconds (in a report the whole
        run), "now" is this moment.
    definition : one sentence for people.
    """

    metric_id: str
    label: str
    unit: str
    window: Window
    definition: str


METRICS: tuple[Metric, ...] = (
    Metric(
        "stream.frames_in",
        "Frames in",
        "frames",
        "run",
        "Frames that the source gave a number since the stream started, skipped ones included.",
    ),
    Metric(
        "stream.frames_out",
        "Frames out",
        "frames",
        "run",
        "Frames whose result is complete.",
    ),
    Metric(
        "stream.dropped",
        "Dropped",
        "frames",
        "run",
        "Frames that were given up by the stream's policy or a failure, counted by reason.",
    ),
    Metric(
        "stream.in_flight",
        "In flight",
        "frames",
        "now",
        "Frames under way: frames in, less frames out, less dropped frames.",
    ),
    Metric(
        "stream.rate_in_hz",
        "Source rate",
        "frames/s",
        "recent",
        "Frames per second that the source numbers.",
    ),
    Metric(
        "stream.rate_out_hz",
        "Throughput",
        "frames/s",
        "recent",
        "Results per second.",
    ),
    Metric(
        "stream.rate_hz",
        "Throughput",
        "frames/s",
        "run",
        "Results per second over the whole run of the stream.",
    ),
    Metric(
        "stream.latency_ms",
        "Latency (ms)",
        "ms",
        "recent",
        "Age of a result when it is complete, counted from the capture of its frame; "
        "half of the results are younger than p50, 95 % than p95, 99 % than p99.",
    ),
    Metric(
        "stream.stages_ms",
        "Stage (ms)",
        "ms",
        "recent",
        "Time a frame spends in one stage; half of the frames need less than p50, 95 % than p95.",
    ),
    Metric(
        "stream.stages_mean_ms",
        "Stage mean (ms)",
        "ms",
        "recent",
        "Mean time in one stage; the means of all stages add up to the mean age.",
    ),
    Metric(
        "stream.age_mean_ms",
        "Mean age (ms)",
        "ms",
        "run",
        "Mean age of all results when they are complete, counted from the capture of their frame.",
    ),
    Metric(
        "stream.shares",
        "Class shares",
        "",
        "now",
        "How much of the newest mask or line belongs to each class, 0 to 1.",
    ),
    Metric(
        "stream.found",
        "Found",
        "frames",
        "run",
        "How many results contain each class.",
    ),
    Metric(
        "stream.restarts",
        "Restarts",
        "",
        "run",
        "How often the stream's source was started again after it failed.",
    ),
    Metric(
        "process.cpu_percent",
        "CPU (% of a core)",
        "%",
        "recent",
        "Processor time of the process since the previous figure, in percent of one core.",
    ),
    Metric(
        "process.memory_bytes",
        "Memory",
        "bytes",
        "now",
        "Memory of the process that lies in RAM, shared pages included.",
    ),
    Metric(
        "engine.lanes_busy",
        "Lanes busy",
        "",
        "recent",
        "Share of the time in which the device lanes executed programs, 0 to 1.",
    ),
)


def metric(metric_id: str) -> Metric:
    """Return the metric of that id.

    Raises
    ------
    KeyError
        When there is none.
    """
    return _BY_ID[metric_id]


_BY_ID = {one.metric_id: one for one in METRICS}
