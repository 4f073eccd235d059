"""Which devices a manager shares, and which of them a program means."""

from collections.abc import Sequence

from engine.errors import DeviceNotFoundError, InvalidArgumentError
from engine.manager.status import DeviceInfo
from engine.plugins import ListedDevice, PluginRegistry, list_devices
from engine.plugins.device_list import choice_of_user
from engine.plugins.device_order import describe, parse_choice, select

__all__ = ("default_devices", "devices_from", "lock_name", "lock_names", "numbers_of")


def default_devices() -> tuple[DeviceInfo, ...]:
    """Return all devices of the list.

    What a program's user chose for it does not count here: all programs of the user share the
    manager, and each one's own choice is applied to what the manager shares.
    """
    return tuple(_info(number, one) for number, one in enumerate(list_devices(PluginRegistry())))


def devices_from(names: Sequence[str]) -> tuple[DeviceInfo, ...]:
    """Return the devices of these names, numbered in this order.

    Parameters
    ----------
    names : keys of plugins, each for all devices of the plugin, or a key, a colon and the number
        of one device. One that is named twice is there twice, with a worker for each.

    Raises
    ------
    InvalidArgumentError
        When there is none, or a name cannot be read.
    PluginNotFoundError, PluginUnavailableError, DeviceNotFoundError
        When there is nothing of that name.
    """
    if not names:
        raise InvalidArgumentError("a device manager needs a device; name at least one plugin")
    registry = PluginRegistry()
    found: list[ListedDevice] = []
    for name in names:
        found += _named(registry, name)
    return tuple(_info(number, one) for number, one in enumerate(found))


def numbers_of(devices: Sequence[DeviceInfo], device_ids: Sequence[int]) -> list[int]:
    """Return the manager's numbers of the devices that a program means.

    Parameters
    ----------
    devices : what the manager shares.
    device_ids : count over that, or over what the program's user chose of it.

    Raises
    ------
    DeviceNotFoundError
        When there is no device of one of the numbers, or the manager does not share a chosen one.
    """
    choice = choice_of_user()
    meant: Sequence[ListedDevice] = [_listed(info) for info in devices]
    if choice:
        meant = select(meant, choice)
    for device_id in device_ids:
        if device_id >= len(meant):
            raise DeviceNotFoundError(
                f"there is no device {device_id}; the device manager has {describe(meant)}",
                device=device_id,
            )
    return [meant[device_id].id for device_id in device_ids]


def lock_names(devices: Sequence[DeviceInfo]) -> dict[int, str]:
    """Return under which name each device is locked, by number.

    The name says what the device is, not which number it has: processes may count differently.
    """
    names: dict[int, str] = {}
    for info in devices:
        name = lock_name(info.plugin, info.plugin_index)
        again = sum(known.split("+")[0] == name for known in names.values())
        names[info.index] = f"{name}+{again}" if again else name
    return names


def lock_name(plugin: str, index: int) -> str:
    """Return under which name a plugin's device is locked."""
    return f"{''.join(c if c.isalnum() or c in '._-' else '_' for c in plugin)}-{index}"


def _named(registry: PluginRegistry, name: str) -> Sequence[ListedDevice]:
    ((key, index),) = parse_choice(name)
    if index is None:
        return list_devices(registry, ((key, None),))
    # Whoever names a device by number knows it: its worker finds out without a probe.
    known = next((s for s in registry.states() if s.key == key), None)
    if known is None:
        registry.choose(key)  # says which plugins there are
    return [ListedDevice(0, key, index, "", "", precision=known.precision if known else "")]


def _info(number: int, device: ListedDevice) -> DeviceInfo:
    return DeviceInfo(
        number,
        device.plugin,
        device.index,
        device.kind,
        device.name,
        device.memory_bytes,
        device.precision,
    )


def _listed(info: DeviceInfo) -> ListedDevice:
    return ListedDevice(
        info.index,
        info.plugin,
        info.plugin_index,
        info.kind,
        info.name,
        info.memory_bytes,
        info.precision,
    )
