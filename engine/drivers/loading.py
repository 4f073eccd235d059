"""Loads the code of a driver; only a driver host does that."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from engine.drivers.base import BaseDriver
from engine.errors import DriverError

__all__ = ("load_driver",)


def load_driver(folder: Path, module: str, name: str) -> BaseDriver:
    """Import a driver's module and make its `Driver`.

    The folder becomes importable, so that a driver may consist of several modules.

    Raises
    ------
    DriverError
        When the module cannot be imported, or has no class ``Driver(BaseDriver)``.
    """
    path = folder / module
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        kind = getattr(_import(path, name), "Driver", None)
        driver = kind() if isinstance(kind, type) else None
    except Exception as error:
        raise DriverError(
            f"driver {name!r} cannot be loaded from {path}: {type(error).__name__}: {error}",
            driver=name,
            file=str(path),
        ) from error
    if not isinstance(driver, BaseDriver):
        raise DriverError(
            f"driver {name!r} cannot be loaded: {path} has no class Driver derived from "
            f"engine.drivers.BaseDriver",
            driver=name,
            file=str(path),
        )
    return driver


def _import(path: Path, name: str) -> ModuleType:
    module_name = "penstock_driver_" + "".join(c if c.isalnum() else "_" for c in name)
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module
