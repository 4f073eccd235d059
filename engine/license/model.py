"""What a license says."""

from datetime import date

import msgspec

__all__ = ("PRODUCT", "License")

PRODUCT = "penstock"


class License(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is allowed to whom, and when. This is what the signature covers.

    Attributes
    ----------
    license_id : name of the license, unique for its issuer.
    licensee : who may use it.
    product : the product it is for.
    valid_from, valid_until : first and last day, both included, in local time.
    features : names of features; ``"*"`` is all, ``"runner.*"`` all that begin with ``runner.``.
    limits : largest allowed number of something, by name, for example ``{"streams": 16}``;
        what has no limit here is not limited.
    machine_id : the only machine it is for, see `this_machine_id`; empty for any machine.
    devices : the only devices it may be used with, by id or serial number; empty for any device.
    """

    license_id: str
    licensee: str
    product: str
    valid_from: date
    valid_until: date
    features: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    machine_id: str = ""
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.license_id or not self.licensee or not self.product:
            raise ValueError("a license needs an id, a licensee and a product")
        if self.valid_until < self.valid_from:
            raise ValueError(
                f"the last day ({self.valid_until}) is before the first ({self.valid_from})"
            )
        if "" in self.devices:
            raise ValueError("a device that a license is bound to needs an id or a serial number")
        negative = sorted(name for name, most in self.limits.items() if most < 0)
        if negative:
            raise ValueError(f"limits are 0 or more; negative: {', '.join(negative)}")
