"""Drivers and devices in isolated processes: enumeration, connection, acquisition, contexts."""

import os
import select
import signal
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine.drivers import catalog
from engine.errors import DriverCrashedError, DriverError, DriverNotFoundError, MediaError
from engine.handle import (
    BufferContainer,
    ConnectionSettings,
    DeviceGroup,
    DeviceProcessingContext_CreationFlags,
    DeviceStatus,
    DriverState,
    DriverType,
    Handle,
    InstrumentDevice,
    MissingReferenceError,
    Model,
    ParameterInfo,
    ProcessingContext,
    ReferenceInfo,
    ValueType,
    enumerateDevices,
)
from engine.handle.errors import (
    AcquisitionEndedError,
    ArgumentError,
    BufferLostError,
    DeviceStateError,
    SourceDataError,
)

pytestmark = pytest.mark.slow  # real processes, one for nearly every test

SAMPLES, BANDS = 6, 4
GRID = (400.0, 500.0, 600.0, 700.0)

MANIFEST = """
name = "{name}"
label = "{name} label"
[[parameters]]
name = "rate_hz"
label = "Rate"
kind = "number"
default = 500.0
minimum = 1.0
[[parameters]]
name = "frames"
label = "Frames"
kind = "integer"
default = 0
[[parameters]]
name = "is_bright"
label = "Bright"
kind = "boolean"
default = false
[[parameters]]
name = "mode"
label = "Mode"
kind = "choice"
default = "count"
choices = ["count", "fail", "die"]
[[parameters]]
name = "calibration"
label = "Calibration file"
kind = "path"
is_required = {required}
default = ""
"""

CAMERA = """
import os, signal
import numpy as np
from engine.drivers import BaseDriver
from engine.errors import EndOfStreamError, MediaError
from engine.protocol import FrameFormat, FrameKind

class Driver(BaseDriver):
    number = 0

    def open(self, parameters):
        self.parameters = parameters
        rate_hz = float(parameters["rate_hz"])
        return FrameFormat(FrameKind.LINE, (6, 4), "uint16", rate_hz=rate_hz,
                           wavelengths_nm=(400.0, 500.0, 600.0, 700.0))

    def read(self, out):
        if self.parameters["frames"] and self.number >= self.parameters["frames"]:
            raise EndOfStreamError("no more")
        if self.parameters["mode"] == "fail":
            raise MediaError("the lens cap is on; take it off")
        if self.parameters["mode"] == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        out[...] = (1000 if self.parameters["is_bright"] else 0) + self.number % 500
        self.number += 1
"""

ENUMERATION = """
import os, signal, threading
from engine.drivers import BaseDriver

{top}

class Driver(BaseDriver):
    def enumerate_devices(self):
        {body}
"""


@pytest.fixture
def drivers(tmp_path: Path, handle: Handle, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write drivers into the handle's base directory; the built-in ones are left out."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    monkeypatch.setattr(catalog, "BUILTIN_FOLDER", nothing)
    base = tmp_path / "drivers"
    base.mkdir()
    handle.setDriverBaseDirectory(base)

    def write(name: str, code: str, *, folder: str = "", required: str = "false") -> Path:
        place = base / folder / name
        place.mkdir(parents=True)
        (place / "manifest.toml").write_text(MANIFEST.format(name=name, required=required))
        (place / "driver.py").write_text(textwrap.dedent(code))
        return place

    return write


def enumerating(body: str, top: str = "") -> str:
    return ENUMERATION.format(top=top, body=body)


def states(result: Any) -> dict[str, DriverState]:
    return {driver.name: driver.state for driver in result.drivers}


# -- enumeration


def test_every_state_is_told_and_no_driver_hides_another(handle: Handle, drivers: Any) -> None:
    drivers("good", CAMERA)
    drivers(
        "two", enumerating('return [("a", "Camera A"), ("b", "Camera B")]'), folder="instrument"
    )
    drivers("lamp", enumerating('return [("l", "Lamp")]'), folder="lightcontrol")
    drivers("none", enumerating("return []"))
    drivers("garbage", "this is not Python")
    drivers("hanging", enumerating("return []", "threading.Event().wait(60)"))
    drivers("failing", enumerating('raise RuntimeError("no power")'))
    drivers("leaving", enumerating("os._exit(3)"))
    drivers("crashing", enumerating("return []", "os.kill(os.getpid(), signal.SIGSEGV)"))
    broken = drivers("broken", CAMERA)
    (broken / "manifest.toml").write_text("name = ")
    before = psutil.Process().children(recursive=True)

    begun = time.monotonic()
    result = enumerateDevices(handle, -1, 8000)
    took = time.monotonic() - begun

    assert 8.0 <= took < 12
    assert states(result) == {
        "good": DriverState.OK,
        "two": DriverState.OK,
        "lamp": DriverState.OK,
        "none": DriverState.OK,
        "garbage": DriverState.LoadError,
        "hanging": DriverState.LoadTimeout,
        "failing": DriverState.EnumerationError,
        "leaving": DriverState.Crashed,
        "crashing": DriverState.Crashed,
        "broken": DriverState.LoadError,
    }
    assert {(d.driverName, d.id, d.name) for d in result.devices} == {
        ("good", b"good", "good"),
        ("lamp", b"l", "Lamp"),
        ("two", b"a", "Camera A"),
        ("two", b"b", "Camera B"),
    }
    told = " ".join(result.errors)
    for words in ("no power", "SIGSEGV", "exit code 3", "within 8 s", "cannot be loaded"):
        assert words in told
    assert len(result.errors) == 6
    assert psutil.Process().children(recursive=True) == before


def test_drivers_are_filtered_by_type(handle: Handle, drivers: Any) -> None:
    drivers("camera", enumerating('return [("a", "A")]'), folder="instrument")
    drivers("lamp", enumerating('return [("l", "L")]'), folder="lightcontrol")
    for kind, name in ((DriverType.Instrument, "camera"), (DriverType.LightControl, "lamp")):
        result = enumerateDevices(handle, kind, 20_000, returnEarly=True)
        assert [driver.name for driver in result.drivers] == [name]
        assert [device.driverType for device in result.devices] == [kind]


def test_without_the_isolation_executable_every_driver_is_a_load_error(
    handle: Handle, drivers: Any, tmp_path: Path
) -> None:
    drivers("one", CAMERA)
    drivers("two", CAMERA)
    handle.setDriverIsolationExecutable(tmp_path / "missing")
    result = enumerateDevices(handle, -1, 50)
    assert set(states(result).values()) == {DriverState.LoadError}
    assert len(result.drivers) == 2
    assert result.devices == ()
    with pytest.raises(RuntimeError, match="could not be started"):
        DeviceGroup(handle, ConnectionSettings("one", DriverType.Instrument, b"one"))


def test_a_short_enumeration_takes_its_time(handle: Handle, drivers: Any) -> None:
    begun = time.monotonic()
    assert enumerateDevices(handle, -1, 300).drivers == ()
    assert time.monotonic() - begun >= 0.3
    begun = time.monotonic()
    enumerateDevices(handle, -1, 20_000, returnEarly=True)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("timeout", [-1, "1000", None, True, float("nan"), float("inf")])
def test_a_time_out_is_a_number_of_milliseconds(handle: Handle, timeout: Any) -> None:
    with pytest.raises(RuntimeError, match="milliseconds"):
        enumerateDevices(handle, -1, timeout)


@pytest.mark.parametrize("kind", [1, 5, "instrument", None])
def test_a_driver_type_is_one_of_those_there_are(handle: Handle, kind: Any) -> None:
    with pytest.raises(RuntimeError, match="driverType"):
        enumerateDevices(handle, kind, 100)


# -- connecting


@pytest.fixture
def connect(handle: Handle, drivers: Any) -> Iterator[Callable[..., InstrumentDevice]]:
    drivers("camera", CAMERA)
    groups: list[DeviceGroup] = []

    def start(**parameters: str) -> InstrumentDevice:
        settings = ConnectionSettings("camera", DriverType.Instrument, b"camera", parameters)
        groups.append(DeviceGroup(handle, settings))
        return groups[-1].primaryDevice()

    yield start
    for group in groups:
        group.disconnect()


def test_settings_have_a_dictionary_for_parameters() -> None:
    settings = ConnectionSettings("camera", DriverType.Instrument, b"id")
    assert settings.connectionParameters == {}
    settings.connectionParameters["rate_hz"] = "5"
    assert ConnectionSettings("a", DriverType.Instrument, b"b").connectionParameters == {}


def test_a_group_has_a_primary_device_and_no_others(handle: Handle, drivers: Any) -> None:
    drivers("camera", CAMERA)
    with DeviceGroup(
        handle, ConnectionSettings("camera", DriverType.Instrument, b"camera")
    ) as group:
        device = group.primaryDevice()
        assert device.status is DeviceStatus.Connected
        assert device.wavelengths() == GRID
        assert group.subDevices() == ()
    assert device.status is DeviceStatus.Disconnected
    group.disconnect()


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"is_bright": "true"}, "is_bright"),
        ({"is_bright": ""}, "is_bright"),
        ({"frames": "1.5"}, "whole number"),
        ({"frames": "+5"}, "whole number"),
        ({"frames": "\u0665"}, "whole number"),
        ({"rate_hz": "fast"}, "is a number"),
        ({"rate_hz": "0.5"}, "at least 1"),
        ({"mode": "Count"}, "count or fail"),
        ({"color": "red"}, "no parameter 'color'"),
        ({"frames": 5}, "are texts"),
    ],
)
def test_a_wrong_connection_parameter_is_named(
    connect: Any, parameters: dict[str, Any], match: str
) -> None:
    with pytest.raises(ArgumentError, match=match):
        connect(**parameters)


@pytest.mark.parametrize(
    ("text", "value"),
    [("True", 1), ("On", 1), ("Yes", 1), ("1", 1), ("False", 0), ("Off", 0), ("No", 0), ("0", 0)],
)
def test_booleans_have_eight_spellings(text: str, value: int) -> None:
    from engine.handle.parameter_info import typed_parameters
    from engine.protocol import DriverParameter

    known = [DriverParameter("on", "On", "boolean")]
    assert typed_parameters(known, {"on": text}) == {"on": bool(value)}


@pytest.mark.parametrize(("text", "value"), [("-146.1468e-43", -146.1468e-43), ("3", 3.0)])
def test_numbers_have_a_point_and_may_have_an_exponent(text: str, value: float) -> None:
    from engine.handle.parameter_info import typed_parameters
    from engine.protocol import DriverParameter

    assert typed_parameters([DriverParameter("x", "X", "number")], {"x": text}) == {"x": value}


def test_a_missing_file_parameter_is_named(handle: Handle, drivers: Any) -> None:
    drivers("camera", CAMERA, required="true")
    with pytest.raises(ArgumentError, match="calibration"):
        DeviceGroup(handle, ConnectionSettings("camera", DriverType.Instrument, b"camera"))


def test_a_stale_id_is_a_clear_error_and_the_engine_stays_usable(
    handle: Handle, connect: Any
) -> None:
    with pytest.raises(ArgumentError, match="enumerate the devices again"):
        DeviceGroup(handle, ConnectionSettings("camera", DriverType.Instrument, b"another"))
    with pytest.raises(DriverNotFoundError):
        DeviceGroup(handle, ConnectionSettings("other", DriverType.Instrument, b"other"))
    with pytest.raises(DriverNotFoundError):
        DeviceGroup(handle, ConnectionSettings("camera", DriverType.LightControl, b"camera"))
    assert connect().status is DeviceStatus.Connected


def test_what_the_driver_says_about_its_source_comes_out(handle: Handle, drivers: Any) -> None:
    code = CAMERA.replace("self.parameters = parameters", 'raise MediaError("plug it in")')
    drivers("camera", code)
    with pytest.raises(MediaError, match="plug it in"):
        DeviceGroup(handle, ConnectionSettings("camera", DriverType.Instrument, b"camera"))


def test_parameters_are_described_by_index_and_by_name(connect: Any) -> None:
    info = connect().parameterInfo()
    assert info.parameterNames() == ("rate_hz", "frames", "is_bright", "mode", "calibration")
    assert info.parameterCount() == 5
    for index, name in enumerate(info.parameterNames()):
        assert info.parameter(index) == info.parameter(name)
        assert info.affectedParameters(name) == ()
    kinds = [info.parameter(index).type.name for index in range(5)]
    assert kinds == ["Float", "Integer", "Boolean", "Enumeration", "File"]
    mode = info.parameter("mode")
    assert [entry.effectiveDisplayName() for entry in mode.enumerationEntries] == [
        "count", "fail", "die",
    ]  # fmt: skip
    assert mode.accessMode & ParameterInfo.AccessMode.WriteOnly
    for wrong in ("nothing", 5, -1, None):
        with pytest.raises(RuntimeError, match="parameter"):
            info.parameter(wrong)


def test_an_enumeration_entry_without_a_display_name_shows_its_name() -> None:
    entry = ParameterInfo.EnumerationEntry
    assert entry("name", 1).effectiveDisplayName() == "name"
    assert entry("name", 1, "shown").effectiveDisplayName() == "shown"


# -- acquisition


def retrieved(device: InstrumentDevice) -> Any:
    buffer = device.retrieveBuffer(10_000)
    assert buffer is not None
    return buffer


def drain(device: InstrumentDevice) -> None:
    """Retrieve until an error ends it."""
    while (buffer := device.retrieveBuffer(10_000)) is not None:
        device.returnBuffer(buffer)


def start_and_drain(device: InstrumentDevice) -> None:
    """Find an error, whether it happened before the start or after it."""
    device.startAcquisition()
    drain(device)


def test_frames_come_in_order_and_go_back(connect: Any) -> None:
    device = connect()
    device.startAcquisition()
    numbers = []
    for _ in range(40):
        buffer = retrieved(device)
        assert buffer.data.shape == (SAMPLES, BANDS)
        assert (buffer.data == buffer.number % 500).all()
        numbers.append(buffer.number)
        device.returnBuffer(buffer)
    assert numbers == sorted(set(numbers))
    assert device.droppedFrames == numbers[-1] - numbers[0] + 1 - len(numbers)
    device.stopAcquisition()
    assert device.status is DeviceStatus.Connected


def test_wrong_order_is_a_clear_error(connect: Any) -> None:
    device = connect()
    for use in (lambda: device.retrieveBuffer(10), device.stopAcquisition):
        with pytest.raises(DeviceStateError, match="startAcquisition"):
            use()
    device.startAcquisition()
    for use in (device.startAcquisition, lambda: device.setupInternalBuffers(3)):
        with pytest.raises(DeviceStateError, match="stopAcquisition"):
            use()
    device.release()
    with pytest.raises(DeviceStateError, match="disconnected"):
        device.retrieveBuffer(10)


def test_without_a_frame_in_time_there_is_none(connect: Any) -> None:
    device = connect(rate_hz="1")
    device.startAcquisition()
    begun = time.monotonic()
    while device.retrieveBuffer(50) is not None:
        begun = time.monotonic()
    assert 0.05 <= time.monotonic() - begun < 5


def test_buffers_that_are_never_returned_make_frames_drop(connect: Any) -> None:
    device = connect()
    device.setupInternalBuffers(3)
    device.startAcquisition()
    kept = [retrieved(device) for _ in range(3)]
    assert device.retrieveBuffer(100) is None
    for buffer in kept:
        device.returnBuffer(buffer)
    device.returnBuffer(retrieved(device))
    assert device.droppedFrames > 0


def test_a_returned_buffer_cannot_be_used(connect: Any) -> None:
    device = connect()
    device.startAcquisition()
    buffer = retrieved(device)
    device.returnBuffer(buffer)
    for use in (lambda: buffer.data, lambda: device.returnBuffer(buffer)):
        with pytest.raises(BufferLostError):
            use()
    lent = retrieved(device)
    device.stopAcquisition()
    with pytest.raises(BufferLostError):
        assert lent.data is None


def test_the_number_of_buffers_is_checked(connect: Any) -> None:
    device = connect()
    for count in (0, -1, "3", True, 10**9):
        with pytest.raises(RuntimeError, match="number of buffers"):
            device.setupInternalBuffers(count)


def test_the_end_of_the_source_is_told(connect: Any) -> None:
    device = connect(frames="3", rate_hz="50")
    device.startAcquisition()
    with pytest.raises(AcquisitionEndedError) as caught:
        drain(device)
    assert isinstance(caught.value, RuntimeError)
    assert device.status is DeviceStatus.Error


def test_what_the_driver_reports_comes_out(connect: Any) -> None:
    device = connect(mode="fail", rate_hz="5")
    with pytest.raises(MediaError, match="lens cap"):
        start_and_drain(device)
    assert "lens cap" in device.lastError
    with pytest.raises(DeviceStateError, match="has failed"):
        device.startAcquisition()


def test_a_killed_driver_is_noticed_at_once_and_reconnecting_works(connect: Any) -> None:
    device = connect()
    device.startAcquisition()
    kept = retrieved(device)
    os.kill(device._host.pid, signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(DriverCrashedError, match="SIGKILL") as caught:
        drain(device)
    assert time.monotonic() - begun < 2  # half a second, had the machine nothing else to do
    assert isinstance(caught.value, DriverError | RuntimeError)
    with pytest.raises(BufferLostError):
        assert kept.data is None
    device.release()
    again = connect()
    again.startAcquisition()
    assert retrieved(again).data.shape == (SAMPLES, BANDS)


def test_a_crash_in_the_driver_leaves_the_engine_alive(connect: Any, handle: Handle) -> None:
    device = connect(mode="die", rate_hz="5")
    with pytest.raises(DriverCrashedError, match="SIGSEGV"):
        start_and_drain(device)
    assert handle.processingPluginCount() > 0


def test_a_hanging_driver_does_not_hold_up_anything(connect: Any) -> None:
    device = connect()
    device.startAcquisition()
    os.kill(device._host.pid, signal.SIGSTOP)
    while (buffer := device.retrieveBuffer(100)) is not None:
        device.returnBuffer(buffer)
    begun = time.monotonic()
    device._host.stop(grace_s=0.2)
    device.release()
    assert time.monotonic() - begun < 5


def test_the_notification_handle_is_readable_when_something_is_there(connect: Any) -> None:
    device = connect()
    assert select.select([device.notificationHandle()], [], [], 10)[0]


def test_deleting_the_handle_disconnects(
    license_data: bytes, tmp_path: Path, drivers: Any, handle: Handle
) -> None:
    drivers("camera", CAMERA)
    group = DeviceGroup(handle, ConnectionSettings("camera", DriverType.Instrument, b"camera"))
    device = group.primaryDevice()
    handle.close()
    assert device.status is DeviceStatus.Disconnected
    with pytest.raises(RuntimeError, match="closed"):
        device.startAcquisition()


# -- contexts


def test_a_preview_shows_intensities_without_a_model(connect: Any) -> None:
    device = connect(is_bright="Yes")
    context = ProcessingContext.createInstrumentPreview(device)
    device.startAcquisition()
    buffer = retrieved(device)
    context.setSourceData(buffer)
    context.processNext()
    shown = context.outputSinkData(0)
    assert (shown.shape, shown.dtype) == ((1, SAMPLES, BANDS), np.float32)
    assert (shown == buffer.data).all()
    assert context.numOutputSinks() == 1


def reference(device: InstrumentDevice, count: int = 3) -> BufferContainer:
    container = BufferContainer()
    device.startAcquisition()
    for _ in range(count):
        buffer = retrieved(device)
        container.add(buffer)
        device.returnBuffer(buffer)
    device.stopAcquisition()
    return container


def test_a_recording_brings_lines_into_the_form_to_be_saved(connect: Any) -> None:
    bright = connect(is_bright="1")
    white = reference(bright)
    bright.release()
    device = connect()
    context = ProcessingContext.createInstrumentRecording(
        device,
        ValueType.Reflectance,
        references=ReferenceInfo(whiteReference=white),
        flags=DeviceProcessingContext_CreationFlags.AdditionalPreview,
    )
    device.startAcquisition()
    buffer = retrieved(device)
    context.setSourceData(buffer)
    context.processNext()
    oracle = buffer.data / np.asarray(white).astype(float).mean(axis=0)
    np.testing.assert_allclose(context.outputSinkData(0)[0], oracle, rtol=1e-5)
    np.testing.assert_array_equal(context.outputSinkData(1)[0], buffer.data)
    assert context.findOutputSink(1) == 1
    assert [context.outputSinkMetaInfo(i).name for i in (0, 1)] == ["recording", "preview"]


def test_a_recording_of_intensities_keeps_what_was_counted(connect: Any) -> None:
    device = connect()
    context = ProcessingContext.createInstrumentRecording(device)
    frame = np.arange(24, dtype=np.uint16).reshape(SAMPLES, BANDS)
    context.setSourceData(frame)
    context.processNext()
    assert context.outputSinkData(0).dtype == np.uint16
    np.testing.assert_array_equal(context.outputSinkData(0)[0], frame)
    with pytest.raises(SourceDataError):
        context.setSourceData(frame.T)
    with pytest.raises(MissingReferenceError):
        ProcessingContext.createInstrumentRecording(device, ValueType.Reflectance)
    with pytest.raises(RuntimeError, match="ValueType"):
        ProcessingContext.createInstrumentRecording(device, 1)  # type: ignore[arg-type]


def test_a_model_processes_what_the_device_delivers(
    connect: Any, handle: Handle, programs: Any
) -> None:
    device = connect()
    model = Model(handle, programs.identity((1, 0, 2)), wavelengths=[450, 700])
    context = ProcessingContext.createInstrumentProcessing(device, model)
    frame = np.arange(24, dtype=np.uint16).reshape(SAMPLES, BANDS)
    context.setSourceData(frame)
    context.processNext()
    oracle = np.stack([(frame[:, 0] + frame[:, 1]) / 2, frame[:, 3]], axis=1)
    np.testing.assert_allclose(context.outputSinkData(0)[0], oracle)


def test_an_empty_container_is_no_reference() -> None:
    container = BufferContainer()
    assert container.count() == 0
    with pytest.raises(ArgumentError, match="empty"):
        np.asarray(container)


def test_something_that_is_no_device_is_refused() -> None:
    with pytest.raises(RuntimeError, match="InstrumentDevice"):
        ProcessingContext.createInstrumentPreview(None)  # type: ignore[arg-type]  # on purpose
