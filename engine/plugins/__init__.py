"""Processing plugins: backends that execute programs on devices."""

from engine.plugins.api import Device, ProbeReport, ProcessingPlugin, Session
from engine.plugins.registry import PluginRegistry

__all__ = ("Device", "PluginRegistry", "ProbeReport", "ProcessingPlugin", "Session")
