"""``penstock devices``: what programs can run on here, under the numbers of `device_ids`."""

import threading
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from engine.plugins import (
    ChosenDevice,
    DeviceTelemetry,
    ListedDevice,
    PluginRegistry,
    list_devices,
)
from engine.plugins.device_list import ENVIRONMENT, choice_of_user

__all__ = ("devices_command",)

_BETWEEN_READINGS_S = 0.2
_NOTHING = "-"


class _DeviceRow(msgspec.Struct, frozen=True):
    """What ``--json`` prints of a device; what is not known or not measured is null.

    `id` is its number in `device_ids`, `index` its number within the plugin.
    """

    id: int
    kind: str
    plugin: str
    index: int
    name: str
    memory_bytes: int | None
    precision: str
    telemetry: DeviceTelemetry


def devices_command(
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """List the devices of all plugins that work here.

    The first column is the number that `device_ids` of the accelerator classes and the device
    manager count in. PENSTOCK_DEVICES names other devices, or another order.

    Example: penstock devices --json
    """
    registry = PluginRegistry()
    choice = choice_of_user()
    devices = list_devices(registry, choice, is_fresh=True)
    rows = [
        _DeviceRow(
            device.id,
            device.kind,
            device.plugin,
            device.index,
            device.name,
            device.memory_bytes or None,
            device.precision,
            telemetry,
        )
        for device, telemetry in zip(devices, _telemetry(registry, devices), strict=True)
    ]
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return 0
    _print(rows)
    if choice:
        print(f"chosen by {ENVIRONMENT}")
    return 0


def _telemetry(
    registry: PluginRegistry, devices: tuple[ListedDevice, ...]
) -> list[DeviceTelemetry]:
    """Read all sensors; those that tell a mean since the reading before do so of a moment."""
    chosen = [ChosenDevice(registry.choose(device.plugin), device.index) for device in devices]
    for device in chosen:
        device.telemetry()
    threading.Event().wait(_BETWEEN_READINGS_S)
    return [device.telemetry() for device in chosen]


def _print(rows: list[_DeviceRow]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("id", justify="right", no_wrap=True)
    for title in ("kind", "plugin"):
        table.add_column(title, no_wrap=True)
    table.add_column("name")
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("precision", no_wrap=True)
    for title in ("busy", "temp", "power"):
        table.add_column(title, justify="right", no_wrap=True)
    several = {row.plugin for row in rows if row.index}
    for row in rows:
        sensors = row.telemetry
        table.add_row(
            str(row.id),
            row.kind,
            f"{row.plugin}:{row.index}" if row.plugin in several else row.plugin,
            row.name,
            _gibibytes(row.memory_bytes),
            row.precision,
            _number(None if sensors.utilization is None else 100 * sensors.utilization, " %"),
            _number(sensors.temperature_c, " °C"),
            _number(sensors.power_w, " W"),
        )
    Console(markup=False, highlight=False).print(table)


def _gibibytes(memory_bytes: int | None) -> str:
    return _NOTHING if memory_bytes is None else f"{memory_bytes / 2**30:.1f} GiB"


def _number(value: float | None, unit: str) -> str:
    return _NOTHING if value is None else f"{value:.0f}{unit}"
