"""The isolation executable really runs drivers, and a program that is none is told apart."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.drivers import catalog
from engine.handle import (
    ConnectionSettings,
    DeviceGroup,
    DriverState,
    DriverType,
    Handle,
    enumerateDevices,
)

pytestmark = pytest.mark.slow  # real processes

CAMERA = """
from engine.drivers import BaseDriver
from engine.protocol import FrameFormat, FrameKind

class Driver(BaseDriver):
    def enumerate_devices(self):
        return [("a", "Camera A")]

    def open(self, parameters):
        return FrameFormat(FrameKind.LINE, (6, 4), "uint16", rate_hz=100)

    def read(self, out):
        out[...] = 7
"""

CRASHING = """
import os
os._exit(3)
"""

MANIFEST = """
name = "{name}"
label = "{name}"
[[parameters]]
name = "device_id"
label = "Device"
kind = "text"
default = ""
"""


@pytest.fixture
def drivers(tmp_path: Path, handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setattr(catalog, "BUILTIN_FOLDER", tmp_path / "nothing")
    for name, code in (("camera", CAMERA), ("crashing", CRASHING)):
        folder = tmp_path / "drivers" / name
        folder.mkdir(parents=True)
        (folder / "manifest.toml").write_text(MANIFEST.format(name=name))
        (folder / "driver.py").write_text(code)
    handle.setDriverBaseDirectory(tmp_path / "drivers")


@pytest.fixture
def executable(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "isolation"
        path.write_text(text)
        path.chmod(0o755)
        return path

    return write


def passing_on(note: Path) -> str:
    """A program that writes down how it was called, and becomes a driver host."""
    host = f'exec "{sys.executable}" -m engine.drivers.host "$@"'
    return f'#!/bin/sh\necho "$@" >> "{note}"\n{host}\n'


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "note"


def states(result: Any) -> dict[str, DriverState]:
    return {driver.name: driver.state for driver in result.drivers}


SETTINGS = ConnectionSettings("camera", DriverType.Instrument, b"a")


def test_drivers_are_enumerated_by_the_isolation_executable(
    handle: Handle, drivers: None, executable: Any, note: Path
) -> None:
    handle.setDriverIsolationExecutable(executable(passing_on(note)))

    result = enumerateDevices(handle, -1, 20_000, returnEarly=True)

    assert states(result) == {"camera": DriverState.OK, "crashing": DriverState.Crashed}
    assert [device.id for device in result.devices] == [b"a"]
    called = note.read_text().splitlines()
    assert len(called) == 2
    assert all(line.startswith("--enumerate ") for line in called)


def test_drivers_are_run_by_the_isolation_executable(
    handle: Handle, drivers: None, executable: Any, note: Path
) -> None:
    handle.setDriverIsolationExecutable(executable(passing_on(note)))
    with DeviceGroup(handle, SETTINGS) as group:
        device = group.primaryDevice()
        device.startAcquisition()
        buffer = device.retrieveBuffer(20_000)
        assert buffer is not None
        assert (buffer.data == 7).all()
    assert len(note.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nexit 0\n",
        "#!/bin/sh\nexit 3\n",
        "#!/bin/sh\necho '{}'\n",
        "#!/bin/sh\nkill -SEGV $$\n",
        "#!/no/such/interpreter\n",
        "no program at all",
        "\x7fELF but nothing behind it",
    ],
)
def test_an_executable_that_is_no_driver_host_is_a_load_error_with_a_sentence(
    handle: Handle, drivers: None, executable: Any, text: str
) -> None:
    path = executable(text)
    handle.setDriverIsolationExecutable(path)

    result = enumerateDevices(handle, -1, 20_000, returnEarly=True)

    assert set(states(result).values()) == {DriverState.LoadError}
    assert all(str(path) in problem for problem in result.errors)
    assert len(result.errors) == 2
    with pytest.raises(RuntimeError, match=str(path)):
        DeviceGroup(handle, SETTINGS)


def test_a_hanging_executable_is_a_time_out(handle: Handle, drivers: None, executable: Any) -> None:
    handle.setDriverIsolationExecutable(executable("#!/bin/sh\nexec sleep 60\n"))
    result = enumerateDevices(handle, -1, 700)
    assert set(states(result).values()) == {DriverState.LoadTimeout}


def test_without_one_our_own_runs_drivers_again(
    handle: Handle, drivers: None, executable: Any
) -> None:
    handle.setDriverIsolationExecutable(executable("#!/bin/sh\nexit 0\n"))
    handle.setDriverIsolationExecutable(None)
    result = enumerateDevices(handle, -1, 20_000, returnEarly=True)
    assert states(result)["camera"] is DriverState.OK


def test_the_installed_driver_host_serves_as_isolation_executable(
    handle: Handle, drivers: None
) -> None:
    path = Path(sys.executable).with_name("penstock-driver-host")
    if not path.is_file():
        pytest.skip("penstock-driver-host is not installed beside this interpreter")
    handle.setDriverIsolationExecutable(path)
    result = enumerateDevices(handle, -1, 20_000, returnEarly=True)
    assert states(result)["camera"] is DriverState.OK
    with DeviceGroup(handle, SETTINGS) as group:
        assert group.primaryDevice().name == "camera"


def test_what_is_wrong_with_ourselves_is_the_state_unknown(
    handle: Handle, drivers: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    result = enumerateDevices(handle, -1, 100, returnEarly=True)
    assert set(states(result).values()) == {DriverState.Unknown}
    assert all("no-python" in problem for problem in result.errors)
    assert result.devices == ()
