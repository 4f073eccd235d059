"""What manifests of version 2 may say, and that those of version 1 stay as they were."""

from pathlib import Path

import pytest

from engine.drivers import DeviceKind, DriverCatalog, complete_parameters
from engine.errors import DriverError, InvalidArgumentError

HEAD = 'name = "x"\nlabel = "X"\n'


def written(tmp_path: Path, text: str, *, executable: str = "", mode: int = 0o755) -> Path:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "manifest.toml").write_text(HEAD + text)
    (folder / "driver.py").write_text("")
    if executable:
        (folder / executable).write_text("#!/bin/sh\n")
        (folder / executable).chmod(mode)
    return folder


def test_a_manifest_without_a_version_is_of_version_1(tmp_path: Path) -> None:
    entry = DriverCatalog([written(tmp_path, "")]).get("x")
    assert (entry.api_version, entry.executable, entry.has_own_parameters) == (1, "", False)
    assert entry.device_kind is DeviceKind.INSTRUMENT


def test_an_executable_takes_the_place_of_the_module(tmp_path: Path) -> None:
    folder = written(tmp_path, 'api_version = 2\nexecutable = "camera"\n', executable="camera")
    assert DriverCatalog([folder]).get("x").executable == "camera"


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ('executable = "camera"', 0o755, "api_version = 2"),
        ("has_own_parameters = true", 0o755, "api_version = 2"),
        ('device_kind = "light"', 0o755, "api_version = 2"),
        ('api_version = 2\nexecutable = "camera"', 0o644, "may not be run"),
        ('api_version = 2\nexecutable = "other"', 0o755, "not in the folder"),
        ('api_version = 2\nexecutable = "../camera"', 0o755, "inside the driver's folder"),
        ('api_version = 2\nexecutable = "/bin/true"', 0o755, "inside the driver's folder"),
        ('api_version = 2\ndevice_kind = "lamp"', 0o755, "device_kind"),
        ("api_version = 0", 0o755, "version 1 to 2"),
    ],
)
def test_what_a_manifest_cannot_say_is_named(
    tmp_path: Path, text: str, mode: int, words: str
) -> None:
    catalog = DriverCatalog([written(tmp_path, text + "\n", executable="camera", mode=mode)])
    with pytest.raises(DriverError, match=words):
        catalog.get("x")


def test_a_driver_with_own_parameters_is_given_unknown_ones(tmp_path: Path) -> None:
    folder = written(tmp_path, "api_version = 2\nhas_own_parameters = true\n")
    entry = DriverCatalog([folder]).get("x")
    assert complete_parameters(entry, {"Gain": 3, "Mode": "a"}) == {"Gain": 3, "Mode": "a"}


def test_all_others_refuse_unknown_ones(tmp_path: Path) -> None:
    entry = DriverCatalog([written(tmp_path, "api_version = 2\n")]).get("x")
    with pytest.raises(InvalidArgumentError, match="no parameter 'Gain'"):
        complete_parameters(entry, {"Gain": 3})


@pytest.mark.parametrize("name", ["genicam", "gige-vision", "uvc-camera"])
def test_the_camera_drivers_are_built_in(name: str) -> None:
    entry = DriverCatalog().get(name)
    assert entry.api_version == 2
    assert "device" in [parameter.name for parameter in entry.parameters]
    assert complete_parameters(entry, {})["device"] == ""
