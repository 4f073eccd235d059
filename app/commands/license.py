"""`penstock license`: look at licenses, and make keys and licenses of one's own."""

import os
import uuid
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from app.exit_codes import LICENSE
from engine.errors import InvalidArgumentError, OutputError
from engine.license import (
    PRODUCT,
    License,
    license_state,
    load_key_pair,
    load_license_file,
    new_key_pair,
    read_license,
    sign_license,
    site_keys_folder,
    trusted_keys,
)
from engine.protocol import LicenseState

__all__ = ("license_app",)

license_app = typer.Typer(
    help="Show, verify and issue licenses.\n\nExample: penstock license show",
    no_args_is_help=True,
    add_completion=False,
)


@license_app.command()
def show(
    file: Annotated[
        Path | None, typer.Argument(help="License file; none: the bundled one.")
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what a license allows; ends with 3 when it is not valid here and today.

    Example: penstock license show site.lic --json
    """
    data = None if file is None else load_license_file(file)
    state = license_state(data, "" if file is None else str(file))
    if is_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(state), indent=2).decode())
    else:
        table = Table(show_header=False, box=None, pad_edge=False)
        for label, text in _rows(state):
            table.add_row(label, text)
        Console(highlight=False, markup=False).print(table)
    if not state.is_valid:
        raise typer.Exit(LICENSE)


@license_app.command()
def verify(file: Annotated[Path, typer.Argument(help="License file.")]) -> None:
    """Check that a license is genuine and valid here and today.

    Example: penstock license verify site.lic
    """
    terms = read_license(load_license_file(file), what=f"license file {file}")
    typer.echo(f"{file}: valid until {terms.valid_until}, issued to {terms.licensee}")


@license_app.command()
def keygen(
    out: Annotated[
        Path, typer.Argument(help="Name of the files, without ending: NAME.key and NAME.pub.")
    ],
) -> None:
    """Make a key to sign licenses with; existing files are never overwritten.

    Example: penstock license keygen site
    """
    key = new_key_pair()
    private, public = out.with_name(f"{out.name}.key"), out.with_name(f"{out.name}.pub")
    _write_new(private, key.private_pem(), mode=0o600)
    _write_new(public, key.public_pem(), mode=0o644)
    typer.echo(f"{private}: private key {key.key_id}; keep it secret")
    typer.echo(f"{public}: public key; copy it to {site_keys_folder()} where it is to be trusted")


@license_app.command()
def issue(
    out: Annotated[Path, typer.Argument(help="License file to write.")],
    key: Annotated[Path, typer.Option(help="Private key from keygen.")],
    licensee: Annotated[str, typer.Option(help="Who may use it.")],
    feature: Annotated[list[str] | None, typer.Option(help="A feature; may be repeated.")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER; may be repeated.")] = None,
    days: Annotated[int, typer.Option(help="Valid for so many days, from today on.")] = 365,
    machine: Annotated[str, typer.Option(help="Machine id to bind it to (see show).")] = "",
    device: Annotated[
        list[str] | None,
        typer.Option(help="Id or serial number of a device to bind it to; may be repeated."),
    ] = None,
    license_id: Annotated[str, typer.Option("--id", help="Its id; empty: a new one.")] = "",
) -> None:
    """Write a signed license; it is checked before it is written.

    Example: penstock license issue site.lic --key site.key --licensee 'Plant 3' --days 30
    """
    pair = load_key_pair(_read_key(key))
    today = datetime.now().astimezone().date()
    if not licensee:
        raise InvalidArgumentError("a license needs the name of the licensee")
    terms = License(
        license_id=license_id or uuid.uuid4().hex[:12],
        licensee=licensee,
        product=PRODUCT,
        valid_from=today,
        valid_until=_last_day(today, days),
        features=tuple(feature or ("*",)),
        limits=_limits(limit or []),
        machine_id=machine,
        devices=_devices(device or []),
    )
    data = sign_license(terms, pair)
    read_license(
        data,
        trusted_keys={pair.key_id: pair.public},
        machine_id=machine,
        what="the new license",
    )
    _write_new(out, data, mode=0o644)
    typer.echo(f"{out}: license {terms.license_id}, valid until {terms.valid_until}")
    if pair.key_id not in trusted_keys():
        typer.echo(f"machines that use it need the public key in {site_keys_folder()}")


def _rows(state: LicenseState) -> list[tuple[str, str]]:
    rows = [
        ("License", state.license_id),
        ("Issued to", state.licensee),
        ("Product", state.product),
        ("Valid", f"{state.valid_from} to {state.valid_until}" if state.valid_until else ""),
        ("Features", ", ".join(state.features)),
        ("Limits", ", ".join(f"{name} {most}" for name, most in sorted(state.limits.items()))),
        ("Bound to", (state.machine_id or "any machine") if state.license_id else ""),
        ("Devices", ", ".join(state.devices)),
        ("This machine", state.this_machine_id),
        ("File", state.path or "bundled community license"),
        ("State", state.problem or "valid"),
    ]
    return [(label, text) for label, text in rows if text]


def _last_day(today: date, days: int) -> date:
    if not 1 <= days <= 36525:
        raise InvalidArgumentError(f"a license is valid for 1 to 36525 days, not {days}")
    return today + timedelta(days=days - 1)


def _limits(texts: list[str]) -> dict[str, int]:
    limits: dict[str, int] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if not name or not number.isdecimal():
            raise InvalidArgumentError(f"a limit looks like streams=16, not {text!r}")
        limits[name] = int(number)
    return limits


def _devices(texts: list[str]) -> tuple[str, ...]:
    if not all(texts):
        raise InvalidArgumentError("a device is given by its id or serial number, not by nothing")
    return tuple(dict.fromkeys(texts))


def _read_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgumentError(
            f"private key {path} cannot be read: {error.strerror}", file=str(path)
        ) from error


def _write_new(path: Path, data: bytes, *, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}; choose another name", file=str(path)
        ) from error
