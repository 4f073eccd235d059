"""``penstock manager``: start, stop and watch the daemon that shares devices."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from app.exit_codes import DONE, FAILED
from engine.manager import (
    IDLE_TIMEOUT_S,
    DeviceFigures,
    ManagerAddress,
    ManagerStatus,
    default_address,
    find_address,
    manager_status,
    start_manager,
    stop_manager,
)
from engine.manager.address import DEFAULT_PORT

__all__ = ("manager_app",)

manager_app = typer.Typer(
    help="Start, stop and watch the device manager, which lets programs share devices."
    "\n\nExample: penstock manager status --json",
    no_args_is_help=True,
)

_Folder = Annotated[
    Path | None, typer.Option("--addr", help="Folder of the manager; your own by default.")
]
_Port = Annotated[int, typer.Option("--port", help="Number of the manager in that folder.")]
_Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@manager_app.command("start")
def start_command(
    folder: _Folder = None,
    port: _Port = DEFAULT_PORT,
    device: Annotated[
        list[str] | None,
        typer.Option("--device", help="Plugin of a device; give it once per device."),
    ] = None,
    idle_timeout: Annotated[
        float, typer.Option(min=0, help="End after so many seconds without users; 0 never.")
    ] = IDLE_TIMEOUT_S,
) -> int:
    """Start a manager in the background; the first program that needs one does it by itself.

    Example: penstock manager start --idle-timeout 0
    """
    address = _address(folder, port)
    is_new = start_manager(address, devices=device or (), idle_timeout_s=idle_timeout)
    print(f"{'started' if is_new else 'already running'} in {address.folder}")
    return DONE


@manager_app.command("stop")
def stop_command(folder: _Folder = None, port: _Port = DEFAULT_PORT) -> int:
    """End the manager; programs that use it get an error, and start another with the next frame.

    Example: penstock manager stop
    """
    address = _address(folder, port)
    pid = stop_manager(address)
    print(f"no manager runs in {address.folder}" if pid is None else f"stopped process {pid}")
    return DONE


@manager_app.command("status")
def status_command(
    folder: _Folder = None, port: _Port = DEFAULT_PORT, is_json: _Json = False
) -> int:
    """Show devices and who uses them; the exit code is 1 when no manager runs.

    Example: penstock manager status --json
    """
    address = _address(folder, port)
    status = manager_status(address)
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(status), indent=2).decode())
    elif status is None:
        print(f"no manager runs in {address.folder}")
    else:
        _print(status)
    return FAILED if status is None else DONE


def _address(folder: Path | None, port: int) -> ManagerAddress:
    return default_address(port) if folder is None else find_address(str(folder.absolute()), port)


def _print(status: ManagerStatus) -> None:
    console = Console()
    console.print(
        f"process {status.pid} in {status.folder}, up {status.uptime_s:.0f} s", highlight=False
    )
    for device in status.devices:
        _print_device(console, device)


def _print_device(console: Console, device: DeviceFigures) -> None:
    worker = f", worker {device.worker_pid}" if device.worker_pid else ""
    console.print(
        f"device {device.index} ({device.plugin}): {device.state}{worker}, "
        f"busy {device.busy:.0%}, {device.swaps} swaps, {device.restarts} restarts",
        highlight=False,
        soft_wrap=True,
    )
    if not device.clients:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("client", "program"):
        table.add_column(title, no_wrap=True)
    for title in ("weight", "priority", "share", "queued", "frames", "mean wait"):
        table.add_column(title, justify="right")
    for client in device.clients:
        table.add_row(
            str(client.pid),
            client.name,
            f"{client.weight:g}",
            str(client.priority),
            f"{client.share:.0%}",
            str(client.queued),
            str(client.frames),
            f"{client.mean_wait_ms:.1f} ms",
        )
    console.print(table)
