"""``penstock drivers``: where frames can come from."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from engine.drivers import DriverCatalog
from engine.protocol import DriverParameter, DriverState

__all__ = ("drivers_command",)


def drivers_command(
    name: Annotated[str | None, typer.Argument(help="Show the parameters of this driver.")] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--folder", help="A folder with further drivers; repeatable."),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """List the drivers, or the parameters of one; no code of a driver is run.

    Example: penstock drivers video-file
    """
    catalog = DriverCatalog(folders or ())
    if name is not None:
        catalog.get(name)
    states = [state for state in catalog.states() if name in (None, state.name)]
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(states), indent=2).decode())
    else:
        table = _drivers(states) if name is None else _parameters(states[0])
        Console(markup=False, highlight=False).print(table)
    return 0


def _drivers(states: list[DriverState]) -> Table:
    table = _table("driver", "label", "what it does, or what is wrong with it")
    for state in states:
        table.add_row(state.name, state.label, state.problem or state.description)
    return table


def _parameters(state: DriverState) -> Table:
    table = _table("parameter", "kind", "default", "range", "what it is")
    for parameter in state.parameters:
        what = parameter.label + (f": {parameter.help}" if parameter.help else "")
        default = "required" if parameter.is_required else str(parameter.default)
        table.add_row(parameter.name, parameter.kind, default, _range(parameter), what)
    return table


def _range(parameter: DriverParameter) -> str:
    if parameter.choices:
        return ", ".join(parameter.choices)
    low, high = parameter.minimum, parameter.maximum
    if low is None and high is None:
        return parameter.unit
    ends = f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
    return f"{ends} {parameter.unit}".strip()


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title)
    return table
