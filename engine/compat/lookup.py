"""Finds in the engine what a published name stands for."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from engine.compat.names import FACADES, submodules_of

__all__ = ("check_home", "look_up", "public_names")


def check_home(module: str) -> None:
    """Check that the engine has what a published module needs as a whole.

    Raises
    ------
    ImportError
        When that package is not in this installation.
    """
    home = FACADES[module].everything_of
    if home and not _public_names_of(home):
        raise _missing(module, home)


def look_up(module: str, name: str) -> Any:  # noqa: ANN401 - the type depends on the name
    """Return what a name of a published module stands for.

    Raises
    ------
    AttributeError
        When the module has no such name.
    ImportError
        When it has, but this installation has not what is behind it.
    """
    facade = FACADES[module]
    if f"{module}.{name}" in FACADES:
        return import_module(f"{module}.{name}")
    if name in facade.constants:
        return facade.constants[name]
    if name in facade.names:
        return _named(module, name, facade.names[name])
    if facade.everything_of and name in _public_names_of(facade.everything_of):
        return _named(module, name, facade.everything_of)
    offered = ", ".join(public_names(module)) or "nothing"
    raise AttributeError(f"Penstock serves {module} without {name!r}; it has {offered}")


def public_names(module: str) -> list[str]:
    """Return what ``from module import *`` gives: only what is there."""
    facade = FACADES[module]
    names = [
        name
        for name, target in facade.names.items()
        if name in _public_names_of(target.partition(":")[0])
        or target.partition(":")[2] in _public_names_of(target.partition(":")[0])
    ]
    if facade.everything_of:
        names += _public_names_of(facade.everything_of)
    below = [full.rpartition(".")[2] for full in submodules_of(module)]
    return sorted({*names, *below})


def _named(module: str, name: str, target: str) -> Any:  # noqa: ANN401 - see look_up
    home, _, attribute = target.partition(":")
    found = _home(home)
    try:
        return getattr(found, attribute or name)
    except AttributeError as error:
        raise _missing(f"{module}.{name}", f"{home}.{attribute or name}") from error


def _home(home: str) -> object | None:
    return import_module(home) if find_spec(home) is not None else None


def _public_names_of(home: str) -> tuple[str, ...]:
    return tuple(getattr(_home(home), "__all__", ()))


def _missing(asked: str, home: str) -> ImportError:
    return ImportError(
        f"{asked} is served by {home}, which this installation of Penstock does not have; "
        "update Penstock, or run the script with the original package",
        name=asked,
    )
