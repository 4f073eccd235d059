"""Genuine DFPs: made by MemryX's compiler, they run where its runtime and a card are."""

import msgspec

from engine.config import PreSettings
from engine.dfp import Dfp, GenuinePort, GenuineProgram, ModelEntry
from engine.errors import PluginError, ProgramIncompatibleError
from engine.plugins import ForeignPrograms, PluginRegistry, ProcessingPlugin, Session
from engine.protocol import TensorInfo

__all__ = ("choose_for", "entries_of", "host_plugin", "lanes_of", "load_model")

_VENDORS_PLUGIN = "mx3"


def choose_for(dfp: Dfp, registry: PluginRegistry) -> ProcessingPlugin:
    """Return the plugin to execute a program with.

    Raises
    ------
    ProgramIncompatibleError
        When it is a genuine file, and there is nothing here that executes those.
    PluginUnavailableError
        When no plugin works here.
    """
    if not dfp.is_genuine:
        return registry.choose()
    try:
        return registry.choose(_VENDORS_PLUGIN)
    except PluginError as error:
        raise ProgramIncompatibleError(
            f"{dfp.needs}; here: {error.message}", file=dfp.source
        ) from error


def host_plugin(plugin: ProcessingPlugin) -> ProcessingPlugin:
    """Return what executes models beside the program: the same plugin where it takes ONNX."""
    return PluginRegistry().choose() if isinstance(plugin, ForeignPrograms) else plugin


def lanes_of(plugin: ProcessingPlugin) -> int:
    """Return how many frames have to be under way to use a device; 0 is one per core."""
    lanes = getattr(plugin, "lanes", 0)
    return lanes if isinstance(lanes, int) else 0


def entries_of(dfp: Dfp) -> tuple[ModelEntry, ...]:
    """Return the models of a program, of a genuine file as far as it describes them."""
    genuine = dfp.genuine
    if genuine is None:
        return dfp.models
    return tuple(_entry(dfp, genuine, index) for index in range(len(genuine.models)))


def load_model(
    plugin: ProcessingPlugin, dfp: Dfp, index: int, entry: ModelEntry, device_ids: list[int]
) -> Session:
    """Load one model of a program."""
    if dfp.is_genuine and isinstance(plugin, ForeignPrograms):
        return plugin.load_foreign(dfp.data, index, entry.inputs, entry.outputs, tuple(device_ids))
    return plugin.load(dfp.graph(index))


def _entry(dfp: Dfp, genuine: GenuineProgram, index: int) -> ModelEntry:
    inputs = [port for port in genuine.active_inputs if port.model_index == index]
    outputs = [port for port in genuine.active_outputs if port.model_index == index]
    name = "".join(c if c.isprintable() else "_" for c in genuine.models[index])[-100:]
    return ModelEntry(
        name=name.strip() or f"model {index}",
        main="",
        inputs=tuple(dfp.input_tensors[port.port] for port in inputs),
        outputs=tuple(_output(dfp.output_tensors[port.port], port) for port in outputs),
        pre=PreSettings(layout=_layout(inputs)),
    )


def _output(tensor: TensorInfo, port: GenuinePort) -> TensorInfo:
    """Return an output as the vendor's runtime gives it: older files lose a depth of 1."""
    if port.raw_shape or len(tensor.shape) != 4 or tensor.shape[2] != 1:
        return tensor
    height, width, _, channels = tensor.shape
    return msgspec.structs.replace(tensor, shape=(height, width, channels))


def _layout(ports: list[GenuinePort]) -> str:
    """Return where the channels are in the models' own shapes; devices have them last."""
    for port in ports:
        if len(port.raw_shape) == 4:
            height, width, _, channels = port.mxa_shape
            return "nhwc" if port.raw_shape[1:] == (height, width, channels) else "nchw"
    return "nhwc"
