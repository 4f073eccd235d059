"""The verbs of ``penstock manager`` that are about keys for other machines."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.exit_codes import DONE
from engine.errors import InvalidArgumentError
from engine.manager import NetworkAddress, find_address
from engine.manager.address import DEFAULT_PORT

__all__ = ("add_key_commands",)


def add_key_commands(app: typer.Typer) -> None:
    """Add the verbs to ``penstock manager``."""
    app.command("keygen")(keygen_command)
    app.command("allow")(allow_command)
    app.command("revoke")(revoke_command)
    app.command("trust")(trust_command)
    app.command("keys")(keys_command)


def keygen_command(
    is_manager: Annotated[
        bool,
        typer.Option("--manager", help="For the manager of this machine, not for its programs."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the files; where they are looked for if not given."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a key that is there.")
    ] = False,
) -> int:
    """Make a key for device managers over a network, with which programs here reach one elsewhere.

    Example: penstock manager keygen
    """
    # ZeroMQ takes a while to load, and only keys need it.
    from engine.manager.network import keys

    kind = keys.MANAGER if is_manager else keys.CLIENT
    public = keys.ManagerKeys().make(kind, out, replace=replace)
    print(f"{public.with_suffix('.key')}: secret, stays here")
    print(f"{public}: public, {keys.fingerprint(keys.read_public(public, kind))}")
    if is_manager:
        print("on each client:  penstock manager trust HOST manager.pub")
    else:
        print("at the manager:  penstock manager allow NAME client.pub")
    return DONE


def allow_command(
    name: Annotated[str, typer.Argument(help="What to call the client.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="Its client.pub.", show_default=False)],
) -> int:
    """Allow programs of another machine to use the manager of this one; in force at once.

    Example: penstock manager allow laptop client.pub
    """
    from engine.manager.network import keys

    public = keys.ManagerKeys().allow(name, file)
    print(f"{name} is allowed ({keys.fingerprint(public)})")
    return DONE


def revoke_command(
    name: Annotated[str, typer.Argument(help="As it was allowed.", show_default=False)],
) -> int:
    """Allow a client no longer; what it has open ends within two seconds.

    Example: penstock manager revoke laptop
    """
    from engine.manager.network.keys import ManagerKeys

    ManagerKeys().revoke(name)
    print(f"{name} is not allowed any more")
    return DONE


def trust_command(
    host: Annotated[
        str, typer.Argument(help="The manager, as in manager_addr.", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(help="Its manager.pub.", show_default=False)],
    port: Annotated[int, typer.Option("--port", help="Its manager_port.")] = DEFAULT_PORT,
) -> int:
    """Note the key of a manager on another machine, so that nobody can pose as it.

    Example: penstock manager trust 192.168.1.5 manager.pub
    """
    from engine.manager.network import keys

    address = find_address(host, port)
    if not isinstance(address, NetworkAddress):
        raise InvalidArgumentError(f"{host!r} is a folder; keys are for managers elsewhere")
    public = keys.ManagerKeys().trust(address, file)
    print(f"{address} is trusted ({keys.fingerprint(public)})")
    return DONE


def keys_command() -> int:
    """List keys: those of this machine, the clients allowed here, and the managers trusted.

    Example: penstock manager keys
    """
    from engine.manager.network import keys

    own = keys.ManagerKeys()
    rows = []
    for kind, what in ((keys.MANAGER, "manager of this machine"), (keys.CLIENT, "programs here")):
        path = own.folder / f"{kind}.pub"
        if path.exists():
            rows.append(("own", what, keys.read_public(path, kind)))
    rows += [("allowed", name, public) for public, name in own.allowed().items()]
    rows += [("trusted", name, public) for name, public in own.trusted().items()]
    print(f"in {own.folder}" + ("" if rows else ": none; make one with 'penstock manager keygen'"))
    if rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("", "name", "fingerprint"):
            table.add_column(title, no_wrap=True)
        for what, name, public in rows:
            table.add_row(what, name, keys.fingerprint(public))
        Console().print(table, highlight=False)
    return DONE
