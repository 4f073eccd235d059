"""The engine's state: one snapshot, changed section by section, told to clients in order."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from engine.protocol import Snapshot, StateChange, StreamState

__all__ = ("StateStore",)


class StateStore:
    """Holds the snapshot; may be changed from any thread.

    Parameters
    ----------
    publish : receives every change in order; must return at once (it is called under the lock).
    """

    def __init__(self, publish: Callable[[StateChange], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._snapshot = Snapshot()

    @property
    def snapshot(self) -> Snapshot:
        """The newest state."""
        with self._lock:
            return self._snapshot

    def set(self, **sections: Any) -> None:  # noqa: ANN401 - sections of StateChange
        """Replace whole sections, for example ``set(plugins=(...))``."""
        with self._lock:
            self._apply(StateChange(self._snapshot.version + 1, **sections))

    def set_streams(self, streams: tuple[StreamState, ...]) -> None:
        """Replace the list of streams."""
        self.set(streams=streams, are_streams_complete=True)

    def set_stream(self, state: StreamState) -> None:
        """Replace one stream's state; ignored when the stream is not in the list any more."""
        with self._lock:
            known = {stream.name: stream for stream in self._snapshot.streams}
            if state.name in known and known[state.name] != state:
                self._apply(StateChange(self._snapshot.version + 1, streams=(state,)))

    def change_driver(self, name: str, **changes: Any) -> None:  # noqa: ANN401 - of DriverState
        """Replace fields of one driver's state; ignored when it is not in the list any more."""
        with self._lock:
            drivers = tuple(
                msgspec.structs.replace(one, **changes) if one.name == name else one
                for one in self._snapshot.drivers
            )
            if drivers != self._snapshot.drivers:
                self._apply(StateChange(self._snapshot.version + 1, drivers=drivers))

    def change_engine(self, **changes: Any) -> None:  # noqa: ANN401 - fields of EngineStatus
        """Replace fields of the engine's own status."""
        with self._lock:
            engine = msgspec.structs.replace(self._snapshot.engine, **changes)
            if engine != self._snapshot.engine:
                self._apply(StateChange(self._snapshot.version + 1, engine=engine))

    def _apply(self, change: StateChange) -> None:
        self._snapshot = change.apply_to(self._snapshot)
        self._publish(change)
