"""Finds the processing plugins that are installed, without importing any of them."""

import logging
from importlib import import_module
from importlib.metadata import entry_points

import msgspec

from engine.errors import PluginUnavailableError
from engine.plugins.api import ProcessingPlugin

__all__ = ("GROUP", "REFERENCE", "PluginPlace", "find_plugins", "import_plugin")

log = logging.getLogger(__name__)

GROUP = "penstock.plugins"
REFERENCE = "onnx-reference"
_FIRST, _LAST = "onnxruntime-cpu", REFERENCE


class PluginPlace(msgspec.Struct, frozen=True):
    """Where a plugin's class is; `target` is "module:name".

    Attributes
    ----------
    is_built_in : it came with Penstock, so another one cannot take its key.
    is_certain : it works everywhere, so it needs no probe before it is used.
    is_on_request : it is used only when somebody names it.
    kind : of its devices, as far as that is known before a probe.
    is_foreign : it executes only what a vendor's own compiler made.
    """

    key: str
    target: str
    is_built_in: bool = False
    plugin_id: str = ""
    name: str = ""
    is_certain: bool = False
    is_on_request: bool = False
    kind: str = ""
    is_foreign: bool = False


def _built_in(
    key: str,
    target: str,
    plugin_id: str,
    name: str,
    *,
    kind: str = "cpu",
    is_on_request: bool = False,
) -> PluginPlace:
    return PluginPlace(
        key,
        f"engine.plugins.{target}",
        is_built_in=True,
        plugin_id=plugin_id,
        name=name,
        is_certain=key in (_FIRST, _LAST),
        is_on_request=is_on_request,
        kind=kind,
        is_foreign=key == "mx3",
    )


# Named here too, so that a source tree that was never installed finds them.
_BUILT_IN = (
    _built_in(
        _FIRST,
        "onnxruntime_cpu:OnnxRuntimeCpuPlugin",
        "0172d72a-757a-5f3e-9b91-bfd39cf5c042",
        "onnxruntime (CPU)",
    ),
    _built_in(
        "onnxruntime-cuda",
        "onnxruntime_gpu:CudaPlugin",
        "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a01",
        "onnxruntime (CUDA)",
        kind="gpu",
    ),
    _built_in(
        "onnxruntime-tensorrt",
        "onnxruntime_gpu:TensorRtPlugin",
        "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a02",
        "onnxruntime (TensorRT)",
        kind="gpu",
    ),
    _built_in(
        "onnxruntime-directml",
        "onnxruntime_gpu:DirectMlPlugin",
        "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a03",
        "onnxruntime (DirectML)",
        kind="gpu",
    ),
    _built_in(
        "onnxruntime-coreml",
        "onnxruntime_gpu:CoreMlPlugin",
        "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a04",
        "onnxruntime (CoreML)",
        kind="gpu",
        is_on_request=True,
    ),
    _built_in(
        "openvino-cpu",
        "openvino_cpu:OpenVinoPlugin",
        "8a1c9d34-6a55-5c0e-9f7e-3b0f2f6f7c10",
        "OpenVINO (CPU)",
    ),
    _built_in(
        "openvino-cpu-bf16",
        "openvino_cpu:OpenVinoBf16Plugin",
        "8a1c9d34-6a55-5c0e-9f7e-3b0f2f6f7c11",
        "OpenVINO (CPU, bfloat16)",
        is_on_request=True,
    ),
    _built_in(
        "mx3",
        "mx3:Mx3Plugin",
        "3f9e2b70-0c3e-5d7a-b0a6-6f1d7c0b9e31",
        "MemryX MX3 (not yet run on a card)",
        kind="accelerator",
        is_on_request=True,
    ),
    _built_in(
        "simulator",
        "simulator:SimulatorPlugin",
        "c7b1d6a2-1f4d-5b39-8e64-2a9f0d5c4e77",
        "Simulated pipelined accelerator",
        kind="simulated",
        is_on_request=True,
    ),
    _built_in(
        _LAST,
        "onnx_reference:OnnxReferencePlugin",
        "6349b40e-24d3-5b12-b5ba-6cbe82c1800d",
        "ONNX reference evaluator",
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
