"""Parameters of a running driver: read, set and noticed, whatever else happens."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.drivers import DriverCatalog, DriverEntry, DriverProcess, Ended, Failed, FrameReady
from engine.drivers.live import (
    LiveParameter,
    ParameterAccessError,
    ParameterRangeError,
    UnknownParameterError,
)
from engine.errors import (
    BrokenError,
    DriverCrashedError,
    DriverError,
    DriverProtocolError,
    DriverTimeoutError,
    MediaError,
    WrongStateError,
)

MANIFEST = 'name = "live"\nlabel = "Live"\napi_version = {version}\nhas_own_parameters = true\n'

CAMERA = """
import os, signal, time
from engine.drivers import BaseDriver, LiveParameter, NoFrameYetError
from engine.errors import EndOfStreamError, MediaError
from engine.protocol import FrameFormat, FrameKind


class Driver(BaseDriver):
    def open(self, parameters):
        self.level, self.is_locked, self.mode, self.count = 1, False, "normal", 0
        self.mode = parameters.get("mode", "normal")
        self.lost_count = 2
        return FrameFormat(FrameKind.IMAGE, (4, 6, 3), "uint8")

    def read(self, out):
        if self.mode == "deaf":
            time.sleep(60)
        time.sleep(0.005)
        self.count += 1
        if self.mode == "silent" or self.count % 3 == 0:
            self.lost_count += 1
            raise NoFrameYetError
        out[...] = self.level

    def live_parameters(self):
        if self.mode == "broken":
            raise RuntimeError("registers are on fire")
        access = "ro" if self.is_locked else "rw"
        top = 9 if self.mode == "normal" else 200
        return [
            LiveParameter("level", "integer", value=self.level, minimum=0, maximum=top,
                          access=access),
            LiveParameter("is_locked", "boolean", value=self.is_locked, affects=("level",)),
            LiveParameter("mode", "choice", value=self.mode,
                          choices=("normal", "wide", "broken", "deaf", "silent")),
            LiveParameter("die", "command", access="wo"),
            LiveParameter("reset", "command", access="wo"),
            LiveParameter("ticks", "integer", value=time.monotonic_ns(), access="ro"),
        ]

    def set_parameter(self, name, value):
        if value == 7:
            raise MediaError("seven is taken; take another level")
        if value == 8:
            raise KeyError("eight")
        setattr(self, name, value)

    def run_command(self, name):
        if name == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        self.level = 1
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., DriverEntry]:
    def make(code: str = CAMERA, *, version: int = 2) -> DriverEntry:
        folder = tmp_path / "live"
        folder.mkdir()
        manifest = MANIFEST.format(version=version)
        if version == 1:
            manifest = manifest.replace("has_own_parameters = true\n", "")
        (folder / "manifest.toml").write_text(manifest)
        (folder / "driver.py").write_text(code)
        return DriverCatalog([folder]).get("live")

    return make


@pytest.fixture
def camera(write: Any, run_driver: Any) -> DriverProcess:
    process: DriverProcess = run_driver(write())
    process.start()
    return process


@pytest.fixture
def taking(camera: DriverProcess) -> Iterator[Callable[[], set[int]]]:
    """Take frames on a thread, as streams do, and tell which levels were seen since."""
    seen: set[int] = set()
    is_over = threading.Event()

    def take() -> None:
        while not is_over.is_set():
            event = camera.receive(0.05)
            if isinstance(event, FrameReady):
                seen.add(int(camera.frame(event.slot).max()))
                camera.free(event.slot)

    def new_levels() -> set[int]:
        seen.clear()
        deadline = time.monotonic() + 20
        while not seen and time.monotonic() < deadline:
            is_over.wait(0.01)
        return set(seen)

    thread = threading.Thread(target=take, name="taking-frames")
    thread.start()
    yield new_levels
    is_over.set()
    thread.join(20)


def named(process: DriverProcess) -> dict[str, LiveParameter]:
    return {one.name: one for one in process.control.parameters()}


def ask_until_it_is_deaf(process: DriverProcess) -> None:
    """Ask again and again; what comes before the driver's first frame is still answered."""
    while True:
        process.control.read_all()


def wait_for_level(levels: Callable[[], set[int]], level: int) -> None:
    deadline = time.monotonic() + 20
    while level not in levels():
        assert time.monotonic() < deadline


def test_a_value_set_while_frames_come_changes_them(camera: DriverProcess, taking: Any) -> None:
    assert taking() == {1}
    assert "level" in camera.control.set_value("level", 5)
    wait_for_level(taking, 5)
    assert named(camera)["level"].value == 5


def test_a_change_of_limits_and_access_of_another_is_told(camera: DriverProcess) -> None:
    with pytest.raises(ParameterRangeError, match="at most 9"):
        camera.control.set_value("level", 100)
    assert "level" in camera.control.set_value("mode", "wide")
    assert named(camera)["level"].maximum == 200
    camera.control.set_value("level", 100)
    camera.control.set_value("is_locked", True)
    assert named(camera)["level"].access == "ro"
    with pytest.raises(ParameterAccessError):
        camera.control.set_value("level", 3)


def test_what_was_seen_to_change_together_is_told_as_affected(camera: DriverProcess) -> None:
    assert named(camera)["mode"].affects == ()
    assert named(camera)["is_locked"].affects == ("level",)
    camera.control.set_value("mode", "wide")
    assert named(camera)["mode"].affects == ("level",)  # and not ticks, which moves by itself


def test_a_command_is_run(camera: DriverProcess) -> None:
    camera.control.set_value("level", 5)
    assert "level" in camera.control.run_command("reset")
    assert named(camera)["level"].value == 1


def test_what_the_driver_refuses_comes_out_and_changes_nothing(camera: DriverProcess) -> None:
    with pytest.raises(MediaError, match="seven is taken"):
        camera.control.set_value("level", 7)
    with pytest.raises(DriverError, match="carrying out a request: KeyError"):
        camera.control.set_value("level", 8)
    assert named(camera)["level"].value == 1
    camera.control.set_value("level", 2)


def test_a_driver_that_cannot_read_its_parameters_goes_on(
    camera: DriverProcess, taking: Any
) -> None:
    with pytest.raises(DriverError, match="registers are on fire"):
        camera.control.set_value("mode", "broken")
    assert taking() == {1}


def test_values_that_change_by_themselves_are_read_anew(camera: DriverProcess) -> None:
    before = named(camera)["ticks"].value
    now = camera.control.read("ticks").value
    assert now != before
    assert named(camera)["ticks"].value == now
    camera.control.read_all()
    assert named(camera)["ticks"].value != now
    with pytest.raises(UnknownParameterError):
        camera.control.read("tocks")


def test_lost_frames_are_counted_and_have_no_numbers(camera: DriverProcess) -> None:
    numbers: list[int] = []
    while len(numbers) < 6:
        event = camera.receive(20)
        assert isinstance(event, FrameReady)
        numbers.append(event.frame_id)
        camera.free(event.slot) if camera.frame(event.slot) is not None else None
    assert numbers == list(range(6))
    assert camera.lost_frames in (4, 5)  # two before the first, one after every second


def test_losses_are_told_also_when_no_frame_comes(write: Any, run_driver: Any) -> None:
    process = run_driver(write(), {"mode": "silent"})
    process.start()
    deadline = time.monotonic() + 20
    while process.lost_frames < 10 and time.monotonic() < deadline:
        assert process.receive(0.1) is None
    assert process.lost_frames >= 10
    process.control.set_value("level", 3)  # and it can be talked to


def test_a_driver_that_waits_too_long_is_a_sentence_and_not_a_hang(
    write: Any, run_driver: Any
) -> None:
    process = run_driver(write(), {"mode": "deaf"})
    process.start()
    process.control._timeout_s = 0.3
    begun = time.monotonic()
    with pytest.raises(DriverTimeoutError, match=r"did not answer a request within 0\.3 s"):
        ask_until_it_is_deaf(process)
    assert time.monotonic() - begun < 10


def test_a_driver_that_dies_of_a_request_is_noticed_at_once(camera: DriverProcess) -> None:
    begun = time.monotonic()
    with pytest.raises(DriverCrashedError, match="SIGKILL"):
        camera.control.run_command("die")
    assert time.monotonic() - begun < 4  # the time-out is 5 s


def test_who_waits_for_an_answer_is_woken_when_the_driver_is_killed(
    write: Any, run_driver: Any
) -> None:
    process = run_driver(write(), {"mode": "deaf"})
    process.start()
    process.control._timeout_s = 60
    killer = threading.Timer(0.3, os.kill, (process.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(DriverCrashedError):
        ask_until_it_is_deaf(process)
    killer.join()


def test_who_waits_for_an_answer_is_woken_by_stop(write: Any, run_driver: Any) -> None:
    process = run_driver(write(), {"mode": "deaf"})
    process.start()
    process.control._timeout_s = 60
    stopper = threading.Timer(0.3, process.stop, kwargs={"grace_s": 0.1})
    stopper.start()
    with pytest.raises((WrongStateError, DriverCrashedError, BrokenError)):
        ask_until_it_is_deaf(process)
    stopper.join()
    with pytest.raises(WrongStateError):
        _ = process.control


def test_many_threads_may_ask_at_once(camera: DriverProcess, taking: Any) -> None:
    failures: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            for step in range(10):
                camera.control.set_value("level", (number + step) % 7)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(n,), name=f"asking-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    wait_for_level(taking, int(str(named(camera)["level"].value)))


def test_a_driver_of_version_1_has_no_control_line_and_its_names_stay_its_own(
    write: Any, run_driver: Any
) -> None:
    code = """
from engine.drivers import BaseDriver
from engine.protocol import FrameFormat, FrameKind

class Driver(BaseDriver):
    def open(self, parameters):
        self.devices, self.live_parameters, self.lost_count = None, None, 0
        return FrameFormat(FrameKind.IMAGE, (4, 6, 3), "uint8", rate_hz=100.0)

    def read(self, out):
        out[...] = 1
"""
    process = run_driver(write(code, version=1))
    process.start()
    assert isinstance(process.receive(20), FrameReady)
    assert not process.has_control
    with pytest.raises(WrongStateError, match="too old"):
        _ = process.control


def test_a_light_has_no_frames_and_is_no_source_of_a_stream(write: Any, run_driver: Any) -> None:
    code = """
from engine.drivers import BaseDriver

class Driver(BaseDriver):
    def open(self, parameters):
        return None

    def force_light_off(self, *, is_forced_off):
        self.is_forced_off = is_forced_off
"""
    entry = write(code)
    light = run_driver(entry)
    assert light.start_device() is None
    light.control.force_light_off(is_forced_off=True)
    assert light.receive(0.05) is None
    assert light.stop().exit_code == 0
    with pytest.raises(DriverProtocolError, match="drives a light"):
        run_driver(entry).start()


def test_a_camera_is_no_light(camera: DriverProcess) -> None:
    with pytest.raises(WrongStateError, match="no light"):
        camera.control.force_light_off(is_forced_off=True)


def test_an_unknown_name_is_refused_without_asking(camera: DriverProcess) -> None:
    assert camera.control.parameters()
    os.kill(camera.pid, signal.SIGSTOP)  # it could not answer
    with pytest.raises(UnknownParameterError, match="it has level, is_locked"):
        camera.control.set_value("leevl", 3)
    os.kill(camera.pid, signal.SIGCONT)


def test_requests_are_answered_while_the_source_is_held_back(write: Any, run_driver: Any) -> None:
    process = run_driver(write(), hold_back=True, slots=1)
    process.start()
    event = process.receive(20)  # the only slot is taken, the driver waits for it
    assert isinstance(event, FrameReady)
    process.control.set_value("level", 4)
    process.frame(event.slot)
    process.free(event.slot)
    event = process.receive(20)
    assert isinstance(event, FrameReady)
    assert process.frame(event.slot).max() == 4
    assert not isinstance(event, Ended | Failed)
