"""Asks a license what it allows."""

from engine.errors import LicenseFeatureMissingError
from engine.license.model import License

__all__ = ("limit", "require", "require_within")


def require(terms: License, feature: str) -> None:
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


def limit(terms: License, name: str, default: int) -> int:
    """Return the largest number of `name` that is allowed, `default` when it is not limited."""
    return terms.limits.get(name, default)


def require_within(terms: License, name: str, wanted: int) -> None:
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


def _covers(granted: str, feature: str) -> bool:
    if granted == "*":
        return True
    if granted.endswith(".*"):
        return feature.startswith(granted[:-1])
    return granted == feature
