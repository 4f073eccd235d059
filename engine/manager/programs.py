"""The programs that a device's worker has loaded, each once for all who have the same bytes."""

import hashlib
import logging
import os
import threading
from collections.abc import Sequence

from engine.dfp import Dfp
from engine.errors import BrokenError, EngineError, PluginNotFoundError
from engine.manager.attachment import LoadedProgram
from engine.manager.device_lock import DeviceLock
from engine.manager.messages import Begin
from engine.plugins import ChosenDevice, DeviceTelemetry
from engine.plugins.discovery import find_plugins, import_plugin

__all__ = ("Programs",)

log = logging.getLogger(__name__)

_MOST_LANES = 64


class Programs:
    """Loads programs when the first client wants them, frees them after the last.

    While there is a program, the device is held against processes in local mode.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._loaded: dict[str, LoadedProgram] = {}
        self._chosen: ChosenDevice | None = None
        self._problem: EngineError | None = None
        try:
            self._chosen = _chosen(begin.plugin, begin.plugin_index)
        except EngineError as error:
            self._problem = error  # for every client that comes
        self._device: DeviceLock | None = None

    @property
    def lanes(self) -> int:
        """Frames that the device executes at once: what its plugin says, or one per core."""
        lanes = 0 if self._chosen is None else self._chosen.lanes
        return min(_MOST_LANES, lanes if lanes > 0 else _usable_cores())

    def telemetry(self) -> DeviceTelemetry:
        """Read the device's sensors, where it has some."""
        return DeviceTelemetry() if self._chosen is None else self._chosen.telemetry()

    def name_of(self, key: str) -> str:
        """Return a loaded program's name; its key when it is not loaded."""
        program = self._loaded.get(key)
        return program.name if program is not None else key

    def use(self, key: str, name: str, fds: Sequence[int]) -> LoadedProgram:
        """Return the program whose bytes have the SHA-256 `key`; to be given back.

        Parameters
        ----------
        fds : descriptor of a file with the bytes, read when the program is not loaded yet.

        Raises
        ------
        EngineError
            When it cannot be loaded, or a process in local mode holds the device.
        """
        with self._lock:
            program = self._loaded.get(key)
            if program is None:
                self._hold_device()
                try:
                    program = self._loaded[key] = self._load(key, name, fds)
                finally:
                    self._release_device()  # only when nothing is loaded
            program.users += 1
            return program

    def give_back(self, program: LoadedProgram) -> None:
        """Note that one user is gone; after the last one the program's memory goes too."""
        with self._lock:
            program.users -= 1
            if program.users:
                return
            del self._loaded[program.key]
            program.close()
            self._release_device()

    def close(self) -> None:
        """Free everything."""
        with self._lock:
            for program in self._loaded.values():
                program.close()
            self._loaded = {}
            self._release_device()

    def _load(self, key: str, name: str, fds: Sequence[int]) -> LoadedProgram:
        data = _read_all(fds)
        if hashlib.sha256(data).hexdigest() != key:
            raise BrokenError(f"the bytes of program {name!r} are not those that were announced")
        if self._chosen is None:
            raise self._problem or BrokenError("the device has no plugin")
        dfp = Dfp(data)
        graphs = [dfp.graph(index) for index in range(len(dfp.models))]
        log.info("loading program %s on device %d", name, self._begin.device)
        return LoadedProgram.load(key, name, graphs, self._chosen)

    def _hold_device(self) -> None:
        if self._device is None:
            self._device = DeviceLock.take(
                self._begin.lock_path, device=self._begin.device, holder="the device manager"
            )

    def _release_device(self) -> None:
        if self._device is not None and not self._loaded:
            self._device.close()
            self._device = None


def _chosen(key: str, index: int) -> ChosenDevice:
    """Return a device without a probe: if it crashes, it does so in this process of its own."""
    places = find_plugins()
    if key not in places:
        raise PluginNotFoundError(
            f"there is no plugin {key!r}; installed are {', '.join(places)}", plugin=key
        )
    return ChosenDevice(import_plugin(places[key]), index)


def _read_all(fds: Sequence[int]) -> bytes:
    if len(fds) != 1:
        raise BrokenError("a program came without its bytes")
    size = os.fstat(fds[0]).st_size
    parts = []
    offset = 0
    while offset < size and (part := os.pread(fds[0], size - offset, offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
