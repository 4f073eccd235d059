"""All processing plugins of this machine: which there are, which work, which to use."""

import logging
import threading
from collections.abc import Iterable

import msgspec

from engine.errors import PluginError, PluginNotFoundError, PluginUnavailableError
from engine.plugins.api import ProbeReport, ProcessingPlugin
from engine.plugins.device_order import ListedDevice, PluginDevices, Rank, arrange, rank
from engine.plugins.discovery import PluginPlace, find_plugins, import_plugin
from engine.plugins.host import memory_bytes, processor_name
from engine.plugins.prerequisites import missing_prerequisite
from engine.plugins.probe_children import TIMED_OUT, probe_in_children
from engine.plugins.probe_memory import recall, remember
from engine.plugins.probing import ProbeAnswer
from engine.protocol import PluginAvailability, PluginDevice, PluginState

__all__ = ("PluginRegistry",)

log = logging.getLogger(__name__)

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

    def devices(
        self, keys: Iterable[str] | None = None, *, is_fresh: bool = False
    ) -> tuple[ListedDevice, ...]:
        """Return the devices of these plugins, of all without a word, in their order.

        A plugin that is switched off or does not work here has none. What nobody knows of is
        probed in child processes, all at once, which blocks for up to ten seconds; what probes of
        other processes of this user found is taken over, unless `is_fresh`.
        """
        wanted = [key for key in self._places if keys is None or key in set(keys)]
        self._learn([key for key in wanted if self._states[key].is_enabled], is_fresh=is_fresh)
        return arrange(
            PluginDevices(self._places[key], self._states[key].precision, self._devices_of(key))
            for key in wanted
        )

    def first_index(self, key: str) -> int:
        """Return the number of a plugin's first device; 0 when nothing is known of it."""
        place = self._places.get(key)
        if place is None:
            return 0
        state = self._states[key]
        listed = arrange([PluginDevices(place, state.precision, self._devices_of(key))])
        return listed[0].index if listed else 0

    def choose(self, preferred_key: str = "") -> ProcessingPlugin:
        """Return the plugin to use: the preferred one, or that of the first device.

        A plugin that may not work here and whose state is not known yet is probed first, when it
        is wanted or its devices may come first. Plugins that compute in a reduced precision, or
        simulate, are used only when they are preferred.

        Raises
        ------
        PluginNotFoundError
            When no plugin has that key.
        PluginUnavailableError
            When the preferred plugin is switched off or does not work here, or none does.
        """
        if preferred_key:
            return self._use(self._place(preferred_key))
        candidates = [place for place in self._places.values() if not place.is_on_request]
        self._learn([place.key for place in candidates if self._may_lead(place)])
        candidates.sort(key=self._rank)
        refusals = []
        for number, place in enumerate(candidates):
            try:
                if self._is_to_probe(place):  # all at once: each takes a process and a while
                    self._probe(self._next_to_probe(candidates[number:]), _PROBE_TIMEOUT_S)
                return self._use(place)
            except PluginUnavailableError as error:
                refusals.append(error.message)
        raise PluginUnavailableError("no plugin can be used: " + "; ".join(refusals))

    def choose_or_best(self, key: str) -> ProcessingPlugin:
        """Return the plugin of that key; the best one here when it cannot be used.

        Raises
        ------
        PluginUnavailableError
            When no plugin works here.
        """
        try:
            return self.choose(key)
        except PluginError as error:
            plugin = self.choose()
            log.warning("%s; %s is used instead", error.message, plugin.key)
            return plugin

    def _may_lead(self, place: PluginPlace) -> bool:
        """Tell whether devices of a plugin that nobody has probed may come before processors.

        What one of ours plainly lacks is found out here, without a process.
        """
        if place.kind == "cpu" or not self._is_to_probe(place):
            return False
        missing = missing_prerequisite(place.key) if place.is_built_in else ""
        if missing:
            self._take(place.key, ProbeAnswer(ProbeReport(False, missing)))
        return not missing

    def _next_to_probe(self, candidates: list[PluginPlace]) -> list[str]:
        """Return the plugins to be probed that come before one that works for certain."""
        keys = []
        for place in candidates:
            if self._is_to_probe(place):
                keys.append(place.key)
            elif place.is_certain and self._states[place.key].is_enabled:
                break
        return keys

    def _rank(self, place: PluginPlace) -> Rank:
        """Return the rank of a plugin's best device, or what is known of that before a probe."""
        state = self._states[place.key]
        kinds = [device.kind for device in state.device_details] or [place.kind]
        return min(rank(place, kind, state.precision) for kind in kinds)

    def _devices_of(self, key: str) -> tuple[PluginDevice, ...]:
        """Return the devices of a plugin that is known to work; one that names none has one."""
        place, state = self._places[key], self._states[key]
        if not state.is_enabled:
            return ()
        if state.availability is PluginAvailability.AVAILABLE:
            return state.device_details or (PluginDevice(0, place.kind or "other", state.name),)
        if place.is_certain and state.availability is not PluginAvailability.UNAVAILABLE:
            return (PluginDevice(0, place.kind, processor_name(), memory_bytes()),)
        return ()

    def _learn(self, keys: Iterable[str], *, is_fresh: bool = False) -> None:
        """Find out about plugins of which nothing is known, or once more about all of these."""
        unknown = [key for key in keys if is_fresh or self._is_to_probe(self._places[key])]
        if not is_fresh:
            for key, answer in recall(unknown).items() if unknown else ():
                self._take(key, answer)
            unknown = [key for key in unknown if self._is_to_probe(self._places[key])]
        if unknown:
            answers = self._probe(unknown, _PROBE_TIMEOUT_S)
            remember({k: answer for k, answer in answers.items() if self._is_to_keep(k, answer)})

    def _is_to_keep(self, key: str, answer: ProbeAnswer) -> bool:
        """Tell whether to believe an answer for a while.

        Of our own plugins we know that they answer, though not in time on a machine under load;
        one of others that hangs is not waited for again by every process.
        """
        return not (self._places[key].is_built_in and TIMED_OUT in answer.report.reason)

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

    def _probe(self, keys: Iterable[str], timeout_s: float) -> dict[str, ProbeAnswer]:
        keys = list(keys)
        answers = {}
        before = {state.key: state.availability for state in self.states()}
        for key in keys:
            self._change(key, availability=PluginAvailability.PROBING)
        try:
            for key, answer in probe_in_children(keys, timeout_s=timeout_s):
                self._take(key, answer)
                answers[key] = answer
                before.pop(key)
        finally:
            for key in before.keys() & set(keys):  # the probing itself failed
                self._change(key, availability=before[key])
        return answers

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
            device_details=report.devices,
        )

    def _change(self, key: str, **fields: object) -> None:
        with self._lock:
            self._states[key] = msgspec.structs.replace(self._states[key], **fields)
