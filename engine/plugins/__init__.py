"""Processing plugins: backends that execute programs on devices."""

from engine.plugins.api import (
    Device,
    DeviceTelemetry,
    ForeignPrograms,
    HasTelemetry,
    ProbeReport,
    ProcessingPlugin,
    Session,
)
from engine.plugins.registry import PluginRegistry

__all__ = (
    "Device",
    "DeviceTelemetry",
    "ForeignPrograms",
    "HasTelemetry",
    "PluginRegistry",
    "ProbeReport",
    "ProcessingPlugin",
    "Session",
)
