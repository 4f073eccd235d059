"""Which devices a manager shares."""

from collections.abc import Sequence

from engine.errors import InvalidArgumentError
from engine.manager.status import DeviceInfo
from engine.plugins import PluginRegistry

__all__ = ("default_devices", "devices_from")


def default_devices() -> tuple[DeviceInfo, ...]:
    """Return the devices of the plugin that is used when nobody says otherwise."""
    return devices_from([PluginRegistry().choose().key])


def devices_from(plugins: Sequence[str]) -> tuple[DeviceInfo, ...]:
    """Return one device per plugin key, numbered in this order.

    Raises
    ------
    InvalidArgumentError
        When there is none.
    """
    if not plugins:
        raise InvalidArgumentError("a device manager needs a device; name at least one plugin")
    return tuple(DeviceInfo(index, key) for index, key in enumerate(plugins))
