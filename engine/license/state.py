"""Describes the license in use for clients, valid or not."""

from collections.abc import Mapping
from datetime import date

from engine.errors import LicenseError
from engine.license.bundled import bundled_license
from engine.license.envelope import open_envelope
from engine.license.keys import trusted_keys as default_keys
from engine.license.machine import this_machine_id
from engine.license.model import License
from engine.license.reading import check_use
from engine.protocol import LicenseState

__all__ = ("license_state",)


def license_state(
    data: bytes | None,
    path: str = "",
    *,
    today: date | None = None,
    trusted_keys: Mapping[str, bytes] | None = None,
    machine_id: str | None = None,
) -> LicenseState:
    """Describe a license and what is wrong with it; never raises `LicenseError`.

    Parameters
    ----------
    data : content of a license file; None takes the bundled community license.
    path : where the data came from, empty for the bundled license.
    today, trusted_keys, machine_id : as for `read_license`.
    """
    here = this_machine_id() if machine_id is None else machine_id
    what = f"license file {path}" if path else "the license"
    keys = default_keys() if trusted_keys is None else trusted_keys
    terms: License | None = None
    problem = ""
    try:
        content = bundled_license() if data is None else data
        terms = open_envelope(content, keys, what)
        check_use(terms, today=today, machine_id=here, what=what)
    except LicenseError as error:
        problem = error.message
    if terms is None:
        return LicenseState(problem=problem, path=path, this_machine_id=here)
    return LicenseState(
        is_valid=not problem,
        problem=problem,
        path=path,
        licensee=terms.licensee,
        license_id=terms.license_id,
        product=terms.product,
        valid_from=terms.valid_from.isoformat(),
        valid_until=terms.valid_until.isoformat(),
        features=terms.features,
        limits=dict(terms.limits),
        machine_id=terms.machine_id,
        devices=terms.devices,
        this_machine_id=here,
    )
