"""In which order the devices of all plugins are numbered. Pure: nothing is probed or read here."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from engine.errors import DeviceNotFoundError, InvalidArgumentError
from engine.plugins.discovery import REFERENCE, PluginPlace
from engine.protocol import PluginDevice

__all__ = (
    "ListedDevice",
    "PluginDevices",
    "arrange",
    "describe",
    "parse_choice",
    "rank",
    "select",
)

# What has an accelerator is faster with it than on its processor. A kind that nobody knows stands
# between, because what it is cannot be told.
_KINDS = {"accelerator": 0, "gpu": 1, "npu": 2, "cpu": 4}
_OTHER_KIND = 3
_SIMULATED = "simulated"
_FULL_PRECISIONS = ("float32", "float64")
_REST = "*"

Rank = tuple[int, int, bool, bool]


class PluginDevices(msgspec.Struct, frozen=True):
    """The devices that a plugin has here."""

    place: PluginPlace
    precision: str
    devices: tuple[PluginDevice, ...]


class ListedDevice(msgspec.Struct, frozen=True):
    """A device in the list over all plugins.

    Attributes
    ----------
    id : its number in `device_ids`, from 0.
    plugin : key of the plugin that executes on it.
    index : its number within the plugin.
    kind : "cpu", "gpu", "npu", "accelerator", "simulated", or a word of the plugin's own.
    memory_bytes : 0 when it is not known.
    precision : the number format that is computed in.
    """

    id: int
    plugin: str
    index: int
    kind: str
    name: str
    memory_bytes: int = 0
    precision: str = "float32"


class _Numbered(Protocol):
    @property
    def plugin(self) -> str: ...

    @property
    def index(self) -> int: ...


_Device = TypeVar("_Device", bound=_Numbered)


def rank(place: PluginPlace, kind: str, precision: str) -> Rank:
    """Return what devices are sorted by: the smallest is the first.

    Devices that run any program come first: accelerators, graphics and neural processors before
    main processors, full precision before less, what came with Penstock before others. Then what
    is used only when it is named, because it is less exact; then what runs a vendor's programs
    alone; then what is simulated; and last the reference evaluator.
    """
    if place.key == REFERENCE:
        tier = 4
    elif kind == _SIMULATED:
        tier = 3
    elif place.is_foreign:
        tier = 2
    else:
        tier = int(place.is_on_request)
    return (
        tier,
        _KINDS.get(kind, _OTHER_KIND),
        precision not in _FULL_PRECISIONS,
        not place.is_built_in,
    )


def arrange(found: Iterable[PluginDevices]) -> tuple[ListedDevice, ...]:
    """Give all devices their numbers; equal ranks keep the order of `found`, then of indices."""
    ranked = [
        (rank(one.place, device.kind, one.precision), one, device)
        for one in found
        for device in sorted(one.devices, key=lambda device: device.index)
    ]
    ranked.sort(key=lambda item: item[0])
    return tuple(
        ListedDevice(
            number,
            one.place.key,
            device.index,
            device.kind,
            device.name,
            device.memory_bytes,
            one.precision,
        )
        for number, (_, one, device) in enumerate(ranked)
    )


def parse_choice(text: str) -> tuple[tuple[str, int | None], ...]:
    """Read a choice of devices: plugins, or devices of them, separated by commas.

    ``"openvino-cpu,simulator:1,*"`` is all devices of one plugin, then the second of another, then
    all the others in their usual order.

    Raises
    ------
    InvalidArgumentError
        When it cannot be read.
    """
    entries = []
    for entry in text.split(","):
        key, colon, number = entry.strip().partition(":")
        if not key or (colon and not number.isdecimal()):
            raise InvalidArgumentError(
                f"{text!r} is no choice of devices: {entry.strip()!r} is neither a plugin nor a "
                "device of one; write for example 'openvino-cpu,onnxruntime-cpu:0'"
            )
        entries.append((key, int(number) if colon else None))
    return tuple(entries)


def select(
    devices: Sequence[_Device], choice: Sequence[tuple[str, int | None]]
) -> tuple[_Device, ...]:
    """Return the chosen devices in the order of the choice, each once.

    Raises
    ------
    DeviceNotFoundError
        When an entry of the choice stands for no device.
    """
    taken: list[int] = []
    for key, index in choice:
        if key == _REST:
            taken += [place for place in range(len(devices)) if place not in taken]
            continue
        meant = [
            place
            for place, device in enumerate(devices)
            if device.plugin == key and index in (None, device.index)
        ]
        if not meant:
            raise DeviceNotFoundError(
                f"there is no device {key if index is None else f'{key}:{index}'}; there are "
                f"{describe(devices)}",
                plugin=key,
            )
        taken += [place for place in meant if place not in taken]
    return tuple(devices[place] for place in taken)


def describe(devices: Sequence[_Numbered]) -> str:
    """Name devices by number and place, for a sentence: ``0 (onnxruntime-cpu), 1 (mx3:1)``."""
    names = [f"{one.plugin}:{one.index}" if one.index else one.plugin for one in devices]
    return ", ".join(f"{number} ({name})" for number, name in enumerate(names)) or "none"
