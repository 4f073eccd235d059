"""Where a program is executed: on a device of this process, or on one shared with others.

This is the only place that knows the difference.
"""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from engine.accelerator._genuine import entries_of, find_for, host_plugin, lanes_of, load_model
from engine.accelerator._pool import DevicePool, PooledDevice
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.dfp import Dfp
from engine.lanes import usable_cores
from engine.manager import (
    DeviceLock,
    ManagerUnavailableError,
    RemoteProgram,
    ShareSettings,
    find_address,
)
from engine.manager.address import PUBLISHED_FOLDER, find_folder
from engine.manager.devices import lock_name
from engine.plugins import (
    ChosenDevice,
    DeviceTelemetry,
    PluginRegistry,
    ProcessingPlugin,
    Session,
)

__all__ = ("Access", "Backend", "open_backend")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """How a caller wants to get at devices, in the words of the published arguments."""

    local_mode: bool
    manager_addr: str | os.PathLike[str]
    manager_port: int
    ignore_manager: bool

    @property
    def is_default(self) -> bool:
        """Whether nobody said where the manager is."""
        return self.manager_addr == PUBLISHED_FOLDER


class Backend(Protocol):
    """A program that is loaded.

    Attributes
    ----------
    sessions : one per model.
    lanes : frames worth having under way at once; 0 is one per core.
    """

    sessions: list[Session]
    lanes: int

    def host_plugin(self) -> ProcessingPlugin:
        """Return what executes models beside the program, in this process."""
        ...

    def telemetry(self, device_id: int) -> DeviceTelemetry:
        """Read the sensors of a device in use."""
        ...

    def interrupt(self) -> None:
        """Wake threads that wait for a device."""
        ...

    def close(self) -> None:
        """Free the devices. Safe to call twice."""
        ...


class _Local:
    """A program on devices of this process."""

    def __init__(self, dfp: Dfp, device_ids: list[int], access: Access, depth: int) -> None:
        self._loaded: list[Session] = []
        self._lock: DeviceLock | None = None
        self._pool: DevicePool | None = None
        self._devices = find_for(dfp, PluginRegistry(), device_ids)
        self._first = self._devices[device_ids[0]]
        self.lanes = lanes_of(self._first, dfp)
        if access.local_mode and not access.ignore_manager:
            address = find_folder(access.manager_addr, access.manager_port)
            path = address.device_lock_path(lock_name(self._first.key, self._first.index))
            self._lock = DeviceLock.take(
                path, device=device_ids[0], holder="a program in local mode"
            )
        try:
            if len(self._devices) == 1 or dfp.is_genuine:
                self.sessions = self._load_on(self._first, dfp)
            else:
                self._pool = self._open_pool(dfp, depth)
                self.sessions, self.lanes = self._pool.sessions, self._pool.capacity
        except BaseException:
            self.close()
            raise

    def host_plugin(self) -> ProcessingPlugin:
        """Return the first device's plugin, where it takes ONNX."""
        return host_plugin(self._first.plugin)

    def telemetry(self, device_id: int) -> DeviceTelemetry:
        """Ask the device's plugin, where it measures something."""
        return self._devices[device_id].telemetry()

    def interrupt(self) -> None:
        """Wake threads that wait for a device; a frame that is executed cannot be interrupted."""
        if self._pool is not None:
            self._pool.interrupt()

    def close(self) -> None:
        """Let go of the models and of the device."""
        self.interrupt()
        for session in self._loaded:
            session.close()
        if self._lock is not None:
            self._lock.close()

    def _load_on(self, device: ChosenDevice, dfp: Dfp) -> list[Session]:
        sessions = []
        for index, entry in enumerate(entries_of(dfp)):
            sessions.append(load_model(device, dfp, index, entry, list(self._devices)))
            self._loaded.append(sessions[-1])
        return sessions

    def _open_pool(self, dfp: Dfp, depth: int) -> DevicePool:
        devices = [
            PooledDevice(
                number, lanes_of(device, dfp) or usable_cores(), self._load_on(device, dfp)
            )
            for number, device in self._devices.items()
        ]
        return DevicePool(devices, depth=depth)


class _Shared:
    """A program on devices that other processes use too."""

    def __init__(
        self,
        dfp: Dfp,
        device_ids: list[int],
        settings: ShareSettings,
        access: Access,
        depth: int,
    ) -> None:
        self._device_ids = device_ids
        self._programs: dict[int, RemoteProgram] = {}
        self._pool: DevicePool | None = None
        address = find_address(access.manager_addr, access.manager_port)
        is_left_to_it = len(device_ids) == 1

        def open_on(number: int) -> None:
            self._programs[number] = RemoteProgram(
                dfp, [number], settings, address, may_go_where_tuned=is_left_to_it
            )

        try:
            open_on(device_ids[0])  # which starts the manager, if need be
            _at_once(open_on, device_ids[1:])  # each waits for the start of a worker
            self.sessions, self.lanes = self._open_pool(depth)
        except BaseException:
            self.close()
            raise

    def host_plugin(self) -> ProcessingPlugin:
        """Return the best plugin of this process; the shared one is elsewhere."""
        return PluginRegistry().choose()

    def telemetry(self, device_id: int) -> DeviceTelemetry:
        """Ask the device manager."""
        return self._programs[device_id].telemetry(device_id)

    def interrupt(self) -> None:
        """Wake threads that wait for a device."""
        if self._pool is not None:
            self._pool.interrupt()
        for program in self._programs.values():
            program.interrupt()

    def close(self) -> None:
        """Give the places on the devices back."""
        self.interrupt()
        for program in self._programs.values():
            program.close()

    def _open_pool(self, depth: int) -> tuple[list[Session], int]:
        """Return sessions and lanes: of the one device, or of all together."""
        programs = [(number, self._programs[number]) for number in self._device_ids]
        if len(programs) == 1:
            program = programs[0][1]
            return list(program.sessions), program.links
        self._pool = DevicePool(
            [PooledDevice(number, one.links, one.sessions) for number, one in programs],
            depth=depth,
        )
        return self._pool.sessions, self._pool.capacity


def open_backend(
    dfp: Dfp,
    device_ids: list[int],
    access: Access,
    scheduler_options: SchedulerOptions,
    client_options: ClientOptions,
) -> Backend:
    """Load a program where the caller wants it.

    Without a word about where, it goes to the device manager, and stays in this process when
    there is none and none can be started. A genuine DFP goes to its vendor's runtime, which
    shares cards in its own way.
    """
    depth = max(1, scheduler_options.ifmap_queue_size)
    if access.local_mode or access.ignore_manager or dfp.is_genuine:
        log.info("running in local mode on device %s", device_ids)
        return _Local(dfp, device_ids, access, depth)
    settings = _settings_of(scheduler_options, client_options)
    try:
        shared = _Shared(dfp, device_ids, settings, access, depth)
    except ManagerUnavailableError as error:
        if not access.is_default:
            raise
        log.warning("running in local mode on device %s: %s", device_ids, error)
        return _Local(dfp, device_ids, access, depth)
    log.info("running in shared mode on device %s", device_ids)
    return shared


def _at_once(call: Callable[[int], None], numbers: list[int]) -> None:
    """Call for all numbers in threads, and wait for all; raises what the first of them raised."""
    if numbers:
        with ThreadPoolExecutor(len(numbers), "open-device") as pool:
            list(pool.map(call, numbers))


def _settings_of(scheduler: SchedulerOptions, client: ClientOptions) -> ShareSettings:
    return ShareSettings(
        frame_limit=int(scheduler.frame_limit),
        time_limit_ms=float(scheduler.time_limit),
        stop_on_empty=bool(scheduler.stop_on_empty),
        weight=float(scheduler.weight),
        priority=int(scheduler.priority),
        fps_limit=float(client.fps_target) if client.smoothing else 0.0,
    )
