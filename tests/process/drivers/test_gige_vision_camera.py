"""The GigE Vision driver with a camera that speaks the real protocol over the loopback device."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.drivers import (
    DiscoveryState,
    DriverCatalog,
    DriverProcess,
    Failed,
    FrameReady,
    LiveParameter,
    discover_devices,
)
from engine.drivers.builtin.gige_vision import ping
from engine.drivers.live import ParameterAccessError, ParameterRangeError
from engine.errors import DriverError, InvalidArgumentError

PROGRAM = shutil.which("arv-fake-gv-camera-0.8")
PORT = 3956  # of every GigE Vision camera: only one can be on the loopback device


def has_library() -> bool:
    with contextlib.suppress(OSError):
        return bool(ctypes.CDLL("libaravis-0.8.so.0"))
    return False


pytestmark = [
    pytest.mark.slow,  # discovery alone takes a second
    pytest.mark.skipif(PROGRAM is None, reason="needs arv-fake-gv-camera-0.8 of aravis-tools"),
    pytest.mark.skipif(not has_library(), reason="needs the library aravis 0.8"),
]


def port_is_free() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.bind(("127.0.0.1", PORT))
        except OSError:
            return False
    return True


@pytest.fixture
def port() -> Iterator[None]:
    """Keep other runs of these tests waiting, and other programs' cameras untouched."""
    path = Path(tempfile.gettempdir()) / f"penstock-tests-gvcp-{os.getuid()}.lock"
    with path.open("w") as file:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                pytest.skip("another run of these tests keeps the camera's port")
            time.sleep(0.2)
        if not port_is_free():
            pytest.skip(f"another program uses the port {PORT} of GigE Vision cameras")
        yield


@pytest.fixture
def camera(port: None) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start a camera with a serial number of this process."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> "subprocess.Popen[bytes]":
        assert PROGRAM is not None
        command = [PROGRAM, "-i", "lo", "-s", serial(), *options]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        deadline = time.monotonic() + 30
        while not ping.answers("127.0.0.1"):
            assert time.monotonic() < deadline, "the camera does not answer"
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


def serial() -> str:
    return f"PNST{os.getpid()}"


@pytest.fixture
def connect(run_driver: Any) -> Any:
    def start(**parameters: Any) -> DriverProcess:
        settings = {"device": serial(), "width": 320, "height": 240, "rate_hz": 50.0, **parameters}
        process: DriverProcess = run_driver(
            DriverCatalog().get("gige-vision"), settings, start_timeout_s=60
        )
        process.start()
        return process

    return start


def next_frame(process: DriverProcess) -> tuple[FrameReady, Any]:
    event = process.receive(30)
    assert isinstance(event, FrameReady), event
    found = process.frame(event.slot).copy()
    process.free(event.slot)
    return event, found


def named(process: DriverProcess) -> dict[str, LiveParameter]:
    return {one.name: one for one in process.control.parameters()}


def test_the_camera_is_found_in_the_network(camera: Any) -> None:
    camera()
    (found,) = discover_devices([DriverCatalog().get("gige-vision")], 60)
    assert found.state is DiscoveryState.OK, found.problem
    mine = [one for one in found.devices if one.serial == serial()]
    assert [(one.vendor, one.model) for one in mine] == [("Aravis", "Fake")]
    assert "127.0.0.1" in mine[0].name


def test_pictures_come_whole_in_order_and_with_their_times(camera: Any, connect: Any) -> None:
    camera()
    process = connect()
    assert process.frame_format.shape == (240, 320, 3)
    frames = [next_frame(process) for _ in range(20)]
    assert [event.frame_id for event, _ in frames] == list(range(20))
    stamps = [event.captured_at_ns for event, _ in frames]
    assert stamps == sorted(stamps)
    now_ns = time.monotonic_ns()
    assert all(0 <= now_ns - stamp < 60e9 for stamp in stamps)
    assert all((frame[..., 0] == frame[..., 2]).all() for _, frame in frames)
    assert np.ptp(frames[0][1]) > 100  # its moving ramp
    assert not np.array_equal(frames[0][1], frames[1][1])


@pytest.mark.parametrize("pixel_format", ["Mono16", "RGB8", "BayerRG8"])
def test_its_pixel_formats_are_shown(camera: Any, connect: Any, pixel_format: str) -> None:
    camera()
    process = connect(pixel_format=pixel_format)
    _, frame = next_frame(process)
    assert frame.shape == (240, 320, 3)
    assert frame.std() > 1
    assert named(process)["PixelFormat"].value == pixel_format


def test_features_have_limits_choices_and_access(camera: Any, connect: Any) -> None:
    camera()
    process = connect(exposure_us=2000.0)
    found = named(process)
    exposure = found["ExposureTimeAbs"]
    assert (exposure.kind, exposure.value, exposure.access) == ("number", 2000.0, "rw")
    assert (exposure.minimum, exposure.maximum) == (10.0, 10_000_000.0)
    assert found["TriggerMode"].choices == ("Off", "On")
    assert (found["Width"].access, found["DeviceVendorName"].value) == ("ro", "Aravis")
    assert found["TriggerSoftware"].kind == "command"
    assert "PayloadSize" in found["Width"].affects


def test_features_can_be_set_while_frames_come(camera: Any, connect: Any) -> None:
    camera()
    process = connect()
    next_frame(process)
    process.control.set_value("GainRaw", 7)
    process.control.set_value("ExposureTimeAbs", 123.0)
    assert process.control.read("GainRaw").value == 7
    assert process.control.read("ExposureTimeAbs").value == 123.0
    assert process.control.read("Width").access == "ro"
    with pytest.raises(ParameterRangeError, match="at most 10"):
        process.control.set_value("GainRaw", 11)
    with pytest.raises(ParameterAccessError):
        process.control.set_value("Width", 100)
    next_frame(process)


def test_a_camera_that_waits_for_its_trigger_is_not_lost(camera: Any, connect: Any) -> None:
    camera()
    process = connect(TriggerMode="On", TriggerSource="Software")
    assert process.receive(2.5) is None  # longer than a silence that is looked into
    process.control.run_command("TriggerSoftware")
    next_frame(process)


def test_pictures_with_missing_packets_are_counted_and_never_delivered(
    camera: Any, connect: Any
) -> None:
    camera("-r", "10")  # loses 10 of 1000 packets
    process = connect(width=640, height=480, rate_hz=60.0)
    frames = []
    deadline = time.monotonic() + 60
    while (process.lost_frames < 20 or len(frames) < 3) and time.monotonic() < deadline:
        event = process.receive(5)
        if isinstance(event, FrameReady):
            frames.append(process.frame(event.slot).copy())
            process.free(event.slot)
    assert process.lost_frames >= 20
    assert len(frames) >= 3
    # its ramp of 0 to 254 runs through the whole picture; what a lost packet held would be a hole
    for frame in frames:
        assert (np.diff(frame[..., 0].astype(int), axis=0) % 255 == 1).all()


def test_a_camera_that_is_gone_is_a_sentence_and_comes_back(camera: Any, connect: Any) -> None:
    first = camera()
    process = connect()
    next_frame(process)
    first.kill()
    first.wait()
    begun = time.monotonic()
    event = process.receive(30)
    while isinstance(event, FrameReady):
        process.frame(event.slot)
        process.free(event.slot)
        event = process.receive(30)
    assert isinstance(event, Failed)
    assert "is lost" in event.message
    assert time.monotonic() - begun < 15
    assert type(event.to_error()) is DriverError  # which lets a stream start its driver again
    process.stop()
    camera()
    next_frame(connect())


@pytest.mark.parametrize(
    ("parameters", "kind", "words"),
    [
        ({"device": "NONE"}, DriverError, "no GigE Vision camera NONE answers; there are: "),
        ({"width": 5000}, InvalidArgumentError, "at most 2048"),
        ({"Gian": 3}, InvalidArgumentError, "no parameter 'Gian'"),
        ({"GainRaw": "loud"}, InvalidArgumentError, "whole number"),
    ],
)
def test_what_cannot_be_connected_is_a_sentence(
    camera: Any, connect: Any, parameters: dict[str, Any], kind: type[Exception], words: str
) -> None:
    camera()
    with pytest.raises(kind, match=words):
        connect(**parameters)


def test_a_camera_can_be_given_by_its_address(camera: Any, connect: Any) -> None:
    camera()
    next_frame(connect(device="127.0.0.1"))


def test_a_camera_that_another_program_controls_is_told(camera: Any, connect: Any) -> None:
    camera()
    next_frame(connect())
    with pytest.raises(DriverError, match="another program"):
        connect()
