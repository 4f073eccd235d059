"""Asks a license what it allows."""

from collections.abc import Mapping
from typing import Protocol

from engine.errors import LicenseDeviceError, LicenseFeatureMissingError

__all__ = ("Terms", "limit", "require", "require_device", "require_within")


class Terms(Protocol):
    """What a license allows; `License` and `LicenseState` have it."""

    @property
    def licensee(self) -> str:
        """Who may use it."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of features."""
        ...

    @property
    def limits(self) -> Mapping[str, int]:
        """Largest allowed numbers by name."""
        ...

    @property
    def devices(self) -> tuple[str, ...]:
        """The only devices it may be used with; empty for any."""
        ...


def require(terms: Terms, feature: str) -> None:
    """Make sure that the license contains a feature.

    Raises
    ------
    LicenseFeatureMissingError
        When it does not; the message says which features it has.
    """
    if not any(_covers(granted, feature) for granted in terms.features):
        granted = ", ".join(terms.features) or "nothing"
        raise LicenseFeatureMissingError(
            f"the license of {terms.licensee} does not include {feature!r} (it includes "
            f"{granted}); load a license that does",
            feature=feature,
        )


def limit(terms: Terms, name: str, default: int) -> int:
    """Return the largest number of `name` that is allowed, `default` when it is not limited."""
    return terms.limits.get(name, default)


def require_within(terms: Terms, name: str, wanted: int) -> None:
    """Make sure that `wanted` things called `name` (for example "streams") are allowed at once.

    Raises
    ------
    LicenseFeatureMissingError
        When the license allows fewer.
    """
    allowed = terms.limits.get(name)
    if allowed is not None and wanted > allowed:
        raise LicenseFeatureMissingError(
            f"the license of {terms.licensee} allows {allowed} {name}, not {wanted}; "
            "use fewer or load a license that allows more",
            limit=name,
            allowed=allowed,
        )


def require_device(terms: Terms, driver: str, device_id: str, serial: str = "") -> None:
    """Make sure that the license may be used with a device.

    Parameters
    ----------
    driver : name of the driver; a source without a device id counts as the device of that name.
    device_id : what the driver calls the device.
    serial : its serial number, when it is known and not the id.

    Raises
    ------
    LicenseDeviceError
        When the license is bound to other devices.
    """
    device = device_id or driver
    if terms.devices and not {device, serial} & set(terms.devices):
        raise LicenseDeviceError(
            f"the license of {terms.licensee} is bound to {_listed(terms.devices)}, and "
            f"{device!r} of the driver {driver!r} is not among them; "
            "use one of these or load another license",
            device=device,
            driver=driver,
        )


def _listed(devices: tuple[str, ...]) -> str:
    shown = ", ".join(repr(device) for device in devices[:5])
    more = f" and {len(devices) - 5} more" if len(devices) > 5 else ""
    return f"the device{'s' if len(devices) > 1 else ''} {shown}{more}"


def _covers(granted: str, feature: str) -> bool:
    if granted == "*":
        return True
    if granted.endswith(".*"):
        return feature.startswith(granted[:-1])
    return granted == feature
