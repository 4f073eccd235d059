"""``penstock tune``: the fastest setting for a program that is exact enough."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.tuning import Limit, Row, TunePlan, TuneResult, parse_limit, tune
from app.tuning.material import make_material
from engine.dfp import DEFAULT_MIN_COSINE, Dfp, ModelSource, compile_models, save_dfp
from engine.errors import OutputError

__all__ = ("tune_command",)


def tune_command(
    program: Annotated[Path, typer.Argument(metavar="MODEL|DFP", help="ONNX model or program.")],
    parity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIMIT",
            help="What the numbers keep beside float32 onnxruntime: cosine>=0.99, top1>=0.95, "
            "difference<=0.01; repeatable.",
        ),
    ] = None,
    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Frames it will see, .npy or .npz; once per model. INT8 needs it."
        ),
    ] = None,
    plugins: Annotated[
        str, typer.Option(help="Plugins by key, separated by commas; empty: all that work.")
    ] = "",
    seconds: Annotated[
        float, typer.Option(min=0.05, max=60.0, help="Seconds per measurement.")
    ] = 0.5,
    rounds: Annotated[
        int, typer.Option(min=1, max=100, help="How often the best ones are measured again.")
    ] = 3,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a DFP that runs with the best one.")
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Find and store the fastest setting of a program that keeps its numbers.

    Every plugin runs as it is and, with calibration data, in INT8, each in a process of its own.

    Example: penstock tune model.onnx --calibration frames.npy --parity 'top1>=0.95' -o t.dfp
    """
    if out is not None:
        _refuse_unwritable(out)
    limits = [parse_limit(text) for text in parity or ()]
    plan = TunePlan(
        limits=tuple(limits or [Limit("cosine", DEFAULT_MIN_COSINE)]),
        plugins=tuple(key.strip() for key in plugins.split(",") if key.strip()),
        window_s=seconds,
        rounds=rounds,
    )
    result, tuned = _tune_with_a_spinner(program, calibration or [], plan)
    if out is not None:
        save_dfp(tuned.data, out)
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
        return 0
    _show(result)
    console = Console(markup=False, highlight=False, emoji=False)
    if out is None:
        console.print("Nothing was written; --out FILE.dfp stores the best one.", soft_wrap=True)
    else:
        console.print(f"{out} runs with it where no plugin is chosen.", soft_wrap=True)
    return 0


def _refuse_unwritable(out: Path) -> None:
    """Say before half a minute of work that its result cannot be written."""
    if not os.access(out.parent, os.W_OK) or out.is_dir():
        raise OutputError(
            f"{out} cannot be written; choose a folder that is there and may be written to",
            file=str(out),
        )


def _tune_with_a_spinner(
    program: Path, calibration: list[Path], plan: TunePlan
) -> tuple[TuneResult, Dfp]:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("reading", total=None)
        if program.suffix == ".dfp":
            dfp = Dfp(program)
        else:
            source = ModelSource(program, calibration=calibration[0] if calibration else None)
            dfp = compile_models([source])
        progress.update(task, description="quantizing" if calibration else "preparing")
        material = make_material(dfp, calibration)
        return tune(dfp, material, plan, lambda what: progress.update(task, description=what))


def _show(result: TuneResult) -> None:
    console = Console(markup=False, highlight=False, emoji=False)
    what = "frames the quantizer did not see" if result.is_calibrated else "random frame"
    count = f"{result.frames} " if result.is_calibrated else "a "
    console.print(
        f"{result.program}: {result.cores} cores, compared with float32 onnxruntime on "
        f"{count}{what}, {', '.join(result.limits)}",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    titles = ("", "plugin", "numbers", "lanes", "frames/s", "gain", "ms")
    for title in (*titles, "cosine", "differs", "top-1"):  # fits 80 columns
        table.add_column(title, justify="left" if title in titles[:3] else "right", no_wrap=True)
    for number, row in enumerate(result.rows):
        if row.figures.rate_hz:
            table.add_row(*_cells(result, number, row))
    console.print(table)
    for row in result.rows:
        if row.problem:
            setting = row.setting
            console.print(f"{setting.plugin}, {setting.numbers}: {row.problem}", soft_wrap=True)
    for note in result.notes:
        console.print(note, soft_wrap=True)


def _cells(result: TuneResult, number: int, row: Row) -> tuple[str, ...]:
    setting, figures = row.setting, row.figures
    untuned_hz = result.rows[result.untuned].figures.rate_hz
    mark = ">" if number == result.winner else ""
    return (
        mark,
        setting.plugin,
        setting.numbers,
        f"{setting.lanes} x {setting.threads}",
        f"{figures.rate_hz:.1f}",
        f"{figures.rate_hz / untuned_hz:.2f}" if untuned_hz else "",
        f"{figures.latency_ms:.2f}",
        "" if figures.cosine is None else f"{figures.cosine:.5f}",
        "" if figures.max_difference is None else f"{figures.max_difference:.2g}",
        "" if figures.top1 is None else f"{figures.top1:.1%}",
    )
