"""Genuine DFPs: made by MemryX's compiler, they run where its runtime and a card are."""

import msgspec

from engine.config import PreSettings
from engine.dfp import Dfp, GenuinePort, GenuineProgram, ModelEntry
from engine.errors import DeviceNotFoundError, PluginError, ProgramIncompatibleError
from engine.plugins import (
    ChosenDevice,
    ForeignPrograms,
    PluginRegistry,
    ProcessingPlugin,
    Session,
    find_devices,
)
from engine.plugins.device_list import choice_of_user
from engine.protocol import TensorInfo

__all__ = ("entries_of", "find_for", "host_plugin", "lanes_of", "load_model")

_VENDORS_PLUGIN = "mx3"


def find_for(dfp: Dfp, registry: PluginRegistry, device_ids: list[int]) -> dict[int, ChosenDevice]:
    """Return the devices of this process to execute a program on, by number.

    A genuine file counts cards, as its vendor's runtime does, all others the list of devices. The
    first device of a program that was tuned is the one that it was tuned for.

    Raises
    ------
    ProgramIncompatibleError
        When it is a genuine file, and there is nothing here that executes those.
    DeviceNotFoundError
        When there is no device of one of the numbers.
    PluginUnavailableError
        When no plugin works here.
    """
    if dfp.is_genuine:
        return _find_cards(dfp, registry, device_ids)
    if dfp.tuned is not None and device_ids == [0] and not choice_of_user():
        plugin = registry.choose_or_best(dfp.tuned.plugin)
        return {0: ChosenDevice(plugin, registry.first_index(plugin.key))}
    return dict(zip(device_ids, find_devices(registry, device_ids), strict=True))


def _find_cards(
    dfp: Dfp, registry: PluginRegistry, device_ids: list[int]
) -> dict[int, ChosenDevice]:
    try:
        plugin = registry.choose(_VENDORS_PLUGIN)
    except PluginError as error:
        raise ProgramIncompatibleError(
            f"{dfp.needs}; here: {error.message}", file=dfp.source
        ) from error
    state = next(state for state in registry.states() if state.key == plugin.key)
    count = max(1, len(state.devices))
    for device_id in device_ids:
        if device_id >= count:
            raise DeviceNotFoundError(
                f"there is no device {device_id}; {plugin.name} has the devices 0 to {count - 1}",
                device=device_id,
            )
    return {device_id: ChosenDevice(plugin, device_id) for device_id in device_ids}


def host_plugin(plugin: ProcessingPlugin) -> ProcessingPlugin:
    """Return what executes models beside the program: the same plugin where it takes ONNX.

    A plugin that computes in a reduced precision was chosen for the program, not for those.
    """
    is_for_both = plugin.precision == "float32" and not isinstance(plugin, ForeignPrograms)
    return plugin if is_for_both else PluginRegistry().choose()


def lanes_of(device: ChosenDevice, dfp: Dfp) -> int:
    """Return how many frames have to be under way to use a device; 0 is one per core."""
    if dfp.tuned is not None and dfp.tuned.plugin == device.key:
        return dfp.tuned.lanes
    return device.lanes


def entries_of(dfp: Dfp) -> tuple[ModelEntry, ...]:
    """Return the models of a program, of a genuine file as far as it describes them."""
    genuine = dfp.genuine
    if genuine is None:
        return dfp.models
    return tuple(_entry(dfp, genuine, index) for index in range(len(genuine.models)))


def load_model(
    device: ChosenDevice, dfp: Dfp, index: int, entry: ModelEntry, device_ids: list[int]
) -> Session:
    """Load one model of a program; a genuine one on several cards at once."""
    plugin = device.plugin
    if dfp.is_genuine and isinstance(plugin, ForeignPrograms):
        return plugin.load_foreign(dfp.data, index, entry.inputs, entry.outputs, tuple(device_ids))
    if dfp.tuned is not None and dfp.tuned.plugin == device.key:
        return device.load(dfp.graph(index), threads_per_lane=dfp.tuned.threads_per_lane)
    return device.load(dfp.graph(index))


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
