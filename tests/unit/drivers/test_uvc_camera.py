"""USB cameras: what the kernel says of them. No camera is here; structures are real bytes."""

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.drivers.builtin.uvc_camera.controls import (
    Controls,
    capability,
    control_of,
    menu_entry_of,
)
from engine.drivers.builtin.uvc_camera.sysfs import cameras_in
from engine.drivers.live import LiveParameter, UnknownParameterError
from engine.errors import DriverError, InvalidArgumentError, MediaError

QUERY_CONTROL, QUERY_MENU, GET, SET = 0xC0445624, 0xC02C5625, 0xC008561B, 0xC008561C
NEXT = 0x80000000
BRIGHTNESS, AUTO, EXPOSURE, RESET, CLASS = 0x980900, 0x9A0901, 0x9A0902, 0x9A0910, 0x980001


def control_bytes(number: int, kind: int, name: str, *numbers: int, flags: int = 0) -> bytes:
    """Write ``struct v4l2_queryctrl`` as linux/videodev2.h lays it out."""
    words = struct.pack("=5i", *(*numbers, 0, 0, 0, 0)[:4], flags)
    return struct.pack("=2I", number, kind) + name.encode().ljust(32, b"\0") + words + bytes(8)


class Camera:
    """A kernel that knows four controls; exposure can be set only in the manual mode."""

    def __init__(self) -> None:
        self.values = {BRIGHTNESS: 10, AUTO: 3, EXPOSURE: 156}
        self.is_there = True

    def controls(self) -> dict[int, bytes]:
        inactive = 0x10 if self.values[AUTO] == 3 else 0
        return {
            CLASS: control_bytes(CLASS, 6, "User Controls", flags=4),
            BRIGHTNESS: control_bytes(BRIGHTNESS, 1, "Brightness", -64, 64, 1, 0),
            AUTO: control_bytes(AUTO, 3, "Auto Exposure", 0, 3, 1, 3, flags=8),
            EXPOSURE: control_bytes(
                EXPOSURE, 1, "Exposure Time, Absolute", 50, 10000, 1, 166, flags=inactive
            ),
            RESET: control_bytes(RESET, 4, "Pan, Reset", flags=0x40),
        }

    def __call__(self, request: int, data: bytearray) -> None:
        if not self.is_there:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        (number,) = struct.unpack_from("=I", data)
        answer = {
            QUERY_CONTROL: self._query,
            QUERY_MENU: self._menu,
            GET: self._get,
            SET: self._set,
        }[request](number, data)
        data[: len(answer)] = answer

    def _query(self, number: int, _: bytearray) -> bytes:
        known = self.controls()
        if number & NEXT:
            later = sorted(one for one in known if one > number & ~NEXT)
            number = later[0] if later else 0
        if number not in known:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return known[number]

    def _menu(self, number: int, data: bytearray) -> bytes:
        index = struct.unpack_from("=I", data, 4)[0]
        names = {1: "Manual Mode", 3: "Aperture Priority Mode"}
        if index not in names:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return struct.pack("=2I", number, index) + names[index].encode().ljust(36, b"\0")

    def _get(self, number: int, _: bytearray) -> bytes:
        return struct.pack("=Ii", number, self.values[number])

    def _set(self, number: int, data: bytearray) -> bytes:
        value = struct.unpack_from("=i", data, 4)[0]
        if number == BRIGHTNESS and value == 13:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.values[number] = value
        return bytes(data)


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """Lay out two nodes of one USB camera and one of a capture card, as sysfs has them."""
    usb = tmp_path / "devices" / "usb1" / "1-2"
    interface = usb / "1-2:1.0"
    for folder, name, index in (
        (interface, "video10", "0"),
        (interface, "video11", "1"),
        (tmp_path / "devices" / "card", "video2", "0"),
    ):
        node = folder / "video4linux" / name
        node.mkdir(parents=True)
        (node / "name").write_text("HD Webcam\n" if folder == interface else "Grabber\n")
        (node / "index").write_text(f"{index}\n")
        (node / "device").symlink_to(folder)
    (usb / "serial").write_text("A1B2\n")
    (usb / "product").write_text("HD Webcam\n")
    (usb / "manufacturer").write_text("Acme\n")
    listed = tmp_path / "class"
    listed.mkdir()
    for node in (tmp_path / "devices").rglob("video*"):
        if node.parent.name == "video4linux":
            (listed / node.name).symlink_to(node)
    (listed / "v4l-subdev0").mkdir()
    return listed


def test_each_camera_is_listed_once_with_its_usb_names(sysfs: Path) -> None:
    grabber, webcam = cameras_in(sysfs)
    assert (grabber.device_id, grabber.name) == ("/dev/video2", "Grabber at /dev/video2")
    assert (webcam.device_id, webcam.vendor, webcam.model) == ("/dev/video10", "Acme", "HD Webcam")
    assert webcam.serial == "A1B2"


def test_without_video_devices_nothing_is_listed(tmp_path: Path) -> None:
    assert cameras_in(tmp_path / "missing") == []
    assert cameras_in(tmp_path) == []


def test_a_control_is_read_from_the_kernels_bytes() -> None:
    found = control_of(control_bytes(EXPOSURE, 1, "Exposure Time, Absolute", -5, 7, 2, 1, flags=16))
    assert (found.name, found.label) == ("exposure_time_absolute", "Exposure Time, Absolute")
    assert (found.minimum, found.maximum, found.step, found.flags) == (-5, 7, 2, 16)


def test_menus_have_texts_or_numbers() -> None:
    text = struct.pack("=2I", 1, 2) + b"Manual".ljust(36, b"\0")
    number = struct.pack("=2Iq", 1, 2, -(2**40)) + bytes(28)
    assert menu_entry_of(text, 3) == "Manual"
    assert menu_entry_of(number, 9) == str(-(2**40))


def test_what_a_device_can_do_is_told_by_the_node_not_by_all_its_nodes() -> None:
    def answer(device: int) -> Callable[[int, bytearray], None]:
        def ask(request: int, data: bytearray) -> None:
            assert request == 0x80685600
            names = b"uvcvideo".ljust(16, b"\0") + b"HD Webcam".ljust(32, b"\0") + bytes(32)
            data[:] = names + struct.pack("=6I", 0x060100, 0x84A00001, device, 0, 0, 0)

        return ask

    assert capability(answer(0x04200001)).can_capture
    assert not capability(answer(0x04A00000)).can_capture
    assert capability(answer(1)).card == "HD Webcam"


def parameters(controls: Controls) -> dict[str, LiveParameter]:
    return {one.name: one for one in controls.parameters()}


def test_controls_become_parameters_with_limits_choices_and_access() -> None:
    found = parameters(Controls(Camera(), "camera"))
    assert list(found) == ["brightness", "auto_exposure", "exposure_time_absolute", "pan_reset"]
    brightness = found["brightness"]
    assert (brightness.kind, brightness.value, brightness.step) == ("integer", 10, 1)
    assert (brightness.minimum, brightness.maximum) == (-64, 64)
    mode = found["auto_exposure"]
    assert mode.choices == ("Manual Mode", "Aperture Priority Mode")
    assert mode.value == "Aperture Priority Mode"
    assert "exposure_time_absolute" in mode.affects
    assert (found["pan_reset"].kind, found["pan_reset"].access) == ("command", "wo")


def test_a_mode_frees_the_exposure_time() -> None:
    camera = Camera()
    controls = Controls(camera, "camera")
    assert parameters(controls)["exposure_time_absolute"].access == "ro"
    controls.set_value("auto_exposure", "Manual Mode")
    assert parameters(controls)["exposure_time_absolute"].access == "rw"
    controls.set_value("exposure_time_absolute", 300)
    assert camera.values == {BRIGHTNESS: 10, AUTO: 1, EXPOSURE: 300}


def test_what_the_camera_refuses_is_named() -> None:
    controls = Controls(Camera(), "camera /dev/video0")
    with pytest.raises(InvalidArgumentError, match="/dev/video0 does not take 13 for brightness"):
        controls.set_value("brightness", 13)
    with pytest.raises(InvalidArgumentError, match="no choice 'Auto'"):
        controls.set_value("auto_exposure", "Auto")
    with pytest.raises(UnknownParameterError, match="it has brightness"):
        controls.set_value("zoom", 1)


def test_controls_of_a_camera_that_was_unplugged_are_not_available() -> None:
    camera = Camera()
    controls = Controls(camera, "camera")
    camera.is_there = False
    assert {one.access for one in controls.parameters()} == {"na"}
    with pytest.raises(DriverError, match="is lost"):
        Controls(camera, "camera")


def test_without_a_camera_there_is_a_sentence(open_driver: Any, tmp_path: Path) -> None:
    missing = tmp_path / "video0"
    with pytest.raises(DriverError, match=r"there is no camera .*plug it in"):
        open_driver("uvc-camera", device=str(missing))
    missing.write_text("not a camera")
    with pytest.raises(MediaError, match="cannot be used as a camera"):
        open_driver("uvc-camera", device=str(missing))
    with pytest.raises(DriverError, match="there is no USB camera no-such-serial"):
        open_driver("uvc-camera", device="no-such-serial")
