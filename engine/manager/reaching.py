"""One way to all managers: those of this machine, and those of others."""

from engine.errors import InvalidArgumentError
from engine.manager import control
from engine.manager.address import AnyAddress, ManagerAddress
from engine.manager.place import AnyControl
from engine.manager.status import ManagerStatus

__all__ = ("manager_status", "reach", "stop_manager")


def reach(address: AnyAddress) -> AnyControl:
    """Reach the manager of an address; one of this machine is started when there is none.

    Raises
    ------
    ManagerUnavailableError
        When there is none and none could be started, or it does not let us in.
    WrongStateError
        When the one that runs is of another version.
    """
    if isinstance(address, ManagerAddress):
        return control.Control.reach(address)
    # ZeroMQ is for those who use a network.
    from engine.manager.network.control import NetworkControl  # noqa: PLC0415

    return NetworkControl.reach(address)


def manager_status(address: AnyAddress) -> ManagerStatus | None:
    """Return the status of the manager of an address; None when there is none on this machine.

    Raises
    ------
    ManagerUnavailableError
        When the manager of another machine cannot be reached, or does not let us in.
    """
    if isinstance(address, ManagerAddress):
        return control.manager_status(address)
    away = reach(address)
    try:
        return away.status()
    finally:
        away.close()


def stop_manager(address: AnyAddress) -> int | None:
    """End the manager of an address, and return its process number; None when there is none.

    Raises
    ------
    InvalidArgumentError
        When it is on another machine.
    """
    if isinstance(address, ManagerAddress):
        return control.stop_manager(address)
    raise InvalidArgumentError(
        f"the device manager at {address} cannot be stopped over the network; run 'penstock "
        "manager stop' on its own machine"
    )
