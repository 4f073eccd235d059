"""Prints the report of a run as a table."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.protocol import Report, StreamReport

__all__ = ("print_report",)

_LABELS_SHOWN = 5


def print_report(report: Report, path: Path | None = None) -> None:
    """Print one row per stream, what was found, and where the report was written."""
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("stream", "in", "out", "drops", "rate/s", "age p50 ms", "p95", "p99"):
        table.add_column(title, justify="left" if title == "stream" else "right", no_wrap=True)
    for stream in report.streams:
        table.add_row(*_row(stream))
    console.print(f"{report.project}: {report.seconds:.1f} s", highlight=False)
    console.print(table)
    for stream in report.streams:
        if stream.found:
            found = ", ".join(list(stream.found)[:_LABELS_SHOWN])
            console.print(f"{stream.name} found {found}", highlight=False)
        if stream.message:
            console.print(f"{stream.name}: {stream.phase}, {stream.message}", highlight=False)
    if report.recorder_problem:
        console.print(report.recorder_problem, highlight=False)
    if path is not None:
        console.print(f"report: {path}", highlight=False, soft_wrap=True)


def _row(stream: StreamReport) -> tuple[str, ...]:
    return (
        stream.name,
        str(stream.frames_in),
        str(stream.frames_out),
        str(sum(stream.dropped.values())),
        f"{stream.rate_hz:.1f}",
        f"{stream.latency_ms.p50:.1f}",
        f"{stream.latency_ms.p95:.1f}",
        f"{stream.latency_ms.p99:.1f}",
    )
