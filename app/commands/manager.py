"""``penstock manager``: start, stop and watch the daemon that shares devices."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from app.commands._manager_keys import add_key_commands
from app.exit_codes import DONE, FAILED
from engine.errors import InvalidArgumentError, WrongStateError
from engine.manager import (
    IDLE_TIMEOUT_S,
    AnyAddress,
    ClientFigures,
    DeviceFigures,
    ManagerAddress,
    ManagerStatus,
    NetworkAddress,
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

_Addr = Annotated[
    str | None,
    typer.Option("--addr", help="Folder of the manager (with a slash), or host; yours by default."),
]
_Port = Annotated[int, typer.Option("--port", help="Number of the manager, there or at that host.")]
_Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@manager_app.command("start")
def start_command(
    addr: _Addr = None,
    port: _Port = DEFAULT_PORT,
    device: Annotated[
        list[str] | None,
        typer.Option("--device", help="PLUGIN or PLUGIN:NUMBER to share; all without a word."),
    ] = None,
    idle_timeout: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="End after so many seconds without users; 0 never. "
            f"{IDLE_TIMEOUT_S:g} by default, 0 with --listen.",
            show_default=False,
        ),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            help="Let machines whose keys are allowed in at this address: 127.0.0.1 for those "
            "that come through a tunnel, an address of this machine, or 0.0.0.0 for all of its.",
            show_default=False,
        ),
    ] = "",
) -> int:
    """Start a manager in the background; the first program that needs one does it by itself.

    Example: penstock manager start --idle-timeout 0
    """
    address = _own_address(addr, port)
    if idle_timeout is None:
        idle_timeout = 0.0 if listen else IDLE_TIMEOUT_S
    if listen:
        _check_network(address, listen)
    is_new = start_manager(
        address, devices=device or (), idle_timeout_s=idle_timeout, listen=listen
    )
    where = f" and at {NetworkAddress(listen, port)}" if listen else ""
    print(f"{'started' if is_new else 'already running'} in {address.folder}{where}")
    return DONE


@manager_app.command("stop")
def stop_command(addr: _Addr = None, port: _Port = DEFAULT_PORT) -> int:
    """End the manager; programs that use it get an error, and start another with the next frame.

    Example: penstock manager stop
    """
    address = _address(addr, port)
    pid = stop_manager(address)
    print(f"no manager runs in {_named(address)}" if pid is None else f"stopped process {pid}")
    return DONE


@manager_app.command("status")
def status_command(addr: _Addr = None, port: _Port = DEFAULT_PORT, is_json: _Json = False) -> int:
    """Show devices and who uses them; the exit code is 1 when no manager runs.

    Example: penstock manager status --json
    """
    address = _address(addr, port)
    status = manager_status(address)
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(status), indent=2).decode())
    elif status is None:
        print(f"no manager runs in {_named(address)}")
    else:
        _print(status)
    return FAILED if status is None else DONE


def _address(addr: str | None, port: int) -> AnyAddress:
    """Return what ``--addr`` stands for; a folder has a slash in it, or is one dot or two."""
    if addr is None:
        return default_address(port)
    is_folder = os.sep in addr or addr in (".", "..")
    return find_address(str(Path(addr).expanduser().absolute()) if is_folder else addr, port)


def _own_address(addr: str | None, port: int) -> ManagerAddress:
    address = _address(addr, port)
    if isinstance(address, NetworkAddress):
        raise InvalidArgumentError(
            f"a device manager is started on its own machine, not at {address}; --addr is a folder "
            "here, written with a slash"
        )
    return address


def _named(address: AnyAddress) -> str:
    return address.folder if isinstance(address, ManagerAddress) else str(address)


def _check_network(address: ManagerAddress, listen: str) -> None:
    """Say what is missing before anything is started."""
    # ZeroMQ takes a while to load, and only networks need it.
    from engine.manager.network.keys import ManagerKeys

    where = find_address(listen, address.port)
    if not isinstance(where, NetworkAddress):
        raise InvalidArgumentError(f"--listen takes an address of this machine, not {listen!r}")
    keys = ManagerKeys()
    keys.manager_pair()
    if not keys.allowed():
        raise InvalidArgumentError(
            "no client is allowed yet, so that nobody could come in; make a key on the client with "
            "'penstock manager keygen', copy its client.pub here, and run 'penstock manager allow "
            "NAME client.pub'"
        )
    status = manager_status(address)
    if status is not None and status.listen.split(" ")[0] != str(where):
        raise WrongStateError(
            f"a device manager runs in {address.folder} already, and does not listen at {where}; "
            "stop it with 'penstock manager stop', then start it again"
        )


def _print(status: ManagerStatus) -> None:
    console = Console()
    listening = f", listening at {status.listen}" if status.listen else ""
    console.print(
        f"process {status.pid} in {status.folder}{listening}, up {status.uptime_s:.0f} s",
        highlight=False,
        soft_wrap=True,
    )
    for device in status.devices:
        _print_device(console, device)


def _print_device(console: Console, device: DeviceFigures) -> None:
    plugin = f"{device.plugin}:{device.plugin_index}" if device.plugin_index else device.plugin
    figures = ""
    if device.worker_pid or device.restarts:  # one that nobody has used has none
        worker = f", worker {device.worker_pid}" if device.worker_pid else ""
        figures = (
            f"{worker}, busy {device.busy:.0%}, {device.swaps} swaps, {device.restarts} restarts"
        )
    name = f", {device.name}" if device.name else ""
    console.print(
        f"device {device.index} ({plugin}{name}): {device.state}{figures}",
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
            _who(client),
            client.name,
            f"{client.weight:g}",
            str(client.priority),
            f"{client.share:.0%}",
            str(client.queued),
            str(client.frames),
            f"{client.mean_wait_ms:.1f} ms",
        )
    console.print(table)


def _who(client: ClientFigures) -> str:
    return client.peer or str(client.pid)


add_key_commands(manager_app)  # last in the list of verbs
