"""Finds the vendor's package ``memryx``, also where Penstock serves that name itself."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType

from engine.errors import PluginUnavailableError

__all__ = ("PACKAGE", "is_vendor_installed", "vendor_names", "vendor_package")

PACKAGE = "memryx"

_swapping = threading.RLock()
_kept: dict[str, ModuleType] = {}  # the vendor's modules while their names are served by us


def is_vendor_installed() -> bool:
    """Whether the vendor's package lies where Python looks for packages."""
    return PathFinder.find_spec(PACKAGE) is not None


@contextmanager
def vendor_names() -> Iterator[None]:
    """Let the name ``memryx`` mean the vendor's package, also under ``penstock exec``.

    Everything that makes the vendor's code import more of itself runs within this.
    """
    with _swapping:
        ours = [finder for finder in sys.meta_path if _is_ours(finder)]
        if not ours:
            yield
            return
        served = _take_modules()
        sys.modules.update(_kept)
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in ours]
        try:
            yield
        finally:
            _kept.update(_take_modules())
            sys.modules.update(served)
            sys.meta_path[:0] = ours


def vendor_package() -> ModuleType:
    """Import the vendor's package; to be called within `vendor_names`.

    Raises
    ------
    PluginUnavailableError
        When it is not installed, or cannot be imported.
    """
    if not is_vendor_installed():
        raise PluginUnavailableError(
            "the MemryX runtime is not installed; install its driver and its Python package "
            "memryx from the vendor",
            plugin="mx3",
        )
    try:
        return import_module(PACKAGE)
    except Exception as error:
        raise PluginUnavailableError(
            f"the MemryX runtime cannot be imported: {type(error).__name__}: {error}; "
            "install it again from the vendor",
            plugin="mx3",
        ) from error


def _is_ours(finder: object) -> bool:
    return bool(getattr(finder, "serves_vendor_names", False))


def _take_modules() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}
