"""Drivers: where frames come from. Each runs in an isolated process and is found by a manifest."""

from engine.drivers.base import BaseDriver, Frame, NoFrameYetError
from engine.drivers.catalog import BUILTIN_FOLDER, DriverCatalog
from engine.drivers.control import ControlLine
from engine.drivers.discovery import Discovery, DiscoveryState, discover_devices
from engine.drivers.live import DeviceInfo, LiveParameter, check_readable, find_parameter
from engine.drivers.manifest import API_VERSION, DeviceKind, DriverEntry
from engine.drivers.messages import Ended, Failed, FrameReady
from engine.drivers.parameters import complete_parameters, resolve_paths
from engine.drivers.process import DriverProcess

__all__ = (
    "API_VERSION",
    "BUILTIN_FOLDER",
    "BaseDriver",
    "ControlLine",
    "DeviceInfo",
    "DeviceKind",
    "Discovery",
    "DiscoveryState",
    "DriverCatalog",
    "DriverEntry",
    "DriverProcess",
    "Ended",
    "Failed",
    "Frame",
    "FrameReady",
    "LiveParameter",
    "NoFrameYetError",
    "check_readable",
    "complete_parameters",
    "discover_devices",
    "find_parameter",
    "resolve_paths",
)
