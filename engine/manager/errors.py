"""Errors of the device manager."""

from engine.errors import BrokenError, EngineError

__all__ = ("ManagerKeyError", "ManagerLostError", "ManagerUnavailableError")


class ManagerLostError(BrokenError):
    """The device manager ended while it was used; the next call starts or finds another one."""

    code = "manager_lost"


class ManagerUnavailableError(EngineError, RuntimeError):
    """There is no device manager here, and none could be started."""

    code = "manager_unavailable"


class ManagerKeyError(ManagerUnavailableError):
    """A key for a device manager over a network is missing, unusable, or not the right one."""

    code = "manager_key"
