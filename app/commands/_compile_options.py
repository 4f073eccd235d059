"""The arguments and options of `penstock compile`."""

from pathlib import Path
from typing import Annotated

import typer

from engine.config import Task

__all__ = (
    "Autocrop",
    "Calibration",
    "Inputs",
    "Int8",
    "Labels",
    "Like",
    "MinCosine",
    "Models",
    "Name",
    "Output",
    "Outputs",
    "Settings",
    "Shapes",
    "TaskName",
)

Models = Annotated[
    list[Path], typer.Argument(metavar="MODEL...", help="ONNX files; one program is made.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The DFP to write; default: the model's name here."),
]
Name = Annotated[str, typer.Option(help="Name of the program; default: the model's.")]
TaskName = Annotated[
    Task | None, typer.Option(help="What the results are; default: tensor, nothing is drawn.")
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=SIZES",
        help="Shape of an input that has none, like input=1,3,224,224; repeatable.",
    ),
]
Labels = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Names of the classes, one per line.")
]
Settings = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML with name, task, labels and tables shapes, pre, post."),
]
Inputs = Annotated[
    str,
    typer.Option(
        metavar="NAMES", help="Tensors where the device's part begins: a,b; '|' between models."
    ),
]
Outputs = Annotated[
    str, typer.Option(metavar="NAMES", help="Tensors where the device's part ends.")
]
Autocrop = Annotated[
    bool, typer.Option("--autocrop", help="Leave pre- and post-processing to the host.")
]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Quantize weights and activations; needs --calibration.")
]
Calibration = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Frames to quantize and compare with, .npy or .npz; once per model.",
    ),
]
MinCosine = Annotated[
    float,
    typer.Option(
        min=-1.0,
        max=1.0,
        help="Refuse a program whose outputs point elsewhere than the original's; -1: never.",
    ),
]
Like = Annotated[
    Path | None,
    typer.Option("--for", metavar="DFP", help="Give it the ports of this MemryX program."),
]
