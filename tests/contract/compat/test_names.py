"""The published modules: which names they have, and what happens with those nobody serves."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.compat import install, is_installed, names, remove
from engine.compat.names import FACADES, Facade
from engine.errors import WrongStateError

MEMRYX = {
    "memryx": ["AsyncAccl", "ClientOptions", "Dfp", "MultiStreamAsyncAccl", "NeuralCompiler"],
    "memryx.accl": ["ClientOptions", "SchedulerOptions", "SyncAccl"],
    "memryx.runtime": ["ClientOptions", "SchedulerOptions", "AsyncAccl"],
    "memryx.runtime.accl": ["AsyncAccl", "MultiStreamAsyncAccl", "SyncAccl"],
    "memryx.runtime.dfp": ["Dfp"],
    "memryx.errors": [
        "CompilerError",
        "MxaError",
        "OperatorError",
        "ResourceError",
        "SimulatorError",
        "UtilityError",
    ],
}
PARENTS = ["easycore", "easycore.common", "easycore.torch", "pynitride", "pynitride.core"]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in MEMRYX.items() for name in names]
)
def test_every_import_path_seen_in_the_wild_works(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name).__name__


@pytest.mark.usefixtures("served")
def test_all_paths_lead_to_the_same_class() -> None:
    import memryx.accl
    import memryx.runtime.accl

    import engine

    assert memryx.AsyncAccl is memryx.accl.AsyncAccl is memryx.runtime.accl.AsyncAccl
    assert memryx.AsyncAccl is engine.AsyncAccl


@pytest.mark.usefixtures("served")
def test_submodules_are_there_without_an_import_of_their_own() -> None:
    import memryx

    assert memryx.runtime.dfp.Dfp is memryx.Dfp


@pytest.mark.usefixtures("served")
def test_an_error_of_the_engine_is_caught_by_the_vendors_name(tmp_path: Path) -> None:
    import memryx
    from memryx.errors import UtilityError

    with pytest.raises(UtilityError, match="cannot be read"):
        memryx.Dfp(tmp_path / "missing.dfp")


@pytest.mark.usefixtures("served")
def test_a_name_the_vendor_has_not_is_an_import_error_as_usual() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from memryx import Nothing")


@pytest.mark.usefixtures("served")
def test_a_module_that_is_not_served_is_refused_with_those_that_are() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"without memryx\.mxapi; below it there is"):
        importlib.import_module("memryx.mxapi")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("module", PARENTS)
def test_parents_of_a_served_module_are_empty_packages(module: str) -> None:
    assert importlib.import_module(module).__spec__.submodule_search_locations == []


@pytest.mark.usefixtures("served")
def test_an_installed_parent_keeps_its_own_modules_and_only_the_part_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("pynitride", "pynitride/core"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "pynitride/core/machine.py").write_text("raise AssertionError('the original')")
    (tmp_path / "pynitride/physics.py").write_text("here = 1")
    monkeypatch.syspath_prepend(tmp_path)
    facade = Facade({"path": "os"})
    monkeypatch.setitem(FACADES, "pynitride.core.machine", facade)
    try:
        physics = importlib.import_module("pynitride.physics")
        machine = importlib.import_module("pynitride.core.machine")
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "pynitride"]:
            del sys.modules[name]
    assert physics.here == 1
    assert machine.__spec__.origin == "served by Penstock"


# -- packages of the engine that come later


@pytest.mark.usefixtures("served")
def test_a_facade_that_is_not_there_yet_is_named_and_works_when_it_appears(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FACADES, "vendor", Facade({"Thing": "engine.not_yet"}))
    module: Any = importlib.import_module("vendor")
    with pytest.raises(ImportError, match=r"vendor\.Thing is served by engine\.not_yet\.Thing"):
        exec("from vendor import Thing")
    later = ModuleType("engine.not_yet")
    later.__spec__ = importlib.machinery.ModuleSpec("engine.not_yet", None)
    later.Thing = later.__all__ = ("Thing",)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "engine.not_yet", later)
    assert module.Thing == ("Thing",)


@pytest.mark.usefixtures("served")
def test_a_whole_module_that_is_not_there_yet_fails_when_it_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FACADES, "vendor", Facade(everything_of="engine.not_yet"))
    with pytest.raises(ImportError, match=r"vendor is served by engine\.not_yet, which this"):
        importlib.import_module("vendor")


@pytest.mark.usefixtures("served")
def test_everything_of_a_package_is_what_it_calls_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FACADES, "vendor", Facade(everything_of="engine.lanes"))
    namespace: dict[str, Any] = {}
    exec("from vendor import *", namespace)
    import engine.lanes

    assert namespace.keys() - {"__builtins__"} == set(engine.lanes.__all__)
    with pytest.raises(AttributeError, match="serves vendor without 'threading'"):
        importlib.import_module("vendor").threading  # noqa: B018


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("module", sorted(FACADES))
def test_every_published_module_serves_its_names_or_says_what_is_missing(module: str) -> None:
    told = what_is_missing(module)
    assert all(f"{module}" in reason and "is served by engine." in reason for reason in told)


def what_is_missing(module: str) -> list[str]:
    told = []
    try:
        served = importlib.import_module(module)
    except ImportError as error:
        return [str(error)]
    for name in FACADES[module].names:
        try:
            assert getattr(served, name) is not None
        except ImportError as error:
            told.append(str(error))
    return told


# -- install and remove


def test_nothing_is_served_before_it_is_asked_for_and_after_it_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "first")
    before = list(sys.meta_path)
    install()
    install()
    assert is_installed()
    import memryx

    remove()
    assert sys.meta_path == before
    assert not is_installed()
    assert memryx.__name__ not in sys.modules
    import os

    assert os.environ["PYTHONPATH"] == "first"


def test_an_original_that_was_imported_before_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "memryx", ModuleType("memryx"))
    with pytest.raises(WrongStateError, match="memryx was imported before"):
        install(for_children=False)
    assert not is_installed()


def test_the_table_names_only_modules_whose_parents_are_served() -> None:
    parents = {name.rpartition(".")[0] for name in names.FACADES} - {""}
    assert parents <= names.FACADES.keys()
