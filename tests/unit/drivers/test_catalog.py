import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.drivers import DriverCatalog
from engine.errors import DriverDirectoryMissingError, DriverError, DriverNotFoundError

MANIFEST = 'name = "mine"\nlabel = "Mine"\n'
PARAMETER = '[[parameters]]\nname = "p"\nlabel = "P"\n'


@pytest.fixture
def make_driver(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, manifest: str = MANIFEST, code: str | None = "") -> Path:
        folder = tmp_path / "drivers" / name
        folder.mkdir(parents=True)
        (folder / "manifest.toml").write_text(manifest)
        if code is not None:
            (folder / "driver.py").write_text(code)
        return folder

    return write


def test_the_built_in_drivers_are_found_and_have_no_problem() -> None:
    states = {state.name: state for state in DriverCatalog().states()}

    assert set(states) >= {"video-file", "image-folder", "pan-zoom", "cube-line"}
    assert [state.problem for state in states.values() if state.problem] == []
    assert "path" in [parameter.name for parameter in states["video-file"].parameters]


def test_the_code_of_a_driver_is_never_run_in_the_engine(make_driver: Callable[..., Path]) -> None:
    folder = make_driver("evil", code="raise SystemExit('ran')")

    entry = DriverCatalog([folder.parent]).get("mine")

    assert entry.folder == str(folder)
    assert not any(name.startswith("penstock_driver_") for name in sys.modules)


def test_a_folder_that_is_a_driver_itself_is_taken(make_driver: Callable[..., Path]) -> None:
    assert DriverCatalog([make_driver("one")]).get("mine").label == "Mine"


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_folder_that_is_not_there_is_named(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    if kind == "file":
        folder.write_text("")

    with pytest.raises(DriverDirectoryMissingError, match="cannot be used") as caught:
        DriverCatalog([folder])
    assert str(folder) in caught.value.message


def test_an_unknown_driver_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(DriverNotFoundError, match="did you mean 'video-file'"):
        DriverCatalog().get("videofile")


@pytest.mark.parametrize(
    ("manifest", "code", "problem"),
    [
        ("name = ", "", "is wrong"),
        ('label = "x"', "", "missing required field `name`"),
        (MANIFEST + "colour = 1", "", "unknown field `colour`"),
        (MANIFEST + "api_version = 3", "", "api_version is 3"),
        ('name = "a b"\nlabel = "x"', "", "name 'a b' needs letters"),
        (MANIFEST, None, "module 'driver.py' is not in the folder"),
        (MANIFEST + 'module = "../driver.py"', "", "is not a .py file inside"),
        (MANIFEST + PARAMETER + 'kind = "colour"', "", "unknown kind 'colour'"),
        (MANIFEST + PARAMETER + 'kind = "choice"', "", "a choice without choices"),
        (MANIFEST + PARAMETER + 'kind = "number"', "", "has no default"),
        (MANIFEST + PARAMETER + 'kind = "text"\nunits = "m"', "", "unknown key 'units'"),
        (MANIFEST + 2 * (PARAMETER + 'kind = "text"\n'), "", "stands there twice"),
    ],
)
def test_a_driver_with_a_wrong_manifest_is_listed_with_its_problem(
    manifest: str, code: str | None, problem: str, make_driver: Callable[..., Path]
) -> None:
    folder = make_driver("broken", manifest, code)
    catalog = DriverCatalog([folder.parent])

    states = {state.name: state for state in catalog.states()}

    assert problem in states["broken"].problem
    assert str(folder) in states["broken"].problem
    with pytest.raises(DriverError, match="driver manifest"):
        catalog.get("broken")
    assert catalog.get("video-file").problem == ""


def test_of_two_drivers_with_one_name_the_first_is_used(make_driver: Callable[..., Path]) -> None:
    first, second = make_driver("a"), make_driver("b")

    catalog = DriverCatalog([first.parent])

    assert catalog.get("mine").folder == str(first)
    problems = [state.problem for state in catalog.states() if state.problem]
    assert len(problems) == 1
    assert str(second) in problems[0]
    assert "has the same name" in problems[0]
