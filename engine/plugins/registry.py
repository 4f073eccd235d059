"""All processing plugins of this machine: which there are, which work, which to use."""

import threading
from collections.abc import Iterable

import msgspec

from engine.errors import PluginNotFoundError, PluginUnavailableError
from engine.plugins.api import ProcessingPlugin
from engine.plugins.discovery import PluginPlace, find_plugins, import_plugin
from engine.plugins.probe_children import probe_in_children
from engine.plugins.probing import ProbeAnswer
from engine.protocol import PluginAvailability, PluginState

__all__ = ("PluginRegistry",)

_PROBE_TIMEOUT_S = 10.0


class PluginRegistry:
    """Knows the plugins by key, in a stable order; may be used by several threads.

    Building it imports no plugin. A plugin of a third party is imported only after its probe, in
    a child process, came back well.

    Parameters
    ----------
    disabled : keys that must not be used; keys of plugins that are not installed are ignored.
    """

    def __init__(self, *, disabled: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._places = find_plugins()
        off = set(disabled)
        self._states = {
            place.key: PluginState(
                place.key, place.plugin_id, place.name or place.key, is_enabled=place.key not in off
            )
            for place in self._places.values()
        }
        self._plugins: dict[str, ProcessingPlugin] = {}

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of all plugins, in order of preference."""
        return tuple(self._places)

    def states(self) -> tuple[PluginState, ...]:
        """Return what is known about every plugin, in order of preference."""
        with self._lock:
            return tuple(self._states.values())

    def set_enabled(self, key: str, is_enabled: bool) -> None:
        """Allow or forbid a plugin for later choices; sessions that are loaded stay.

        Raises
        ------
        PluginNotFoundError
            When no plugin has that key.
        """
        self._place(key)
        self._change(key, is_enabled=is_enabled)

    def probe_all(self, timeout_s: float = _PROBE_TIMEOUT_S) -> tuple[PluginState, ...]:
        """Probe every plugin in a child process of its own, all at once, and return the states.

        Blocks until all have answered or `timeout_s` is over; call it from a worker thread.
        """
        self._probe(self.keys, timeout_s)
        return self.states()

    def choose(self, preferred_key: str = "") -> ProcessingPlugin:
        """Return the plugin to use: the preferred one, or the first that is usable.

        A plugin that may not work here and whose state is not known yet is probed first. Plugins
        that compute in a reduced precision, or simulate, are used only when they are preferred.

        Raises
        ------
        PluginNotFoundError
            When no plugin has that key.
        PluginUnavailableError
            When the preferred plugin is switched off or does not work here, or none does.
        """
        if preferred_key:
            return self._use(self._place(preferred_key))
        refusals = []
        candidates = [place for place in self._places.values() if not place.is_on_request]
        for place in candidates:
            try:
                if self._is_to_probe(place):  # all at once: each takes a process and a while
                    self._probe(
                        [one.key for one in candidates if self._is_to_probe(one)], _PROBE_TIMEOUT_S
                    )
                return self._use(place)
            except PluginUnavailableError as error:
                refusals.append(error.message)
        raise PluginUnavailableError("no plugin can be used: " + "; ".join(refusals))

    def _use(self, place: PluginPlace) -> ProcessingPlugin:
        state = self._states[place.key]
        if not state.is_enabled:
            raise PluginUnavailableError(
                f"plugin {place.key!r} is switched off; switch it on or choose another",
                plugin=place.key,
            )
        if self._is_to_probe(place):
            self._probe([place.key], _PROBE_TIMEOUT_S)
            state = self._states[place.key]
        if state.availability is PluginAvailability.UNAVAILABLE:
            raise PluginUnavailableError(
                f"plugin {place.key!r} does not work on this machine: {state.reason}; "
                "choose another",
                plugin=place.key,
            )
        with self._lock:
            plugin = self._plugins.get(place.key)
        if plugin is None:
            plugin = import_plugin(place)
            with self._lock:
                plugin = self._plugins.setdefault(place.key, plugin)
        return plugin

    def _is_to_probe(self, place: PluginPlace) -> bool:
        """Tell whether nobody knows yet whether a plugin works here."""
        state = self._states[place.key]
        unknown = (PluginAvailability.UNKNOWN, PluginAvailability.PROBING)
        return state.is_enabled and state.availability in unknown and not place.is_certain

    def _place(self, key: str) -> PluginPlace:
        place = self._places.get(key)
        if place is None:
            raise PluginNotFoundError(
                f"there is no plugin {key!r}; installed are {', '.join(self._places)}", plugin=key
            )
        return place

    def _probe(self, keys: Iterable[str], timeout_s: float) -> None:
        keys = list(keys)
        before = {state.key: state.availability for state in self.states()}
        for key in keys:
            self._change(key, availability=PluginAvailability.PROBING)
        try:
            for key, answer in probe_in_children(keys, timeout_s=timeout_s):
                self._take(key, answer)
                before.pop(key)
        finally:
            for key in before.keys() & set(keys):  # the probing itself failed
                self._change(key, availability=before[key])

    def _take(self, key: str, answer: ProbeAnswer) -> None:
        report = answer.report
        works = report.is_available
        state = self._states[key]
        self._change(
            key,
            availability=(
                PluginAvailability.AVAILABLE if works else PluginAvailability.UNAVAILABLE
            ),
            reason=report.reason,
            version=report.version or state.version,
            plugin_id=answer.plugin_id or state.plugin_id,
            name=answer.name or state.name,
            precision=answer.precision or state.precision,
            devices=tuple(device.name for device in report.devices),
        )

    def _change(self, key: str, **fields: object) -> None:
        with self._lock:
            self._states[key] = msgspec.structs.replace(self._states[key], **fields)
