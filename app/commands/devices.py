"""``penstock devices``: what programs can run on here."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from engine.plugins import PluginRegistry
from engine.protocol import PluginAvailability

__all__ = ("devices_command",)


class _DeviceRow(msgspec.Struct, frozen=True):
    """What ``--json`` prints of a device; `device` counts within its plugin."""

    plugin: str
    device: int
    name: str
    precision: str


def devices_command(
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """List the devices of all plugins that work here.

    Example: penstock devices --json
    """
    rows = [
        _DeviceRow(state.key, number, name, state.precision)
        for state in PluginRegistry().probe_all()
        if state.availability is PluginAvailability.AVAILABLE
        for number, name in enumerate(state.devices)
    ]
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("plugin", "device", "name", "precision"):
        table.add_column(title)
    for row in rows:
        table.add_row(row.plugin, str(row.device), row.name, row.precision)
    Console(markup=False, highlight=False).print(table)
    return 0
