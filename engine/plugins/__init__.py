"""Processing plugins: backends that execute programs on devices."""

from engine.plugins.api import (
    Device,
    DeviceTelemetry,
    ForeignPrograms,
    HasTelemetry,
    InPlaceSession,
    ProbeReport,
    ProcessingPlugin,
    Session,
)
from engine.plugins.chosen_device import ChosenDevice, load_on
from engine.plugins.device_list import find_devices, list_devices
from engine.plugins.device_order import ListedDevice
from engine.plugins.registry import PluginRegistry

__all__ = (
    "ChosenDevice",
    "Device",
    "DeviceTelemetry",
    "ForeignPrograms",
    "HasTelemetry",
    "InPlaceSession",
    "ListedDevice",
    "PluginRegistry",
    "ProbeReport",
    "ProcessingPlugin",
    "Session",
    "find_devices",
    "list_devices",
    "load_on",
)
