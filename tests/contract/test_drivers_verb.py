"""`penstock drivers --devices`: what is connected, and a broken driver that hides no other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.exit_codes import DEVICE, DONE, USAGE
from app.main import main
from engine.drivers import catalog

Penstock = Callable[..., tuple[int, str, str]]

DRIVER = """
from engine.drivers import BaseDriver, DeviceInfo
from engine.errors import MediaError

class Driver(BaseDriver):
    def devices(self):
        {body}
"""


@pytest.fixture
def penstock(capsys: pytest.CaptureFixture[str]) -> Penstock:
    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    monkeypatch.setattr(catalog, "BUILTIN_FOLDER", nothing)
    bodies = {
        "eyes": 'return [DeviceInfo("a", "Camera A", serial="1"), DeviceInfo("b", "Camera B")]',
        "needy": 'raise MediaError("the library is missing; install it")',
        "empty": "return []",
    }
    for name, body in bodies.items():
        place = tmp_path / "drivers" / name
        place.mkdir(parents=True)
        (place / "manifest.toml").write_text(
            f'name = "{name}"\nlabel = "{name}"\napi_version = 2\n'
        )
        (place / "driver.py").write_text(DRIVER.format(body=body))
    broken = tmp_path / "drivers" / "broken"
    broken.mkdir()
    (broken / "manifest.toml").write_text("name = ")
    return tmp_path / "drivers"


def test_devices_and_problems_of_all_drivers_are_listed(penstock: Penstock, folder: Path) -> None:
    code, printed, _ = penstock(
        "drivers", "--folder", str(folder), "--devices", "--json", "--timeout", "60"
    )
    assert code == DONE
    found = {one["driver"]: one for one in json.loads(printed)}
    assert {name: one["state"] for name, one in found.items()} == {
        "eyes": "ok",
        "empty": "ok",
        "needy": "enumeration_error",
        "broken": "load_error",
    }
    assert [one["device_id"] for one in found["eyes"]["devices"]] == ["a", "b"]
    assert found["eyes"]["devices"][0]["serial"] == "1"
    assert "the library is missing; install it" in found["needy"]["problem"]


def test_people_see_the_same_as_a_table(penstock: Penstock, folder: Path) -> None:
    code, printed, _ = penstock("drivers", "--folder", str(folder), "--devices", "--timeout", "60")
    assert code == DONE
    for words in ("Camera A", "Camera B", "library is missing", "no device found"):
        assert words in " ".join(printed.split())


def test_one_driver_can_be_asked_alone(penstock: Penstock, folder: Path) -> None:
    arguments = ("--folder", str(folder), "--devices", "--json", "--timeout", "60")
    _, printed, _ = penstock("drivers", "eyes", *arguments)
    assert [one["driver"] for one in json.loads(printed)] == ["eyes"]
    assert penstock("drivers", "eye", *arguments)[0] == DEVICE
    assert penstock("drivers", "--devices", "--timeout", "0")[0] == USAGE
