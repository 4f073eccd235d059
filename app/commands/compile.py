"""`penstock compile`: makes a program (DFP) from ONNX models."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.commands.inspect import show_program
from engine.config import Task
from engine.dfp import CompileSettings, compile_models, load_compile_settings, read_labels
from engine.dfp import Progress as ProgressCallback
from engine.errors import InvalidArgumentError

__all__ = ("compile_command",)

_STAGE_TEXTS = {
    "read": "Reading the model",
    "shapes": "Fixing shapes",
    "check": "Checking the model",
    "trial": "Running it once and comparing",
    "write": "Writing the program",
}


def compile_command(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL...", help="ONNX files; one program is made.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The DFP to write; default: the model's name here."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the program; default: the model's.")] = "",
    task: Annotated[
        Task | None, typer.Option(help="What the results are; default: tensor, nothing is drawn.")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SIZES",
            help="Shape of an input that has none, like input=1,3,224,224; repeatable.",
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the classes, one per line.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="TOML with name, task, labels and tables shapes, pre, post."
        ),
    ] = None,
) -> None:
    """Compile ONNX models into a program (DFP); options win over the settings file."""
    chosen = CompileSettings() if settings is None else load_compile_settings(settings)
    given_labels = chosen.labels if labels is None else read_labels(labels)
    shapes = dict(chosen.shapes) | dict(parse_shape(text) for text in shape or ())
    target = output or Path(f"{models[0].stem}.dfp")
    with _progress_bars() as tell:
        program = compile_models(
            models,
            output=target,
            name=name or chosen.name,
            task=task or chosen.task,
            pre=chosen.pre,
            post=chosen.post,
            labels=given_labels,
            input_shapes=shapes,
            progress=tell,
        )
    show_program(program)


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Read ``NAME=1,3,224,224``; input names may contain anything, also equal signs.

    Raises
    ------
    InvalidArgumentError
        When it does not read like that.
    """
    name, _, sizes = text.rpartition("=")
    try:
        shape = tuple(int(size) for size in sizes.split(","))
    except ValueError:
        shape = ()
    if not name or not shape or any(size < 1 for size in shape):
        raise InvalidArgumentError(
            f"--shape {text!r} is not a shape; write NAME=SIZES, for example input=1,3,224,224"
        )
    return name, shape


@contextmanager
def _progress_bars() -> Iterator[ProgressCallback]:
    """Show a bar per stage while it lasts; yields what the compiler tells its progress to.

    Nothing is shown where stderr is not a terminal, so that scripts see one line when it fails.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, fraction: float) -> None:
            if stage not in tasks:  # the bar pulses until something is done
                tasks[stage] = bars.add_task(_STAGE_TEXTS[stage], total=None)
            if fraction > 0.0:
                bars.update(tasks[stage], total=1.0, completed=fraction)

        yield tell
