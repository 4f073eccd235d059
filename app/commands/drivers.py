"""``penstock drivers``: where frames can come from."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from engine.drivers import (
    Discovery,
    DriverCatalog,
    DriverEntry,
    discover_devices,
)
from engine.errors import DriverError
from engine.protocol import DriverParameter, DriverState

__all__ = ("drivers_command",)


def drivers_command(
    name: Annotated[str | None, typer.Argument(help="Show the parameters of this driver.")] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--folder", help="A folder with further drivers; repeatable."),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    with_devices: Annotated[
        bool,
        typer.Option("--devices", help="Ask every driver, each in its own process, for devices."),
    ] = False,
    timeout_s: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=600.0, help="Seconds that drivers may take."),
    ] = 10.0,
) -> int:
    """List the drivers, or the parameters of one; --devices asks them what is connected.

    Example: penstock drivers --devices
    """
    catalog = DriverCatalog(folders or ())
    if name is not None:
        catalog.get(name)
    if with_devices:
        found = discover_devices(_entries(catalog, name), timeout_s)
        _show(found, _devices(found), is_json=is_json)
        return 0
    states = [state for state in catalog.states() if name in (None, state.name)]
    _show(states, _drivers(states) if name is None else _parameters(states[0]), is_json=is_json)
    return 0


def _show(found: object, table: Table, *, is_json: bool) -> None:
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        Console(markup=False, highlight=False).print(table)


def _entries(catalog: DriverCatalog, name: str | None) -> list[DriverEntry]:
    """Return the drivers to be asked; those with a problem keep it."""
    entries = []
    for state in catalog.states():
        if name in (None, state.name):
            try:
                entries.append(catalog.get(state.name))
            except DriverError as error:
                broken = DriverEntry(state.name, state.label, state.folder, problem=error.message)
                entries.append(broken)
    return entries


def _devices(found: list[Discovery]) -> Table:
    table = _table("driver", "device", "what it is, or what is wrong")
    for one in found:
        if one.problem:
            table.add_row(one.driver, "", one.problem)
        elif not one.devices:
            table.add_row(one.driver, "", "no device found")
        for device in one.devices:
            # a driver that cannot tell lists itself: there is no device to choose
            is_itself = device.device_id == one.driver == device.name
            what = "whatever its parameters name" if is_itself else device.name
            table.add_row(one.driver, "" if is_itself else device.device_id, what)
    return table


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
