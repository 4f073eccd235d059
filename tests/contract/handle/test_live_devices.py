"""Parameters of connected devices, and lights that are dark while dark references are taken."""

import os
import signal
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.drivers import catalog
from engine.drivers.live import (
    ParameterAccessError,
    ParameterRangeError,
    ParameterTypeError,
    UnknownParameterError,
)
from engine.errors import DriverCrashedError, MediaError
from engine.handle import (
    ConnectionSettings,
    DeviceGroup,
    DeviceStatus,
    DriverState,
    DriverType,
    Handle,
    InstrumentDevice,
    LightControlDevice,
    LightState,
    ParameterInfo,
    enumerateDevices,
)
from engine.handle.errors import ArgumentError, DeviceStateError

pytestmark = pytest.mark.slow  # real processes, one for nearly every test

CAMERA = """
import time
from pathlib import Path
from engine.drivers import BaseDriver, DeviceInfo, LiveParameter, NoFrameYetError
from engine.errors import MediaError
from engine.protocol import FrameFormat, FrameKind

class Driver(BaseDriver):
    def devices(self):
        return [DeviceInfo("cam-a", "Camera A", "Acme", "Eye", "A1"),
                DeviceInfo("cam-b", "Camera B", "Acme", "Eye", "B2")]

    def open(self, parameters):
        if parameters["device"] not in ("cam-a", "cam-b"):
            raise MediaError("there is no such camera; choose another")
        self.lamp = Path(parameters["lamp"]) if parameters.get("lamp") else None
        self.exposure, self.period, self.name, self.log = 5.0, 10.0, parameters["device"], "x"
        return FrameFormat(FrameKind.LINE, (6, 4), "uint16", wavelengths_nm=(1.0, 2.0, 3.0, 4.0))

    def read(self, out):
        time.sleep(0.002)
        self.lost_count += 1
        out[...] = 1000 if self.lamp is None or self.lamp.read_text() == "on" else 3

    def live_parameters(self):
        return (
            LiveParameter("ExposureTime", "number", "Exposure time", self.exposure, "ms",
                          minimum=0.1, maximum=self.period, affects=("Period",)),
            LiveParameter("Period", "number", value=self.period, minimum=self.exposure,
                          maximum=100.0, affects=("ExposureTime",)),
            LiveParameter("Device", "text", value=self.name, access="ro"),
            LiveParameter("Mode", "choice", value="fast", choices=("fast", "slow")),
            LiveParameter("Invert", "boolean", value=False),
            LiveParameter("Secret", "integer", access="wo"),
            LiveParameter("Calibrate", "command", access="wo"),
        )

    def set_parameter(self, name, value):
        if name == "ExposureTime":
            self.exposure = value
        if name == "Period":
            self.period = value

    def run_command(self, name):
        self.exposure = 5.0
"""

LIGHT = """
from pathlib import Path
from engine.drivers import BaseDriver, DeviceInfo, LiveParameter
from engine.errors import DriverError

class Driver(BaseDriver):
    def devices(self):
        return [DeviceInfo("lamp", "Lamp")]

    def open(self, parameters):
        self.file = Path(parameters["lamp"])
        self.is_enabled, self.is_forced_off = True, False
        self.fails = bool(parameters.get("fails"))
        self.shine()

    def shine(self):
        self.file.write_text("on" if self.is_enabled and not self.is_forced_off else "off")

    def live_parameters(self):
        return (LiveParameter("Enabled", "boolean", value=self.is_enabled),)

    def set_parameter(self, name, value):
        self.is_enabled = value
        self.shine()

    def force_light_off(self, *, is_forced_off):
        if self.fails:
            raise DriverError("the lamp's relay is stuck; replace it")
        self.is_forced_off = is_forced_off
        self.shine()
"""

MANIFEST = """
name = "{name}"
label = "{name} label"
api_version = 2
has_own_parameters = true
[[parameters]]
name = "device"
label = "Device"
kind = "text"
"""


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    """What the camera sees: a file that says whether it is light."""
    path = tmp_path / "lamp"
    path.write_text("on")
    return path


@pytest.fixture
def base(tmp_path: Path, handle: Handle, monkeypatch: pytest.MonkeyPatch) -> Path:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    monkeypatch.setattr(catalog, "BUILTIN_FOLDER", nothing)
    folder = tmp_path / "drivers"
    for name, code, kind in (("eye", CAMERA, ""), ("bulb", LIGHT, 'device_kind = "light"\n')):
        place = folder / name
        place.mkdir(parents=True)
        head, rest = MANIFEST.format(name=name).split("[[", 1)
        (place / "manifest.toml").write_text(head + kind + "[[" + rest)
        (place / "driver.py").write_text(textwrap.dedent(code))
    handle.setDriverBaseDirectory(folder)
    return folder


@pytest.fixture
def connect(handle: Handle, base: Path) -> Iterator[Callable[..., Any]]:
    groups: list[DeviceGroup] = []

    def start(driver: str = "eye", **parameters: str) -> Any:
        kind = DriverType.LightControl if driver == "bulb" else DriverType.Instrument
        one = b"lamp" if driver == "bulb" else b"cam-b"
        groups.append(DeviceGroup(handle, ConnectionSettings(driver, kind, one, parameters)))
        return groups[-1].primaryDevice()

    yield start
    for group in groups:
        group.disconnect()


def levels(device: InstrumentDevice, count: int = 5) -> set[int]:
    found = set()
    for _ in range(count):
        buffer = device.retrieveBuffer(20_000)
        assert buffer is not None
        found.add(int(buffer.data.max()))
        device.returnBuffer(buffer)
    return found


def drain(device: InstrumentDevice) -> None:
    """Retrieve until an error ends it."""
    while (buffer := device.retrieveBuffer(20_000)) is not None:
        device.returnBuffer(buffer)


# -- enumeration and connection


def test_every_device_of_a_driver_is_listed_with_what_is_known_of_it(
    handle: Handle, base: Path
) -> None:
    result = enumerateDevices(handle, -1, 30_000, returnEarly=True)
    assert {driver.state for driver in result.drivers} == {DriverState.OK}
    assert {(driver.name, driver.type, driver.version) for driver in result.drivers} == {
        ("eye", DriverType.Instrument, "2"),
        ("bulb", DriverType.LightControl, "2"),
    }
    cameras = [one for one in result.devices if one.driverName == "eye"]
    assert [(one.id, one.name, one.vendor, one.model, one.serial) for one in cameras] == [
        (b"cam-a", "Camera A", "Acme", "Eye", "A1"),
        (b"cam-b", "Camera B", "Acme", "Eye", "B2"),
    ]


def test_the_id_of_the_settings_chooses_the_device(connect: Any, handle: Handle) -> None:
    assert connect().getParameter("Device") == "cam-b"
    settings = ConnectionSettings("eye", DriverType.Instrument, b"cam-c")
    with pytest.raises(MediaError, match="no such camera"):
        DeviceGroup(handle, settings)


# -- parameters


def test_parameters_of_a_connected_device_are_described(connect: Any) -> None:
    info = connect().parameterInfo()
    exposure = info.parameter("ExposureTime")
    assert (exposure.type, exposure.unit) == (ParameterInfo.Type.Float, "ms")
    assert (exposure.minimum, exposure.maximum) == (0.1, 10.0)
    assert exposure.displayName == "Exposure time"
    access = {name: info.parameter(name).accessMode.name for name in info.parameterNames()}
    assert access == {
        "ExposureTime": "ReadWrite",
        "Period": "ReadWrite",
        "Device": "ReadOnly",
        "Mode": "ReadWrite",
        "Invert": "ReadWrite",
        "Secret": "WriteOnly",
        "Calibrate": "WriteOnly",
    }
    assert info.parameter("Calibrate").type is ParameterInfo.Type.Command
    assert [entry.name for entry in info.parameter("Mode").enumerationEntries] == ["fast", "slow"]
    for index, name in enumerate(info.parameterNames()):
        assert info.parameter(index) == info.parameter(name)


def test_setting_one_changes_the_limits_of_another_in_the_same_info(connect: Any) -> None:
    device = connect()
    info = device.parameterInfo()
    assert info.affectedParameters("Period") == ("ExposureTime",)
    with pytest.raises(ParameterRangeError, match="at most 10 ms"):
        device.setParameter("ExposureTime", 50.0)
    assert "ExposureTime" in device.setParameter("Period", 60.0)
    assert info.parameter("ExposureTime").maximum == 60.0
    device.setParameter("ExposureTime", 50.0)
    assert device.getParameter("ExposureTime") == 50.0
    assert info.parameter("Period").minimum == 50.0


def test_parameters_are_set_while_acquiring(connect: Any) -> None:
    device = connect()
    device.startAcquisition()
    for value in (1.0, 2.0, 3.0):
        device.setParameterFloat("ExposureTime", value)
        assert device.getParameterFloat("ExposureTime") == value
        assert levels(device, 1) == {1000}
    device.executeCommand("Calibrate")
    assert device.getParameterFloat("ExposureTime") == 5.0


WRONG_USES: list[tuple[Callable[[Any], object], type[Exception]]] = [
    (lambda d: d.setParameter("Exposure", 1.0), UnknownParameterError),
    (lambda d: d.getParameter("Exposure"), UnknownParameterError),
    (lambda d: d.setParameter("ExposureTime", "long"), ParameterTypeError),
    (lambda d: d.setParameter("Mode", "warp"), ParameterRangeError),
    (lambda d: d.setParameter("Device", "x"), ParameterAccessError),
    (lambda d: d.getParameter("Secret"), ParameterAccessError),
    (lambda d: d.getParameter("Calibrate"), ParameterAccessError),
    (lambda d: d.executeCommand("Mode"), ParameterTypeError),
    (lambda d: d.getParameterInteger("Mode"), ArgumentError),
    (lambda d: d.getParameterBoolean("ExposureTime"), ArgumentError),
    (lambda d: d.setParameter(5, 1), ArgumentError),
]


def test_wrong_uses_are_told_apart_and_change_nothing(connect: Any) -> None:
    device = connect()
    for use, kind in WRONG_USES:
        with pytest.raises(kind) as caught:
            use(device)
        assert isinstance(caught.value, RuntimeError)
    assert device.getParameterFloat("ExposureTime") == 5.0
    assert device.getParameterEnumeration("Mode") == "fast"
    assert device.getParameterBoolean("Invert") is False
    assert device.getParameterString("Device") == "cam-b"
    assert device.status is DeviceStatus.Connected


def test_frames_that_the_device_lost_are_counted_per_acquisition(connect: Any) -> None:
    device = connect()
    for _ in range(2):
        device.startAcquisition()
        levels(device, 10)
        assert device.lostFrames >= 10
        assert device.droppedFrames >= device.lostFrames
        before = device.lostFrames
        device.stopAcquisition()
        device.startAcquisition()
        assert device.lostFrames < before
        device.stopAcquisition()


def test_a_killed_driver_is_noticed_by_who_sets_a_parameter(connect: Any) -> None:
    device = connect()
    assert device.getParameter("Period") == 10.0
    os.kill(device._host.pid, signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(DriverCrashedError, match="SIGKILL"):
        device.setParameter("Period", 20.0)
    assert time.monotonic() - begun < 4
    assert device.status is DeviceStatus.Error
    with pytest.raises(DeviceStateError, match="has failed"):
        device.getParameter("Period")
    device.release()
    assert connect().getParameter("Period") == 10.0


# -- lights


def test_a_light_is_a_device_with_parameters_and_no_frames(connect: Any, lamp: Path) -> None:
    light = connect("bulb", lamp=str(lamp))
    assert isinstance(light, LightControlDevice)
    assert light.lightState() is LightState.Parametrized
    light.setParameterBoolean("Enabled", False)
    assert lamp.read_text() == "off"
    light.setParameterBoolean("Enabled", True)
    light.setLightState(LightState.ForcedOff)
    assert (lamp.read_text(), light.lightState()) == ("off", LightState.ForcedOff)
    assert light.getParameterBoolean("Enabled") is True
    light.setLightState(LightState.Parametrized)
    assert lamp.read_text() == "on"
    with pytest.raises(ArgumentError, match="LightState"):
        light.setLightState(7)


def test_a_dark_reference_is_dark_and_the_light_comes_back(connect: Any, lamp: Path) -> None:
    light = connect("bulb", lamp=str(lamp))
    camera = connect(lamp=str(lamp))
    camera.startAcquisition("WhiteReference")
    assert levels(camera) == {1000}
    camera.stopAcquisition()
    camera.startAcquisition("DarkReference")
    assert light.lightState() is LightState.ForcedOff
    assert levels(camera) == {3}  # and no frame from before
    assert light.getParameterBoolean("Enabled") is True
    camera.stopAcquisition()
    assert light.lightState() is LightState.Parametrized
    camera.startAcquisition()
    assert levels(camera) == {1000}


def test_a_light_that_the_user_has_switched_off_stays_off(connect: Any, lamp: Path) -> None:
    light = connect("bulb", lamp=str(lamp))
    camera = connect(lamp=str(lamp))
    light.setParameter("Enabled", False)
    camera.startAcquisition("DarkReference")
    camera.stopAcquisition()
    assert lamp.read_text() == "off"
    light.setLightState(LightState.ForcedOff)
    camera.startAcquisition("DarkReference")
    camera.stopAcquisition()
    assert light.lightState() is LightState.ForcedOff


def test_all_lights_follow(connect: Any, lamp: Path, tmp_path: Path) -> None:
    second = tmp_path / "lamp 2"
    lights = [connect("bulb", lamp=str(lamp)), connect("bulb", lamp=str(second))]
    camera = connect(lamp=str(lamp))
    camera.startAcquisition("DarkReference")
    assert [one.lightState() for one in lights] == [LightState.ForcedOff] * 2
    assert second.read_text() == "off"
    camera.stopAcquisition()
    assert (lamp.read_text(), second.read_text()) == ("on", "on")


@pytest.mark.parametrize("how", ["disconnect", "kill"])
def test_the_light_comes_back_when_the_camera_is_lost(connect: Any, lamp: Path, how: str) -> None:
    connect("bulb", lamp=str(lamp))
    camera = connect(lamp=str(lamp))
    camera.startAcquisition("DarkReference")
    assert lamp.read_text() == "off"
    if how == "disconnect":
        camera.release()
    else:
        os.kill(camera._host.pid, signal.SIGKILL)
        with pytest.raises(DriverCrashedError):
            drain(camera)
    assert lamp.read_text() == "on"


def test_a_light_that_cannot_be_made_dark_stops_the_dark_reference(
    connect: Any, lamp: Path, tmp_path: Path
) -> None:
    good = connect("bulb", lamp=str(lamp))
    connect("bulb", lamp=str(tmp_path / "stuck"), fails="yes")
    camera = connect(lamp=str(lamp))
    with pytest.raises(RuntimeError, match="relay is stuck"):
        camera.startAcquisition("DarkReference")
    assert camera.status is DeviceStatus.Connected
    assert (good.lightState(), lamp.read_text()) == (LightState.Parametrized, "on")
    camera.startAcquisition("WhiteReference")


def test_a_reference_that_does_not_exist_is_refused(connect: Any) -> None:
    camera = connect()
    with pytest.raises(ArgumentError, match="'DarkReference'"):
        camera.startAcquisition("Dark")
    assert camera.status is DeviceStatus.Connected


def test_closing_the_handle_disconnects_lights_too(
    connect: Any, handle: Handle, lamp: Path
) -> None:
    light = connect("bulb", lamp=str(lamp))
    handle.close()
    assert light.status is DeviceStatus.Disconnected
