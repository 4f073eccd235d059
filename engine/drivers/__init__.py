"""Drivers: where frames come from. Each runs in an isolated process and is found by a manifest."""

from engine.drivers.base import BaseDriver, Frame
from engine.drivers.catalog import BUILTIN_FOLDER, DriverCatalog
from engine.drivers.manifest import API_VERSION, DriverEntry
from engine.drivers.messages import Ended, Failed, FrameReady
from engine.drivers.parameters import complete_parameters, resolve_paths
from engine.drivers.process import DriverProcess

__all__ = (
    "API_VERSION",
    "BUILTIN_FOLDER",
    "BaseDriver",
    "DriverCatalog",
    "DriverEntry",
    "DriverProcess",
    "Ended",
    "Failed",
    "Frame",
    "FrameReady",
    "complete_parameters",
    "resolve_paths",
)
