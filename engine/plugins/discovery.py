"""Finds the processing plugins that are installed, without importing any of them."""

import logging
from importlib import import_module
from importlib.metadata import entry_points

import msgspec

from engine.errors import PluginUnavailableError
from engine.plugins.api import ProcessingPlugin

__all__ = ("GROUP", "PluginPlace", "find_plugins", "import_plugin")

log = logging.getLogger(__name__)

GROUP = "penstock.plugins"
_FIRST, _LAST = "onnxruntime-cpu", "onnx-reference"


class PluginPlace(msgspec.Struct, frozen=True):
    """Where a plugin's class is; `target` is "module:name"."""

    key: str
    target: str
    is_built_in: bool = False
    plugin_id: str = ""
    name: str = ""


# Named here too, so that a source tree that was never installed finds them.
_BUILT_IN = (
    PluginPlace(
        _FIRST,
        "engine.plugins.onnxruntime_cpu:OnnxRuntimeCpuPlugin",
        is_built_in=True,
        plugin_id="0172d72a-757a-5f3e-9b91-bfd39cf5c042",
        name="onnxruntime (CPU)",
    ),
    PluginPlace(
        _LAST,
        "engine.plugins.onnx_reference:OnnxReferencePlugin",
        is_built_in=True,
        plugin_id="6349b40e-24d3-5b12-b5ba-6cbe82c1800d",
        name="ONNX reference evaluator",
    ),
)


def find_plugins() -> dict[str, PluginPlace]:
    """Return all plugins by key: onnxruntime first, the slow reference last, others by name.

    Of two that claim a key the built-in one, else the first, is kept and the log names the other.
    """
    places = {place.key: place for place in _BUILT_IN}
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    for point in found:
        known = places.get(point.name)
        if known is None:
            places[point.name] = PluginPlace(point.name, point.value)
        elif known.target != point.value:
            log.warning(
                "plugin key %r is claimed by %s and by %s; the first is used, rename the other",
                point.name,
                known.target,
                point.value,
            )
    order = sorted(places, key=lambda key: (key != _FIRST, key == _LAST, key))
    return {key: places[key] for key in order}


def import_plugin(place: PluginPlace) -> ProcessingPlugin:
    """Import a plugin's module and build the plugin.

    Raises
    ------
    PluginUnavailableError
        When the import fails, or what was found is no plugin.
    """
    module_name, _, attribute = place.target.partition(":")
    try:
        plugin = getattr(import_module(module_name), attribute)()
    except Exception as error:
        raise PluginUnavailableError(
            f"plugin {place.key!r} cannot be imported from {place.target}: "
            f"{type(error).__name__}: {error}; install what it needs or remove it",
            plugin=place.key,
        ) from error
    if not isinstance(plugin, ProcessingPlugin):
        raise PluginUnavailableError(
            f"plugin {place.key!r} at {place.target} lacks key, plugin_id, name, precision, "
            "probe or load; ask its maker for a version that fits",
            plugin=place.key,
        )
    return plugin
