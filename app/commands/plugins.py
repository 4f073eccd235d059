"""``penstock plugins``: which backends there are, and whether they work here."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from engine.plugins import PluginRegistry

__all__ = ("plugins_command",)


def plugins_command(
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """List the processing plugins; each is probed in a process of its own.

    Example: penstock plugins --json
    """
    registry = PluginRegistry()
    registry.probe_all()
    states = registry.states()
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(states), indent=2).decode())
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("plugin", "available", "precision", "devices", "version", "reason"):
        table.add_column(title)
    for plugin in states:
        table.add_row(
            plugin.key,
            plugin.availability.value,
            plugin.precision,
            ", ".join(plugin.devices),
            plugin.version,
            plugin.reason,
        )
    Console().print(table)
    return 0
