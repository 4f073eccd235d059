"""``penstock bench``: how fast a program runs here."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.benchmark.measure import BenchPlan, measure
from app.benchmark.results import (
    BenchResult,
    Change,
    compare,
    read_baseline,
    write_baseline,
)
from app.exit_codes import DONE, FAILED

__all__ = ("bench_command", "parse_counts")

_MOST = 256


def bench_command(
    program: Annotated[Path, typer.Argument(metavar="DFP", help="The program to measure.")],
    lanes: Annotated[str, typer.Option(help="Lanes; several as 1,2,4. 0 is one per core.")] = "0",
    streams: Annotated[str, typer.Option(help="Streams at once; several as 1,4.")] = "1",
    plugins: Annotated[
        str, typer.Option(help="Plugins by key, separated by commas; empty: the best one.")
    ] = "",
    model: Annotated[int, typer.Option(min=0, help="Which model of the program.")] = 0,
    window: Annotated[float, typer.Option(min=0.05, max=600.0, help="Seconds per window.")] = 1.0,
    warm_up: Annotated[float, typer.Option(min=0.0, max=600.0, help="Seconds before.")] = 1.0,
    windows: Annotated[
        int, typer.Option(min=3, max=1000, help="Most windows to wait for three that agree.")
    ] = 10,
    has_bare: Annotated[
        bool, typer.Option("--bare/--no-bare", help="Measure bare onnxruntime beside it.")
    ] = True,
    save: Annotated[Path | None, typer.Option(help="Keep the result as a baseline.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Compare with a baseline.")] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How much slower still passes.")
    ] = 0.1,
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Measure frames per second and latency of a program, beside bare onnxruntime.

    Windows are measured until the last three are within 10 %, in turns with the bare library.
    Ends with 1 when something is slower than its baseline.

    Example: penstock bench squeezenet.dfp --lanes 1,2 --streams 1,4
    """
    before = None if baseline is None else read_baseline(baseline)
    plan = BenchPlan(
        model=model,
        plugins=tuple(key.strip() for key in plugins.split(",") if key.strip()),
        lanes=parse_counts(lanes, "--lanes", least=0),
        streams=parse_counts(streams, "--streams", least=1),
        window_s=window,
        warm_up_s=warm_up,
        most_windows=windows,
        has_bare=has_bare,
    )
    result = _measure_with_a_spinner(program, plan)
    if before is not None:
        result = msgspec.structs.replace(result, changes=compare(result, before, tolerance))
    if save is not None:
        write_baseline(result, save)
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        _show(result)
    return FAILED if any(change.is_slower for change in result.changes) else DONE


def parse_counts(text: str, option: str, *, least: int) -> tuple[int, ...]:
    """Read numbers like ``1,2,4``.

    Raises
    ------
    typer.BadParameter
        When it does not read like that.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and least <= int(part) <= _MOST for part in parts):
        raise typer.BadParameter(f"{option} takes numbers from {least} to {_MOST}, not {text!r}")
    return tuple(int(part) for part in parts)


def _measure_with_a_spinner(program: Path, plan: BenchPlan) -> BenchResult:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("loading", total=None)
        return measure(program, plan, lambda what: progress.update(task, description=what))


def _show(result: BenchResult) -> None:
    console = Console(markup=False, highlight=False, emoji=False)
    console.print(f"{result.program}, model {result.model}, {result.cores} cores")
    table = Table(box=None, pad_edge=False, header_style="dim")
    titles = ("plugin", "lanes", "streams", "frames/s", "p50 ms", "p95", "p99", "device ms")
    for title in (*titles, "bare/s", "ratio", ""):
        table.add_column(title, justify="left" if title in ("plugin", "") else "right")
    for row in result.rows:
        table.add_row(
            row.plugin,
            str(row.lanes),
            str(row.streams),
            f"{row.rate_hz:.1f}",
            f"{row.latency_p50_ms:.2f}",
            f"{row.latency_p95_ms:.2f}",
            f"{row.latency_p99_ms:.2f}",
            f"{row.device_p50_ms:.2f}",
            f"{row.bare_hz:.1f}" if row.bare_hz else "",
            f"{row.ratio:.3f}" if row.ratio else "",
            "" if row.is_steady else "unsteady",
        )
    console.print(table)
    for change in result.changes:
        console.print(_sentence(change))


def _sentence(change: Change) -> str:
    how = "slower" if change.change < 0 else "faster"
    verdict = ": TOO SLOW" if change.is_slower else ""
    return (
        f"{change.plugin}, {change.lanes} lanes, {change.streams} streams: "
        f"{abs(change.change):.1%} {how} than the baseline's {change.baseline_hz:.1f}/s{verdict}"
    )
