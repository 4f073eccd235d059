"""The one list of devices that `device_ids` counts over."""

import os
from collections.abc import Sequence

import msgspec

from engine.errors import DeviceNotFoundError
from engine.plugins.chosen_device import ChosenDevice
from engine.plugins.device_order import ListedDevice, describe, parse_choice, select
from engine.plugins.registry import PluginRegistry

__all__ = ("ENVIRONMENT", "choice_of_user", "find_devices", "find_named", "list_devices")

ENVIRONMENT = "PENSTOCK_DEVICES"
"""Names the devices of the list in their order: ``openvino-cpu,onnxruntime-cpu:0,*``."""

Choice = tuple[tuple[str, int | None], ...]


def choice_of_user() -> Choice:
    """Return the devices that the user chose through the environment; empty without a choice.

    Raises
    ------
    InvalidArgumentError
        When the choice cannot be read.
    """
    text = os.environ.get(ENVIRONMENT, "").strip()
    return parse_choice(text) if text else ()


def list_devices(
    registry: PluginRegistry, choice: Choice = (), *, is_fresh: bool = False
) -> tuple[ListedDevice, ...]:
    """Return all devices of the plugins that are switched on and work here, in their order.

    Probes what nobody knows of; what was found before, by any process of this user, is remembered.
    With a choice only its devices are there, in its order, and only its plugins are probed.

    Parameters
    ----------
    choice : see `choice_of_user`.
    is_fresh : probe again what is remembered.

    Raises
    ------
    PluginNotFoundError, PluginUnavailableError
        When a plugin of the choice is not installed, is switched off, or does not work here.
    DeviceNotFoundError
        When a plugin of the choice has no such device.
    """
    named = [key for key, _ in choice if key != "*"]
    is_all = len(named) < len(choice) or not choice
    devices = registry.devices(None if is_all else named, is_fresh=is_fresh)
    if not choice:
        return devices
    for key in named:
        if all(device.plugin != key for device in devices):
            registry.choose(key)  # says why it cannot be used
    return _renumbered(select(devices, choice))


def find_devices(registry: PluginRegistry, device_ids: Sequence[int]) -> list[ChosenDevice]:
    """Return the devices of these numbers, ready to load programs.

    The first device is found without probing plugins that cannot come before it.

    Raises
    ------
    DeviceNotFoundError
        When there is no device of one of the numbers.
    PluginUnavailableError
        When no plugin works here.
    """
    choice = choice_of_user()
    if not choice and list(device_ids) == [0]:
        plugin = registry.choose()
        return [ChosenDevice(plugin, registry.first_index(plugin.key))]
    devices = list_devices(registry, choice)
    found = []
    for number in device_ids:
        if number >= len(devices):
            raise DeviceNotFoundError(
                f"there is no device {number}; there are {describe(devices)}", device=number
            )
        device = devices[number]
        found.append(ChosenDevice(registry.choose(device.plugin), device.index))
    return found


def find_named(registry: PluginRegistry, name: str) -> ChosenDevice:
    """Return the device of that name: a plugin's first, or with a colon and a number another.

    Raises
    ------
    InvalidArgumentError
        When the name cannot be read.
    PluginNotFoundError, PluginUnavailableError
        When the plugin is not installed, is switched off or does not work here.
    """
    key, index = parse_choice(name)[0]
    plugin = registry.choose(key)
    return ChosenDevice(plugin, registry.first_index(key) if index is None else index)


def _renumbered(devices: Sequence[ListedDevice]) -> tuple[ListedDevice, ...]:
    return tuple(
        msgspec.structs.replace(device, id=number) for number, device in enumerate(devices)
    )
