"""The processing plugins of one handle, under numbers and UUIDs that stay the same."""

import contextlib
import threading
import uuid

from engine.errors import PluginNotFoundError, PluginUnavailableError
from engine.handle._arguments import whole_number
from engine.handle.errors import ArgumentError, HandleArgumentTypeError, PluginIndexError
from engine.plugins import PluginRegistry, ProcessingPlugin
from engine.protocol import PluginAvailability, PluginState

__all__ = ("PluginTable",)

_NAMESPACE = uuid.UUID("5a2f5e2c-7a0d-5c8e-9f43-3f9c1f0b7a11")


class PluginTable:
    """Answers a handle's questions about plugins. Nothing is probed before it has to be."""

    def __init__(self) -> None:
        self._registry = PluginRegistry()
        self._lock = threading.Lock()
        self._was_probed = False
        self._ids: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of plugins."""
        return len(self._registry.keys)

    def name(self, index: int) -> str:
        """Return a plugin's name for people."""
        return self._state(index).name

    def plugin_id(self, index: int) -> str:
        """Return a plugin's UUID as text."""
        position = self._position(index)
        return self._all_ids()[position]

    def index_of(self, plugin_id: str) -> int:
        """Return the number of the plugin with this UUID, however it is written."""
        if not isinstance(plugin_id, str):
            raise HandleArgumentTypeError(
                f"a plugin's id is a text, not {type(plugin_id).__name__}; "
                "give what processingPluginId returned"
            )
        try:
            wanted = str(uuid.UUID(plugin_id))
        except ValueError as error:
            raise ArgumentError(
                f"{plugin_id[:60]!r} is no UUID; give what processingPluginId returned"
            ) from error
        try:
            return self._all_ids().index(wanted)
        except ValueError:
            raise PluginNotFoundError(
                f"no processing plugin has the id {wanted}; known are {', '.join(self._all_ids())}",
                plugin=wanted,
            ) from None

    def is_available(self, index: int) -> bool:
        """Tell whether a plugin works on this machine; probes all of them the first time."""
        self._position(index)
        self._probe()
        return self._state(index).availability is PluginAvailability.AVAILABLE

    def is_enabled(self, index: int) -> bool:
        """Tell whether the user has left a plugin on."""
        return self._state(index).is_enabled

    def set_enabled(self, index: int, is_enabled: bool) -> None:
        """Switch a plugin on or off for what is loaded later."""
        if not isinstance(is_enabled, bool):
            raise HandleArgumentTypeError(
                f"enabled is True or False, not {is_enabled!r}; a plugin is on or off"
            )
        self._registry.set_enabled(self._registry.keys[self._position(index)], is_enabled)

    def choose(self) -> ProcessingPlugin:
        """Return the plugin that a new context uses: the first that is on and works.

        Those that compute in a reduced precision, or simulate, come only after all others: whoever
        wants one of them switches the others off.

        Raises
        ------
        PluginUnavailableError
            When there is none.
        """
        try:
            return self._registry.choose()
        except PluginUnavailableError as error:
            for state in self._registry.states():
                if state.is_enabled:
                    with contextlib.suppress(PluginUnavailableError):
                        return self._registry.choose(state.key)
            raise PluginUnavailableError(
                f"{error.message}; switch one on with processingPluginSetEnabled"
            ) from error

    def _position(self, index: int) -> int:
        position = whole_number(index, "a plugin's index")
        if not 0 <= position < self.count:
            raise PluginIndexError(
                f"a plugin's index is 0 to {self.count - 1}, not {position}", index=position
            )
        return position

    def _state(self, index: int) -> PluginState:
        return self._registry.states()[self._position(index)]

    def _probe(self) -> None:
        with self._lock:
            if not self._was_probed:
                self._registry.probe_all()
                self._was_probed = True

    def _all_ids(self) -> tuple[str, ...]:
        """Return all ids; a plugin that states none, or that of another, gets one by its key."""
        if not self._ids:
            if not all(state.plugin_id for state in self._registry.states()):
                self._probe()
            ids: list[str] = []
            for state in self._registry.states():
                own = _normal(state.plugin_id)
                made_up = str(uuid.uuid5(_NAMESPACE, state.key))
                ids.append(own if own and own not in ids else made_up)
            self._ids = tuple(ids)
        return self._ids


def _normal(plugin_id: str) -> str:
    try:
        return str(uuid.UUID(plugin_id))
    except ValueError:
        return ""
