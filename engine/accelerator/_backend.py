"""Where a program is executed: on a device of this process, or on one shared with others.

This is the only place that knows the difference.
"""

import logging
import os
from dataclasses import dataclass
from typing import Protocol

from engine.accelerator._genuine import choose_for, entries_of, host_plugin, lanes_of, load_model
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.dfp import Dfp
from engine.errors import DeviceNotFoundError
from engine.manager import (
    DeviceLock,
    ManagerUnavailableError,
    RemoteProgram,
    ShareSettings,
    find_address,
)
from engine.manager.address import PUBLISHED_FOLDER
from engine.plugins import (
    DeviceTelemetry,
    HasTelemetry,
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
    """A program on a device of this process."""

    def __init__(self, dfp: Dfp, device_ids: list[int], access: Access) -> None:
        self.sessions: list[Session] = []
        self._lock: DeviceLock | None = None
        self._plugin = plugin = _choose_plugin(dfp, device_ids)
        self.lanes = lanes_of(plugin)
        if access.local_mode and not access.ignore_manager:
            address = find_address(access.manager_addr, access.manager_port)
            path, device = address.device_lock_path(device_ids[0]), device_ids[0]
            self._lock = DeviceLock.take(path, device=device, holder="a program in local mode")
        try:
            for index, entry in enumerate(entries_of(dfp)):
                self.sessions.append(load_model(plugin, dfp, index, entry, device_ids))
        except BaseException:
            self.close()
            raise

    def host_plugin(self) -> ProcessingPlugin:
        """Return the plugin itself, where it takes ONNX."""
        return host_plugin(self._plugin)

    def telemetry(self, device_id: int) -> DeviceTelemetry:
        """Ask the plugin, where it measures something."""
        plugin = self._plugin
        if isinstance(plugin, HasTelemetry):
            return plugin.telemetry(device_id)
        return DeviceTelemetry()

    def interrupt(self) -> None:
        """Do nothing: a frame that is being executed cannot be interrupted."""

    def close(self) -> None:
        """Let go of the models and of the device."""
        for session in self.sessions:
            session.close()
        if self._lock is not None:
            self._lock.close()


class _Shared:
    """A program on devices that other processes use too."""

    def __init__(
        self, dfp: Dfp, device_ids: list[int], settings: ShareSettings, access: Access
    ) -> None:
        address = find_address(access.manager_addr, access.manager_port)
        self._program = RemoteProgram(dfp, device_ids, settings, address)
        self.sessions: list[Session] = list(self._program.sessions)
        self.lanes = self._program.links

    def host_plugin(self) -> ProcessingPlugin:
        """Return the best plugin of this process; the shared one is elsewhere."""
        return PluginRegistry().choose()

    def telemetry(self, device_id: int) -> DeviceTelemetry:
        """Ask the device manager."""
        return self._program.telemetry(device_id)

    def interrupt(self) -> None:
        """Wake threads that wait for a device."""
        self._program.interrupt()

    def close(self) -> None:
        """Give the places on the devices back."""
        self._program.close()


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
    if access.local_mode or access.ignore_manager or dfp.is_genuine:
        log.info("running in local mode on device %s", device_ids)
        return _Local(dfp, device_ids, access)
    settings = _settings_of(scheduler_options, client_options)
    try:
        shared = _Shared(dfp, device_ids, settings, access)
    except ManagerUnavailableError as error:
        if not access.is_default or len(device_ids) > 1:
            raise
        log.warning("running in local mode on device %s: %s", device_ids, error)
        return _Local(dfp, device_ids, access)
    log.info("running in shared mode on device %s", device_ids)
    return shared


def _settings_of(scheduler: SchedulerOptions, client: ClientOptions) -> ShareSettings:
    return ShareSettings(
        frame_limit=int(scheduler.frame_limit),
        time_limit_ms=float(scheduler.time_limit),
        stop_on_empty=bool(scheduler.stop_on_empty),
        weight=float(scheduler.weight),
        priority=int(scheduler.priority),
        fps_limit=float(client.fps_target) if client.smoothing else 0.0,
    )


def _choose_plugin(dfp: Dfp, device_ids: list[int]) -> ProcessingPlugin:
    registry = PluginRegistry()
    plugin = choose_for(dfp, registry)
    state = next(state for state in registry.states() if state.key == plugin.key)
    count = max(1, len(state.devices))
    for device_id in device_ids:
        if device_id >= count:
            raise DeviceNotFoundError(
                f"there is no device {device_id}; {plugin.name} has the devices 0 to {count - 1}",
                device=device_id,
            )
    return plugin
