"""Probes one plugin in this process; meant for the probe process, which exists to survive it."""

import msgspec

from engine.errors import PluginError, PluginNotFoundError
from engine.plugins.api import ProbeReport
from engine.plugins.discovery import find_plugins, import_plugin

__all__ = ("ProbeAnswer", "probe_here")


class ProbeAnswer(msgspec.Struct, frozen=True):
    """What the probe process prints."""

    report: ProbeReport
    plugin_id: str = ""
    name: str = ""
    precision: str = ""


def probe_here(key: str) -> ProbeAnswer:
    """Probe a plugin in this process; an error of the plugin becomes an unavailable report."""
    try:
        place = find_plugins().get(key)
        if place is None:
            raise PluginNotFoundError(f"there is no plugin {key!r}", plugin=key)
        plugin = import_plugin(place)
        report = plugin.probe()
        if not isinstance(report, ProbeReport):
            raise TypeError(f"probe returned {type(report).__name__}, not a ProbeReport")
        return ProbeAnswer(report, plugin.plugin_id, plugin.name, plugin.precision)
    except PluginError as error:
        return ProbeAnswer(ProbeReport(False, error.message))
    except Exception as error:  # noqa: BLE001 - plugin code; this process exists to survive it
        words = str(error) or "no reason given"
        reason = f"the probe failed: {type(error).__name__}: {words}"
        return ProbeAnswer(ProbeReport(False, reason))
