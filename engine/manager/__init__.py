"""The device manager: lets many processes share devices.

A daemon per user hands out places, one worker process per device executes frames, and clients
exchange frames with the workers directly, through shared memory.

Names are loaded on first use: the daemon needs few of them, and no threads when it starts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.manager.address import (
        AnyAddress,
        ManagerAddress,
        NetworkAddress,
        default_address,
        find_address,
        find_folder,
    )
    from engine.manager.device_lock import DeviceLock
    from engine.manager.errors import (
        ManagerKeyError,
        ManagerLostError,
        ManagerUnavailableError,
    )
    from engine.manager.reaching import manager_status, stop_manager
    from engine.manager.remote import RemoteProgram
    from engine.manager.scheduler import Scheduler
    from engine.manager.sharing import ShareSettings
    from engine.manager.starting import IDLE_TIMEOUT_S, start_manager
    from engine.manager.status import ClientFigures, DeviceFigures, DeviceInfo, ManagerStatus

__all__ = (
    "IDLE_TIMEOUT_S",
    "AnyAddress",
    "ClientFigures",
    "DeviceFigures",
    "DeviceInfo",
    "DeviceLock",
    "ManagerAddress",
    "ManagerKeyError",
    "ManagerLostError",
    "ManagerStatus",
    "ManagerUnavailableError",
    "NetworkAddress",
    "RemoteProgram",
    "Scheduler",
    "ShareSettings",
    "default_address",
    "find_address",
    "find_folder",
    "manager_status",
    "start_manager",
    "stop_manager",
)

_HOMES = {
    "AnyAddress": "engine.manager.address",
    "ClientFigures": "engine.manager.status",
    "DeviceFigures": "engine.manager.status",
    "DeviceInfo": "engine.manager.status",
    "DeviceLock": "engine.manager.device_lock",
    "IDLE_TIMEOUT_S": "engine.manager.starting",
    "ManagerAddress": "engine.manager.address",
    "ManagerKeyError": "engine.manager.errors",
    "ManagerLostError": "engine.manager.errors",
    "ManagerStatus": "engine.manager.status",
    "ManagerUnavailableError": "engine.manager.errors",
    "NetworkAddress": "engine.manager.address",
    "RemoteProgram": "engine.manager.remote",
    "Scheduler": "engine.manager.scheduler",
    "ShareSettings": "engine.manager.sharing",
    "default_address": "engine.manager.address",
    "find_address": "engine.manager.address",
    "find_folder": "engine.manager.address",
    "manager_status": "engine.manager.reaching",
    "start_manager": "engine.manager.starting",
    "stop_manager": "engine.manager.reaching",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type depends on the name
    if name not in _HOMES:
        raise AttributeError(f"module 'engine.manager' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
