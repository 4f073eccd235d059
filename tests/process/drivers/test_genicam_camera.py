"""The GenICam driver with the producer simulator that comes with the package genicam."""

import time
from pathlib import Path
from typing import Any

import pytest

from engine.drivers import (
    DiscoveryState,
    DriverCatalog,
    DriverProcess,
    FrameReady,
    LiveParameter,
    discover_devices,
)
from engine.drivers.live import ParameterAccessError, ParameterRangeError, UnknownParameterError
from engine.errors import DriverError, InvalidArgumentError, MediaError

genicam = pytest.importorskip("genicam", reason="needs the extra genicam")
pytest.importorskip("harvesters", reason="needs the extra genicam")

PRODUCER = Path(genicam.__file__).with_name("viky.cti")
if not PRODUCER.is_file():
    pytest.skip("this package genicam comes without its simulator", allow_module_level=True)


@pytest.fixture
def connect(run_driver: Any) -> Any:
    def start(**parameters: Any) -> DriverProcess:
        settings = {"producer": str(PRODUCER), "rate_hz": 100.0, **parameters}
        process: DriverProcess = run_driver(
            DriverCatalog().get("genicam"), settings, start_timeout_s=60
        )
        process.start()
        return process

    return start


def picture(process: DriverProcess) -> Any:
    event = process.receive(30)
    assert isinstance(event, FrameReady), event
    found = process.frame(event.slot).copy()
    process.free(event.slot)
    return found


def named(process: DriverProcess) -> dict[str, LiveParameter]:
    return {one.name: one for one in process.control.parameters()}


def test_the_cameras_of_the_producers_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(PRODUCER.parent))
    (found,) = discover_devices([DriverCatalog().get("genicam")], 60)
    assert found.state is DiscoveryState.OK, found.problem
    assert [one.serial for one in found.devices] == ["0", "1", "2"]
    assert {one.model for one in found.devices} == {"Viky"}
    assert all(one.device_id.startswith("VikyTL_DEV_") for one in found.devices)


def test_without_a_producer_the_state_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    (found,) = discover_devices([DriverCatalog().get("genicam")], 60)
    assert found.state is DiscoveryState.ENUMERATION_ERROR
    assert "GENICAM_GENTL64_PATH" in found.problem


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "channel"), [("VikyTL_DEV_red", 0), ("1", 1), ("VikyTL_DEV_blue", 2)]
)
def test_a_camera_is_chosen_by_id_or_serial_number_and_its_colors_are_right(
    connect: Any, device: str, channel: int
) -> None:
    process = connect(device=device, pixel_format="RGBa8", width=320, height=240)
    found = picture(process)
    assert found.shape == (240, 320, 3)
    means = found.reshape(-1, 3).mean(axis=0)
    assert means.argmax() == channel


def test_a_gray_camera_delivers_gray_pictures(connect: Any) -> None:
    found = picture(connect(pixel_format="Mono8", width=200, height=100))
    assert (found[..., 0] == found[..., 1]).all()
    assert (found[..., 0] == found[..., 2]).all()
    assert found.max() > found.min()


def test_features_have_limits_that_are_held(connect: Any) -> None:
    process = connect(width=200, height=100)
    rate = named(process)["AcquisitionFrameRate"]
    assert (rate.kind, rate.value, rate.minimum, rate.maximum) == ("number", 100.0, 1.0, 200.0)
    assert (rate.unit, rate.access) == ("Hz", "rw")
    assert process.control.read("AcquisitionFrameRate") == rate
    assert process.control.read("Width").access == "ro"
    with pytest.raises(ParameterRangeError, match="at most 200 Hz"):
        process.control.set_value("AcquisitionFrameRate", 201)
    with pytest.raises(ParameterAccessError, match="Width"):
        process.control.set_value("Width", 100)
    with pytest.raises(UnknownParameterError):
        process.control.set_value("Wdith", 100)


@pytest.mark.slow
def test_the_rate_can_be_changed_while_frames_come(connect: Any) -> None:
    process = connect(width=200, height=100)
    picture(process)
    process.control.set_value("AcquisitionFrameRate", 5.0)
    stamps = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(stamps) < 60:
        event = process.receive(10)
        assert isinstance(event, FrameReady)
        stamps.append(event.captured_at_ns)
        process.frame(event.slot)
        process.free(event.slot)
        if len(stamps) > 2 and stamps[-1] - stamps[-2] > 0.1e9:
            return  # 0.2 s apart instead of 0.01 s
    pytest.fail("the frames kept coming at the old rate")


@pytest.mark.slow
def test_features_can_be_set_at_connect_by_their_own_names(connect: Any) -> None:
    process = connect(width=200, height=100, BouncingBallSize=3, ChunkSelector="Scan3dData")
    found = named(process)
    assert (found["BouncingBallSize"].value, found["ChunkSelector"].value) == (3, "Scan3dData")
    assert "ChunkEnable" in found["ChunkSelector"].affects


@pytest.mark.slow
def test_a_command_of_the_camera_is_run(connect: Any) -> None:
    process = connect(width=200, height=100)
    process.control.run_command("FancyBallOperation")
    picture(process)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "kind", "words"),
    [
        ({"device": "none"}, DriverError, "no camera none .*VikyTL_DEV_red"),
        ({"width": 5000}, InvalidArgumentError, "at most 800"),
        ({"pixel_format": "RGB8"}, InvalidArgumentError, "RGBa8 or Mono8"),
        ({"Gain": 3}, InvalidArgumentError, "no parameter 'Gain'"),
        ({"producer": "/no/such.cti"}, MediaError, "such.cti does not exist"),
        ({"producer": __file__}, MediaError, "no GenTL producer can be loaded"),
    ],
)
def test_what_cannot_be_connected_is_a_sentence(
    connect: Any, parameters: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        connect(**parameters)


@pytest.mark.slow
def test_a_stopped_driver_leaves_the_camera_free(connect: Any) -> None:
    for _ in range(2):
        process = connect(width=200, height=100)
        picture(process)
        outcome = process.stop()
        assert outcome is not None
        assert outcome.exit_code == 0
