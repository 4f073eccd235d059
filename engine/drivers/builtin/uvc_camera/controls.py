"""The controls of a Video4Linux device (exposure, gain, focus ...) as live parameters."""

import contextlib
import errno
import struct
from collections.abc import Callable, Iterator

import msgspec

from engine.config import ParameterValue
from engine.drivers.live import LiveParameter, find_parameter
from engine.errors import DriverError, InvalidArgumentError

__all__ = ("Ask", "Capability", "Control", "Controls", "capability", "control_of", "menu_entry_of")

Ask = Callable[[int, bytearray], object]
"""``ioctl`` on the open device: a request and its structure, which is changed in place."""

_QUERY_CAPABILITY = 0x80685600
_QUERY_CONTROL = 0xC0445624
_QUERY_MENU = 0xC02C5625
_GET_CONTROL = 0xC008561B
_SET_CONTROL = 0xC008561C

_CAPABILITY = struct.Struct("=16s32s32sIII12x")
_CONTROL = struct.Struct("=II32siiiiI8x")
_MENU = struct.Struct("=II32s4x")
_VALUE = struct.Struct("=Ii")

_NEXT = 0x80000000
_CAN_CAPTURE, _HAS_DEVICE_CAPABILITIES = 0x00000001, 0x80000000
_DISABLED, _GRABBED, _READ_ONLY, _UPDATE, _INACTIVE, _WRITE_ONLY = 1, 2, 4, 8, 0x10, 0x40
_INTEGER, _BOOLEAN, _MENU_TYPE, _BUTTON, _INTEGER_MENU = 1, 2, 3, 4, 9
_KINDS = {
    _INTEGER: "integer",
    _BOOLEAN: "boolean",
    _MENU_TYPE: "choice",
    _BUTTON: "command",
    _INTEGER_MENU: "choice",
}


class Capability(msgspec.Struct, frozen=True):
    """What a device says of itself."""

    driver: str
    card: str
    bus: str
    can_capture: bool


class Control(msgspec.Struct, frozen=True):
    """One control as the kernel describes it; `entries` are those of a menu, by their numbers."""

    number: int
    type: int
    label: str
    minimum: int
    maximum: int
    step: int
    flags: int
    entries: dict[int, str] = {}

    @property
    def name(self) -> str:
        """The name for project files: lower case, with underscores."""
        words = "".join(c if c.isalnum() else " " for c in self.label.lower()).split()
        return "_".join(words) or f"control_{self.number:x}"


def capability(ask: Ask) -> Capability:
    """Ask a device what it is; raises `OSError` when it is none of Video4Linux."""
    data = bytearray(_CAPABILITY.size)
    ask(_QUERY_CAPABILITY, data)
    driver, card, bus, _, everything, device = _CAPABILITY.unpack(data)
    found = device if everything & _HAS_DEVICE_CAPABILITIES else everything
    return Capability(_text(driver), _text(card), _text(bus), bool(found & _CAN_CAPTURE))


def control_of(data: bytes | bytearray) -> Control:
    """Read ``struct v4l2_queryctrl``."""
    number, kind, name, minimum, maximum, step, _, flags = _CONTROL.unpack(data)
    return Control(number, kind, _text(name), minimum, maximum, step, flags)


def menu_entry_of(data: bytes | bytearray, kind: int) -> str:
    """Read ``struct v4l2_querymenu``: a text, or a 64-bit number for menus of numbers."""
    _, _, name = _MENU.unpack(data)
    if kind == _INTEGER_MENU:
        return str(struct.unpack_from("=q", name)[0])
    return _text(name)


class Controls:
    """Reads and sets the controls of one open device.

    Parameters
    ----------
    device : what sentences call the camera.
    """

    def __init__(self, ask: Ask, device: str) -> None:
        self._ask = ask
        self._device = device
        self._known = {one.name: one for one in self._all()}

    def parameters(self) -> tuple[LiveParameter, ...]:
        """Read all controls."""
        return tuple(self._read(self._fresh(one)) for one in self._known.values())

    def find(self, name: str) -> LiveParameter | None:
        """Read one control; None when the camera has none of that name."""
        known = self._known.get(name)
        return None if known is None else self._read(self._fresh(known))

    def set_value(self, name: str, value: ParameterValue) -> None:
        """Set a control; raises `InvalidArgumentError` when the camera refuses it."""
        if name not in self._known:
            find_parameter(self.parameters(), name, device=self._device)
        control = self._known[name]
        number = _number_of(control, value)
        if number is None:
            raise InvalidArgumentError(f"{self._device} has no choice {value!r} for {name}")
        try:
            self._ask(_SET_CONTROL, bytearray(_VALUE.pack(control.number, number)))
        except OSError as error:
            raise InvalidArgumentError(
                f"{self._device} does not take {value!r} for {name}: {error.strerror}",
                parameter=name,
            ) from error

    def run(self, name: str) -> None:
        """Press a button."""
        self.set_value(name, 1)

    def _all(self) -> Iterator[Control]:
        number = 0
        while True:
            data = bytearray(_CONTROL.pack(number | _NEXT, 0, b"", 0, 0, 0, 0, 0))
            try:
                self._ask(_QUERY_CONTROL, data)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOTTY):
                    return  # that was the last one, or it has none at all
                raise DriverError(f"{self._device} is lost: {error.strerror}") from error
            control = control_of(data)
            if control.number <= number:
                return
            number = control.number
            if control.type in _KINDS and not control.flags & _DISABLED:
                yield msgspec.structs.replace(control, entries=self._entries(control))

    def _entries(self, control: Control) -> dict[int, str]:
        entries: dict[int, str] = {}
        if _KINDS[control.type] != "choice":
            return entries
        for index in range(control.minimum, min(control.maximum, control.minimum + 255) + 1):
            data = bytearray(_MENU.pack(control.number, index, b""))
            with contextlib.suppress(OSError):  # menus have holes
                self._ask(_QUERY_MENU, data)
                entries[index] = menu_entry_of(data, control.type)
        return entries

    def _fresh(self, control: Control) -> Control:
        """Ask again for limits and flags, which change with other controls."""
        data = bytearray(_CONTROL.pack(control.number, 0, b"", 0, 0, 0, 0, 0))
        try:
            self._ask(_QUERY_CONTROL, data)
        except OSError:
            return msgspec.structs.replace(control, flags=control.flags | _DISABLED)
        return msgspec.structs.replace(control_of(data), entries=control.entries)

    def _read(self, control: Control) -> LiveParameter:
        kind = _KINDS[control.type]
        is_number = control.type == _INTEGER
        return LiveParameter(
            name=control.name,
            kind=kind,
            label=control.label,
            value=self._value(control, kind),
            minimum=control.minimum if is_number else None,
            maximum=control.maximum if is_number else None,
            step=control.step if is_number else None,
            choices=tuple(control.entries.values()),
            access=_access(control),
            affects=tuple(one for one in self._known if one != control.name)
            if control.flags & _UPDATE
            else (),
        )

    def _value(self, control: Control, kind: str) -> str | int | bool | None:
        if kind == "command" or control.flags & (_WRITE_ONLY | _DISABLED):
            return None
        data = bytearray(_VALUE.pack(control.number, 0))
        try:
            self._ask(_GET_CONTROL, data)
        except OSError:
            return None
        number: int = _VALUE.unpack(data)[1]
        if kind == "choice":
            return control.entries.get(number)
        return bool(number) if kind == "boolean" else number


def _number_of(control: Control, value: ParameterValue) -> int | None:
    if isinstance(value, str):
        return {text: number for number, text in control.entries.items()}.get(value)
    return None if isinstance(value, list) else int(value)


def _access(control: Control) -> str:
    if control.flags & _DISABLED:
        return "na"
    if control.flags & (_READ_ONLY | _GRABBED | _INACTIVE):
        return "ro"
    return "wo" if control.flags & _WRITE_ONLY or control.type == _BUTTON else "rw"


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")
