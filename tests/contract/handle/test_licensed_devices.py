"""What a license says about drivers and devices holds where they are connected."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.errors import LicenseDeviceError, LicenseFeatureMissingError
from engine.handle import ConnectionSettings, DeviceGroup, DriverType, Handle
from engine.license import License, new_key_pair, reading, sign_license

MANIFEST = """
name = "{name}"
label = "{name}"
[[parameters]]
name = "device"
label = "Device"
kind = "text"
default = ""
"""

CODE = """
from engine.drivers import BaseDriver
from engine.protocol import FrameFormat, FrameKind

class Driver(BaseDriver):
    def open(self, parameters):
        return FrameFormat(FrameKind.IMAGE, (4, 6, 3), "uint8", rate_hz=10.0)

    def read(self, out):
        out[...] = 1
"""

Connect = Callable[..., DeviceGroup]


@pytest.fixture
def licensed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Connect]]:
    """Make a handle under a license, and connect to devices of the drivers "one" and "two"."""
    for name in ("one", "two"):
        folder = tmp_path / "drivers" / name
        folder.mkdir(parents=True)
        (folder / "manifest.toml").write_text(MANIFEST.format(name=name))
        (folder / "driver.py").write_text(CODE)
    key = new_key_pair()
    monkeypatch.setattr(reading, "default_keys", lambda: {key.key_id: key.public})
    handles: list[Handle] = []

    def make(**terms: Any) -> Connect:
        days = (date(2000, 1, 1), date(2999, 1, 1))
        data = sign_license(License("a", "Ann", "penstock", *days, ("*",), **terms), key)
        handle = Handle(data)
        handles.append(handle)
        handle.setDriverBaseDirectory(tmp_path / "drivers")

        def connect(driver: str, device_id: str = "", **parameters: str) -> DeviceGroup:
            settings = ConnectionSettings(
                driver, DriverType.Instrument, device_id.encode(), dict(parameters)
            )
            return DeviceGroup(handle, settings)

        return connect

    yield make
    for handle in handles:
        handle.close()


def test_no_more_different_drivers_are_in_use_at_once_than_allowed(licensed: Any) -> None:
    connect = licensed(limits={"drivers": 1})
    first = connect("one", "A")
    second = connect("one", "B")  # the same driver once more

    with pytest.raises(LicenseFeatureMissingError, match="Ann allows 1 drivers, not 2") as caught:
        connect("two")
    assert caught.value.details == {"limit": "drivers", "allowed": 1}
    assert caught.value.code == "license_feature"

    first.disconnect()
    with pytest.raises(LicenseFeatureMissingError):
        connect("two")
    second.disconnect()
    connect("two")


def test_no_more_devices_are_connected_at_once_than_allowed(licensed: Any) -> None:
    connect = licensed(limits={"devices": 1})
    first = connect("one", "A")
    with pytest.raises(LicenseFeatureMissingError, match="1 devices, not 2"):
        connect("one", "B")
    first.disconnect()

    connect("one", "B")


def test_a_license_bound_to_devices_is_usable_with_these_only(licensed: Any) -> None:
    connect = licensed(devices=("SN-1", "SN-2"))
    connect("one", "SN-2")
    connect("two", "SN-1")

    with pytest.raises(LicenseDeviceError, match="bound to the devices 'SN-1', 'SN-2', and 'SN-3'"):
        connect("one", "SN-3")
    with pytest.raises(LicenseDeviceError) as caught:
        connect("one")  # whichever is found first
    assert caught.value.code == "license_device"
    assert isinstance(caught.value, RuntimeError)


def test_the_device_that_is_really_opened_counts(licensed: Any) -> None:
    connect = licensed(devices=("SN-1",))

    with pytest.raises(LicenseDeviceError, match="'SN-9'"):
        connect("one", "SN-1", device="SN-9")


def test_a_source_without_a_device_id_counts_as_the_device_named_like_its_driver(
    licensed: Any,
) -> None:
    connect = licensed(devices=("pattern",))
    connect("pattern", "pattern")

    with pytest.raises(LicenseDeviceError):
        connect("one", "SN-1")
