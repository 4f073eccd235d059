"""What a license allows, and what it says about itself."""

from datetime import date

import msgspec
import pytest

from engine.errors import LicenseDeviceError, LicenseFeatureMissingError
from engine.license import License, limit, require, require_device, require_within


def terms(*features: str, **limits: int) -> License:
    return License(
        license_id="L-1",
        licensee="Ann Example",
        product="penstock",
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
        features=features,
        limits=limits,
    )


def bound(*devices: str) -> License:
    return msgspec.structs.replace(terms(), devices=devices)


@pytest.mark.parametrize("features", [("*",), ("recorder",), ("a", "recorder"), ("runner.*", "*")])
def test_a_feature_that_is_included(features: tuple[str, ...]) -> None:
    require(terms(*features), "recorder")


@pytest.mark.parametrize("features", [(), ("record",), ("recorder.*",), ("recorders",)])
def test_a_feature_that_is_not_included(features: tuple[str, ...]) -> None:
    with pytest.raises(LicenseFeatureMissingError, match="Ann Example does not include 'recorder'"):
        require(terms(*features), "recorder")


def test_the_message_lists_what_is_included() -> None:
    with pytest.raises(LicenseFeatureMissingError, match=r"it includes a, runner\.\*\); load"):
        require(terms("a", "runner.*"), "b")


def test_a_group_of_features_covers_its_members_only() -> None:
    require(terms("runner.*"), "runner.ray")
    with pytest.raises(LicenseFeatureMissingError):
        require(terms("runner.*"), "runners")


def test_limits() -> None:
    assert limit(terms(streams=4), "streams", 99) == 4
    assert limit(terms(), "streams", 99) == 99


def test_as_many_as_allowed_is_fine_and_one_more_is_not() -> None:
    require_within(terms(streams=4), "streams", 4)
    with pytest.raises(LicenseFeatureMissingError, match="allows 4 streams, not 5; use fewer") as e:
        require_within(terms(streams=4), "streams", 5)
    assert e.value.details == {"limit": "streams", "allowed": 4}


def test_what_has_no_limit_is_not_limited() -> None:
    require_within(terms(devices=1), "streams", 10_000)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"licensee": ""}, "needs an id, a licensee and a product"),
        ({"valid_until": date(2025, 1, 1)}, "is before the first"),
        ({"limits": {"streams": -1}}, "negative: streams"),
    ],
)
def test_a_license_that_makes_no_sense_cannot_be_made(
    changes: dict[str, object], reason: str
) -> None:
    fields = {name: getattr(terms("*"), name) for name in License.__struct_fields__} | changes
    with pytest.raises(ValueError, match=reason):
        License(**fields)


def test_a_license_bound_to_no_device_is_for_all() -> None:
    require_device(terms(), "cam", "SN-1")


@pytest.mark.parametrize(
    ("device_id", "serial"), [("SN-2", ""), ("usb:3", "SN-2"), ("SN-1", "other")]
)
def test_a_device_is_known_by_its_id_or_its_serial_number(device_id: str, serial: str) -> None:
    require_device(bound("SN-1", "SN-2"), "cam", device_id, serial)


@pytest.mark.parametrize(("device_id", "serial"), [("", ""), ("sn-1", ""), ("SN-10", "SN")])
def test_another_device_is_refused(device_id: str, serial: str) -> None:
    with pytest.raises(LicenseDeviceError, match=r"bound to the device 'SN-1', .*use one of these"):
        require_device(bound("SN-1"), "cam", device_id, serial)


def test_of_many_devices_only_some_are_listed() -> None:
    with pytest.raises(LicenseDeviceError, match=r"'4' and 95 more, and 'x' of the driver 'cam'"):
        require_device(bound(*map(str, range(100))), "cam", "x")


def test_a_device_needs_a_name() -> None:
    with pytest.raises(ValueError, match="needs an id"):
        License("a", "b", "c", date(2026, 1, 1), date(2026, 1, 2), devices=("",))
