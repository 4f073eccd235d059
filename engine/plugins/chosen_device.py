"""A device to load programs on: a plugin, and the number of one of its devices."""

from engine.errors import DeviceNotFoundError
from engine.plugins.api import (
    DeviceTelemetry,
    HasTelemetry,
    ProbeReport,
    ProcessingPlugin,
    Session,
)

__all__ = ("ChosenDevice", "load_on")


class ChosenDevice:
    """One device of a plugin; used like a plugin that has no other.

    Attributes
    ----------
    plugin : executes on it.
    index : its number within the plugin.
    """

    def __init__(self, plugin: ProcessingPlugin, index: int = 0) -> None:
        self.plugin = plugin
        self.index = index
        self.key = plugin.key
        self.plugin_id = plugin.plugin_id
        self.name = plugin.name
        self.precision = plugin.precision

    @property
    def lanes(self) -> int:
        """Frames that have to be under way to use it fully; 0 is one per core."""
        lanes = getattr(self.plugin, "lanes", 0)
        return lanes if isinstance(lanes, int) else 0

    def probe(self) -> ProbeReport:
        """Probe the plugin; see `ProcessingPlugin.probe`."""
        return self.plugin.probe()

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Load an ONNX graph on the device; see `ProcessingPlugin.load`.

        Raises
        ------
        DeviceNotFoundError
            When the plugin has no such device; this one has the number 0 here.
        """
        if device_index:
            raise DeviceNotFoundError(
                f"{self.name} was opened for one device, so that there is no device {device_index}",
                device=device_index,
            )
        return load_on(self.plugin, graph, self.index, threads_per_lane=threads_per_lane)

    def telemetry(self, device_index: int = 0) -> DeviceTelemetry:
        """Read the device's sensors; nothing where its plugin measures nothing."""
        if isinstance(self.plugin, HasTelemetry):
            return self.plugin.telemetry(self.index)
        return DeviceTelemetry()


def load_on(
    plugin: ProcessingPlugin, graph: bytes, device_index: int = 0, *, threads_per_lane: int = 1
) -> Session:
    """Load an ONNX graph on a device of a plugin.

    Plugins that were written before there was a choice of devices are called as they expect it.

    Raises
    ------
    DeviceNotFoundError
        When the plugin knows nothing of several devices and another than the first is wanted.
    """
    if not device_index:
        if threads_per_lane == 1:
            return plugin.load(graph)
        return plugin.load(graph, threads_per_lane=threads_per_lane)
    try:
        return plugin.load(graph, threads_per_lane=threads_per_lane, device_index=device_index)
    except TypeError as error:
        if "device_index" not in str(error):
            raise
        raise DeviceNotFoundError(
            f"{plugin.name} loads programs on its first device alone, so that device "
            f"{device_index} of it cannot be used; ask its maker for a version that can",
            plugin=plugin.key,
            device=device_index,
        ) from error
