"""The processing plugins: which there are, whether they work here, which may be used."""

from engine.protocol import PluginAvailability, PluginState, ProbePlugins, SetPluginEnabled
from ui.viewmodels.base import ViewModel

__all__ = ("PluginsViewModel",)

_KINDS = {
    "accelerator": "Accelerator",
    "cpu": "Processor",
    "gpu": "Graphics processor",
    "npu": "Neural processor",
}


class PluginsViewModel(ViewModel):
    """Plugins in the order the engine prefers them."""

    @property
    def plugins(self) -> tuple[PluginState, ...]:
        """All plugins."""
        return self.snapshot.plugins

    @property
    def is_probing(self) -> bool:
        """Whether an answer is still awaited from some plugin."""
        if self.wanted("probe") is not None:
            return True
        return any(p.availability is PluginAvailability.PROBING for p in self.plugins)

    @property
    def warning(self) -> str:
        """A sentence when no program can run, else empty."""
        usable = [
            p
            for p in self.plugins
            if self.is_enabled(p) and p.availability is PluginAvailability.AVAILABLE
        ]
        if usable or not self.plugins or self.is_probing:
            return ""
        return "No plugin is usable, so no program can run; enable one that is available."

    def set_enabled(self, key: str, is_enabled: bool) -> None:
        """Allow or forbid a plugin; streams that run keep theirs."""
        self.want(key, is_enabled, SetPluginEnabled(key, is_enabled))

    def is_enabled(self, plugin: PluginState) -> bool:
        """Whether a plugin may be used, or was just allowed to be."""
        wanted = self.wanted(plugin.key)
        return plugin.is_enabled if wanted is None else bool(wanted)

    def probe(self) -> None:
        """Probe all plugins again."""
        self.want("probe", True, ProbePlugins())

    def facts(self, plugin: PluginState) -> str:
        """Return version and precision in one line; the precision of one that works is known."""
        works = plugin.availability is PluginAvailability.AVAILABLE
        return _joined(plugin.version, plugin.precision if works else "")

    def devices(self, plugin: PluginState) -> tuple[str, ...]:
        """Return a line for each device: what kind it is, its name, and its memory where known."""
        if not plugin.device_details:  # an engine of an earlier version
            return plugin.devices
        return tuple(
            _joined(
                "" if device.name.startswith(device.kind) else _KINDS.get(device.kind, device.kind),
                device.name,
                f"{device.memory_bytes / 2**30:.1f} GiB" if device.memory_bytes else "",
            )
            for device in plugin.device_details
        )


def _joined(*parts: str) -> str:
    return " \u00b7 ".join(part for part in parts if part)
