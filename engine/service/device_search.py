"""Looks for the devices of drivers while everything else goes on."""

import threading

from engine.drivers import DriverEntry, discover_devices
from engine.process import WakePipe
from engine.service.store import StateStore

__all__ = ("DeviceSearch",)

_TIMEOUT_S = 10.0
_END_S = 5.0


class DeviceSearch:
    """Asks one driver after the other, each in a process of its own; results go to the store.

    `find` is for the control thread and returns at once.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: dict[str, DriverEntry] = {}
        self._thread: threading.Thread | None = None
        self._stop = WakePipe()
        self._is_closed = False

    def find(self, entry: DriverEntry) -> None:
        """Look for the devices of a driver; one that waits already is looked for once."""
        with self._lock:
            self._waiting[entry.name] = entry
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="device-search")
                self._thread.start()

    def close(self) -> None:
        """Stop looking. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            thread = self._thread
        self._stop.wake()
        if thread is not None:
            thread.join(_END_S)
        self._stop.close()

    def _next(self) -> DriverEntry | None:
        """Return who is next; with nobody left, the thread is over."""
        with self._lock:
            if self._waiting and not self._is_closed:
                return self._waiting.pop(next(iter(self._waiting)))
            self._thread = None
            return None

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            (found,) = discover_devices([entry], _TIMEOUT_S, stop_fd=self._stop.fileno())
            # a driver that cannot tell lists itself, which is nothing to choose from
            devices = tuple(one for one in found.devices if one.device_id != entry.name)
            if not self._is_closed:
                self._store.change_driver(
                    entry.name, devices=devices, devices_problem=found.problem
                )
