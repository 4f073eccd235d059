"""Reads a license and says why it cannot be used."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from engine.errors import (
    LicenseExpiredError,
    LicenseMachineError,
    LicenseNotYetValidError,
    LicenseProductError,
    LicenseUnreadableError,
)
from engine.license.envelope import open_envelope
from engine.license.keys import trusted_keys as default_keys
from engine.license.machine import this_machine_id
from engine.license.model import PRODUCT, License

__all__ = ("check_use", "load_license_file", "read_license")

_READ_LIMIT_BYTES = 1024 * 1024


def load_license_file(path: str | Path) -> bytes:
    """Return a license file's content for `read_license`.

    Raises
    ------
    LicenseUnreadableError
        When the file is missing or cannot be read.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(_READ_LIMIT_BYTES)
    except OSError as error:
        raise LicenseUnreadableError(
            f"license file {path} cannot be read: {error.strerror}; choose another file",
            file=str(path),
        ) from error


def read_license(
    data: bytes,
    *,
    today: date | None = None,
    trusted_keys: Mapping[str, bytes] | None = None,
    machine_id: str | None = None,
    what: str = "the license",
) -> License:
    """Return the license when it is genuine and may be used here and today.

    Parameters
    ----------
    data : content of a license file.
    today : the day to check against; None is today.
    trusted_keys : raw public keys by key id; None takes the bundled ones and the site's own.
    machine_id : the machine to check against; None is this one.
    what : names the license in errors, for example ``"license file a.lic"``.

    Raises
    ------
    LicenseError
        One class for each reason: `LicenseEmptyError`, `LicenseTruncatedError`,
        `LicenseMalformedError`, `LicenseSignerError`, `LicenseSignatureError`,
        `LicenseProductError`, `LicenseMachineError`, `LicenseNotYetValidError`,
        `LicenseExpiredError`.
    """
    keys = default_keys() if trusted_keys is None else trusted_keys
    terms = open_envelope(data, keys, what)
    check_use(terms, today=today, machine_id=machine_id, what=what)
    return terms


def check_use(
    terms: License,
    *,
    today: date | None = None,
    machine_id: str | None = None,
    what: str = "the license",
) -> None:
    """Raise when a genuine license is not for this product, this machine or this day."""
    if terms.product != PRODUCT:
        raise LicenseProductError(
            f"{what} is for {terms.product!r}, not for {PRODUCT!r}; use one for this product",
            product=terms.product,
        )
    here = this_machine_id() if machine_id is None else machine_id
    if terms.machine_id not in ("", here):
        raise LicenseMachineError(
            f"{what} is bound to the machine {terms.machine_id}, this one is {here}; "
            "ask for a license for this machine",
            machine_id=here,
        )
    day = datetime.now().astimezone().date() if today is None else today
    if day < terms.valid_from:
        raise LicenseNotYetValidError(
            f"{what} is valid from {terms.valid_from} on and today is {day}; "
            "wait until then, or correct this machine's clock",
            valid_from=terms.valid_from.isoformat(),
        )
    if day > terms.valid_until:
        raise LicenseExpiredError(
            f"{what} expired after {terms.valid_until}, today is {day}; ask for a new one",
            valid_until=terms.valid_until.isoformat(),
        )
