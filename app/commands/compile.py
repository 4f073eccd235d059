"""`penstock compile`: makes a program (DFP) from ONNX models."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.commands import _compile_options as options
from app.commands.inspect import show_program
from engine.dfp import (
    DEFAULT_MIN_COSINE,
    CompileSettings,
    Int8Settings,
    ModelSource,
    compile_models,
    load_compile_settings,
    names_per_model,
    read_labels,
)
from engine.dfp import Progress as ProgressCallback
from engine.errors import InvalidArgumentError

__all__ = ("compile_command",)

_STAGE_TEXTS = {
    "read": "Reading the model",
    "shapes": "Fixing shapes",
    "crop": "Cutting it into parts",
    "check": "Checking the model",
    "quantize": "Quantizing to INT8",
    "trial": "Running it and comparing",
    "write": "Writing the program",
}


def compile_command(
    models: options.Models,
    output: options.Output = None,
    name: options.Name = "",
    task: options.TaskName = None,
    shape: options.Shapes = None,
    labels: options.Labels = None,
    settings: options.Settings = None,
    inputs: options.Inputs = "",
    outputs: options.Outputs = "",
    autocrop: options.Autocrop = False,
    int8: options.Int8 = False,
    calibration: options.Calibration = None,
    min_cosine: options.MinCosine = DEFAULT_MIN_COSINE,
    like: options.Like = None,
) -> None:
    """Compile ONNX models into a program (DFP); options win over the settings file.

    Example: penstock compile model.onnx --task classify --labels names.txt -o model.dfp
    """
    chosen = CompileSettings() if settings is None else load_compile_settings(settings)
    given_labels = chosen.labels if labels is None else read_labels(labels)
    shapes = dict(chosen.shapes) | dict(parse_shape(text) for text in shape or ())
    target = output or Path(f"{models[0].stem}.dfp")
    sources = model_sources(models, inputs=inputs, outputs=outputs, calibration=calibration or ())
    with _progress_bars() as tell:
        program = compile_models(
            sources,
            output=target,
            name=name or chosen.name,
            task=task or chosen.task,
            pre=chosen.pre,
            post=chosen.post,
            labels=given_labels,
            input_shapes=shapes,
            progress=tell,
            autocrop=autocrop,
            int8=Int8Settings() if int8 else None,
            min_cosine=min_cosine,
            like=like,
        )
    show_program(program)


def model_sources(
    models: Sequence[Path], *, inputs: str, outputs: str, calibration: Sequence[Path]
) -> list[ModelSource]:
    """Return each model with the places where it is cut and its frames.

    Raises
    ------
    InvalidArgumentError
        When something is given for another number of models than there are.
    """
    begins = names_per_model("--inputs", inputs, len(models))
    ends = names_per_model("--outputs", outputs, len(models))
    if calibration and len(calibration) != len(models):
        raise InvalidArgumentError(
            f"--calibration is given {len(calibration)} times for {len(models)} models; "
            "give it once for each, in their order"
        )
    frames: Sequence[Path | None] = calibration or [None] * len(models)
    return [
        ModelSource(model, inputs=begin, outputs=end, calibration=data)
        for model, begin, end, data in zip(models, begins, ends, frames, strict=True)
    ]


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
