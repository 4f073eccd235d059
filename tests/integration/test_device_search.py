"""The engine looks for devices while it does everything else."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.errors import DriverNotFoundError
from engine.protocol import AddDriverFolder, DriverState, FindDevices, GetReport

DRIVER = """
import threading
from engine.drivers import BaseDriver, DeviceInfo
from engine.errors import MediaError

class Driver(BaseDriver):
    def devices(self):
        {body}
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[EngineClient]:
    bodies = {
        "eye": 'return [DeviceInfo("A1", "Camera A", serial="1"), DeviceInfo("B2", "Camera B")]',
        "needy": 'raise MediaError("the library is missing; install it")',
        "hanging": "threading.Event().wait(60)",
    }
    for name, body in bodies.items():
        folder = tmp_path / "drivers" / name
        folder.mkdir(parents=True)
        head = f'name = "{name}"\nlabel = "{name}"\napi_version = 2\n'
        (folder / "manifest.toml").write_text(head)
        (folder / "driver.py").write_text(DRIVER.format(body=body))
    with EngineClient.launch(name="test") as running:
        running.call(AddDriverFolder(str(tmp_path / "drivers")))
        yield running


def until(client: EngineClient, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        client.wait(0.05)
        client.pump()


def driver(client: EngineClient, name: str) -> DriverState:
    return next(one for one in client.snapshot.drivers if one.name == name)


def test_devices_come_into_the_state_of_their_driver(client: EngineClient) -> None:
    assert driver(client, "eye").devices == ()
    client.call(FindDevices("eye"))
    client.call(FindDevices("needy"))
    until(client, lambda: driver(client, "eye").devices)
    assert [one.device_id for one in driver(client, "eye").devices] == ["A1", "B2"]
    until(client, lambda: driver(client, "needy").devices_problem)
    assert "the library is missing" in driver(client, "needy").devices_problem


@pytest.mark.slow
def test_a_driver_that_hangs_holds_up_no_command_and_no_end(client: EngineClient) -> None:
    client.call(FindDevices("hanging"))
    begun = time.monotonic()
    assert client.call(GetReport()).report is not None
    client.close()
    assert time.monotonic() - begun < 8  # the search alone would take ten seconds


@pytest.mark.slow
def test_an_unknown_driver_is_an_error(client: EngineClient) -> None:
    with pytest.raises(DriverNotFoundError, match="no driver 'eyes'"):
        client.call(FindDevices("eyes"))
