"""``penstock batch``: a program over folders of pictures, videos and cubes."""

import logging
import os
import signal
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from app.batch_progress import batch_progress
from app.exit_codes import DONE, FAILED, INTERRUPTED
from engine.batch import BatchPlan, BatchSummary, JobSettings, open_batch_program, run_batch
from engine.batch.parquet import has_parquet

__all__ = ("batch_command",)


def batch_command(
    project: Annotated[Path, typer.Argument(help="Project file (TOML) or program (DFP).")],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Folders, files and patterns.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    program: Annotated[str, typer.Option(help="Which program of the project.")] = "",
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Instead of the program's own.")
    ] = None,
    executor: Annotated[
        str, typer.Option(help="processes, ray, or ray://host:port for a cluster.")
    ] = "processes",
    workers: Annotated[
        int, typer.Option(min=0, max=100_000, help="Workers, a core each; 0 is one per core.")
    ] = 0,
    limit: Annotated[int, typer.Option(min=0, help="Most inputs; 0 takes all.")] = 0,
    frames: Annotated[int, typer.Option(min=0, help="Most frames of an input; 0 takes all.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Make every result anew.")] = False,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Write the class of every pixel too.")
    ] = False,
    parquet: Annotated[
        bool | None,
        typer.Option("--parquet/--no-parquet", help="Parquet too; by default when it can be."),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    is_quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> int:
    """Run a program over many files, in parallel; each input gets one result file.

    What has a result is not done again, so a run that was ended goes on with the same command.

    Example: penstock batch squeezenet.dfp photos clip.mp4 --out results
    """
    plan = BatchPlan(
        program=open_batch_program(project, program),
        inputs=tuple(inputs),
        out=out,
        settings=JobSettings(
            threshold=threshold,
            frames=frames,
            has_pixels=pixels,
            has_parquet=has_parquet() if parquet is None else parquet,
        ),
        executor=executor,
        workers=workers or _cores(),
        limit=limit,
        again=again,
    )
    summary = _run(plan, is_quiet=is_quiet)
    if summary is None:
        return INTERRUPTED
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    else:
        _show(summary)
    return FAILED if summary.failed else DONE


def _run(plan: BatchPlan, *, is_quiet: bool) -> BatchSummary | None:
    """Carry the run with its progress on stderr; None when it was interrupted."""
    # That a worker was killed because Ctrl+C would not wait for it is nothing to tell.
    logging.getLogger("engine.runner").setLevel(logging.ERROR)
    console = Console(stderr=True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with batch_progress(console, is_quiet=is_quiet) as show:
            return run_batch(plan, on_progress=show)
    except KeyboardInterrupt:
        console.print("penstock: interrupted; run the same command again to go on")
        return None
    finally:
        signal.signal(signal.SIGTERM, before)


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _show(summary: BatchSummary) -> None:
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    for told in summary.warnings:
        console.print(f"warning: {told.input}: {told.sentence}")
    for failure in summary.failures:
        console.print(f"failed: {failure.input}: {failure.sentence}")
    if summary.failed > len(summary.failures):
        console.print(f"all {summary.failed} that failed are in {summary.out}/failed.jsonl")
    counts = [f"{summary.done} done"]
    if summary.already:
        counts.append(f"{summary.already} done before")
    if summary.failed:
        counts.append(f"{summary.failed} failed")
    if summary.left_out:
        counts.append(f"{summary.left_out} other files left out")
    console.print(f"{summary.inputs} inputs: {', '.join(counts)}; results in {summary.out}")
    if summary.workers:
        console.print(
            f"{summary.frames} frames in {summary.seconds:.1f} s, {summary.frames_per_s:.1f}/s "
            f"by {summary.workers} workers"
        )
    if summary.workers_lost:
        console.print(f"{summary.workers_lost} workers were lost; others did what they had")
