"""A live view of a run for the terminal: one row per stream, refreshed a few times a second."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from engine.protocol import STAGES, Snapshot, StreamFigures, StreamPhase, StreamState, Telemetry

__all__ = ("live_view", "plain_line")

_BAR = 24
_WIDE = 110
_TIMES = "where the time goes"
_COLORS = ("cyan", "bright_black", "blue", "yellow", "green", "magenta", "red")
_STATES = {
    StreamPhase.RUNNING: ("●", "green"),
    StreamPhase.STARTING: ("◌", "cyan"),
    StreamPhase.RESTARTING: ("↻", "yellow"),
    StreamPhase.FAILED: ("✕", "red"),
    StreamPhase.FINISHED: ("■", "blue"),
}


def live_view(
    snapshot: Snapshot, telemetry: Telemetry | None, seconds_left: float, width: int = 120
) -> Group:
    """Return the table of all streams with a bar of where the time goes, and the advice.

    A terminal of less than 110 columns (`width`) does not get the column of what was found.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "stream", "in", "out", "age p50", "p95", "drops", _TIMES):
        is_text = title in ("", "stream", _TIMES)
        table.add_column(
            title,
            justify="left" if is_text else "right",
            no_wrap=True,
            min_width=_BAR if title == _TIMES else None,
        )
    is_wide = width >= _WIDE
    if is_wide:
        table.add_column("found", overflow="ellipsis", no_wrap=True)
    figures = {f.name: f for f in telemetry.streams} if telemetry else {}
    for stream in snapshot.streams:
        row = _row(stream, figures.get(stream.name, StreamFigures(stream.name)))
        table.add_row(*(row if is_wide else row[:-1]))
    legend = Text("  ").join(
        Text.assemble(("■ ", color), (stage, "dim"))
        for stage, color in zip(STAGES, _COLORS, strict=True)
    )
    advice = telemetry.advice if telemetry and telemetry.advice else "all streams keep up"
    busy = telemetry.lanes_busy if telemetry else 0.0
    left = f"   {seconds_left:.0f} s left" if 0 <= seconds_left < 1e9 else ""
    foot = Text(f"lanes {busy:.0%} busy{left}", style="dim")
    return Group(table, Text(), legend, Text(advice, style="dim"), foot)


def plain_line(telemetry: Telemetry | None) -> str:
    """Return one line for output that is not a terminal."""
    if telemetry is None:
        return "starting"
    return "  ".join(
        f"{f.name} {f.rate_out_hz:.1f}/s {f.latency_ms.p50:.1f} ms" for f in telemetry.streams
    )


def _row(stream: StreamState, f: StreamFigures) -> tuple[Text | str, ...]:
    sign, color = _STATES.get(stream.phase, ("○", "dim"))
    if stream.phase is not StreamPhase.RUNNING and stream.message:
        found = Text(stream.message, style=color)
    else:
        found = Text(f.summary)
    return (
        Text(sign, style=color),
        stream.name,
        f"{f.rate_in_hz:.1f}/s",
        f"{f.rate_out_hz:.1f}/s",
        f"{f.latency_ms.p50:.1f} ms",
        f"{f.latency_ms.p95:.1f} ms",
        str(sum(f.dropped.values())),
        _bar(f.stages_mean_ms),
        found,
    )


def _bar(means_ms: dict[str, float]) -> Text:
    total = sum(means_ms.values())
    bar = Text()
    if total <= 0:
        return bar
    filled = 0.0
    for stage, color in zip(STAGES, _COLORS, strict=True):
        before = round(filled)
        filled += means_ms.get(stage, 0.0) / total * _BAR
        bar.append("█" * (round(filled) - before), style=color)
    return bar
