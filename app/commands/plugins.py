"""``penstock plugins``: which backends there are, whether they work here, and how they compare."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from app.plugin_comparison import Comparison, PluginFigures, compare_plugins, random_frames
from engine.dfp import Dfp
from engine.errors import InvalidArgumentError
from engine.plugins import PluginRegistry

__all__ = ("plugins_command",)

plugins_command = typer.Typer(
    help="List the processing plugins, and compare them.\n\nExample: penstock plugins --json",
    invoke_without_command=True,
    add_completion=False,
)


@plugins_command.callback()
def list_plugins(
    context: typer.Context,
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the processing plugins; each is probed in a process of its own.

    Example: penstock plugins --json
    """
    if context.invoked_subcommand is not None:
        return
    registry = PluginRegistry()
    registry.probe_all()
    states = registry.states()
    if is_json:
        _print_json(states)
        return
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("plugin", "available", "precision", "version"):
        table.add_column(title, no_wrap=True)
    table.add_column("devices")
    for plugin in states:
        table.add_row(
            plugin.key,
            plugin.availability.value,
            plugin.precision,
            plugin.version,
            ", ".join(plugin.devices),
        )
    console.print(table)
    for plugin in states:
        if plugin.reason:
            console.print(f"{plugin.key}: {plugin.reason}", highlight=False, soft_wrap=True)


@plugins_command.command()
def compare(
    dfp: Annotated[Path, typer.Argument(help="The compiled program.")],
    model: Annotated[int, typer.Option(help="Number of the model in it.")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="Different random frames.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.0, help="Measuring time of a plugin.")] = 1.0,
    size: Annotated[int, typer.Option(min=1, help="Size of the model's free axes.")] = 1,
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Put the same frames through every available plugin: speed, latency, numerical difference.

    The difference is measured from the ONNX reference evaluator. Each plugin executes one frame
    at a time.

    Example: penstock plugins compare model.dfp --seconds 3
    """
    program = Dfp(dfp)
    if model not in range(len(program.models)):
        raise InvalidArgumentError(
            f"DFP {program.source} has the models 0 to {len(program.models) - 1}, not {model}"
        )
    registry = PluginRegistry()
    registry.probe_all()
    found = compare_plugins(
        program,
        registry,
        model_idx=model,
        frames=random_frames(program.models[model].inputs, count=frames, free_size=size),
        seconds=seconds,
    )
    if is_json:
        _print_json(found)
    else:
        _print_comparison(found)


def _print_comparison(found: Comparison) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("plugin", "precision", "frames/s", "p50 ms", "p95 ms", "largest difference"):
        table.add_column(title, justify="left" if title in ("plugin", "precision") else "right")
    for plugin in found.plugins:
        if not plugin.problem:
            table.add_row(*_row(plugin))
    console.print(f"{found.model}: {found.frames} random frames, one at a time", highlight=False)
    console.print(table)
    if found.max_magnitude:
        console.print(f"values of the outputs reach {found.max_magnitude:.4g}", highlight=False)
    for plugin in found.plugins:
        if plugin.problem:
            console.print(f"{plugin.key}: {plugin.problem}", highlight=False, soft_wrap=True)


def _row(plugin: PluginFigures) -> tuple[str, ...]:
    difference = plugin.max_difference
    return (
        plugin.key,
        plugin.precision,
        f"{plugin.frames_per_s:.1f}",
        f"{plugin.latency_ms_p50:.2f}",
        f"{plugin.latency_ms_p95:.2f}",
        "not comparable" if difference is None else f"{difference:.3g}",
    )


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
