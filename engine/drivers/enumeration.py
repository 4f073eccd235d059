"""Loads one driver in a process of its own and asks it for its devices.

A driver of version 2 that can tell has a method ``devices``. One of version 1 may have a method
``enumerate_devices``, which returns pairs of texts: an id that its parameter ``device_id`` takes,
and a name for people. All others are listed with one device, and only connecting tells whether it
is there.

Started as ``python -m engine.drivers.enumeration FOLDER MODULE NAME API_VERSION PARENT``, or as
``penstock-driver-host --enumerate`` with the same arguments. Prints a greeting, then one line of
JSON; what the driver itself prints goes to the standard error. A driver that is an
executable is started with the argument ``--devices`` and prints the same line itself.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from engine.drivers.base import BaseDriver
from engine.drivers.live import DeviceInfo
from engine.drivers.loading import load_driver
from engine.errors import DriverError, EngineError
from engine.process import leave_with_parent

__all__ = ("ANSWER_LIMIT_BYTES", "ENUMERATE", "GREETING", "Answer", "main")

ENUMERATE = "--enumerate"
"""First argument of a driver host that is to list devices."""

GREETING = b"penstock-driver-host\n"
"""Printed before a driver is loaded: whoever does not say it is no driver host."""

ANSWER_LIMIT_BYTES = 60_000
"""What a pipe holds without a reader, less some room."""


class Answer(msgspec.Struct, frozen=True):
    """What the child prints: devices, or what went wrong while loading or enumerating."""

    devices: tuple[DeviceInfo, ...] = ()
    load_problem: str = ""
    enumeration_problem: str = ""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Load the driver named on the command line and print what it knows; ends the process."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    folder, module, name, api_version, parent = (sys.argv[1:] if argv is None else argv)[:5]
    os.write(answer_fd, GREETING)
    leave_with_parent(int(parent))
    answer = _ask(Path(folder), module, name, int(api_version))
    os.write(answer_fd, _packed(answer) + b"\n")
    # What a driver does while Python ends is no part of the answer, and may hang.
    os._exit(0)


def _packed(answer: Answer) -> bytes:
    """Return the answer as JSON; devices beyond the limit are left out, texts are cut."""
    data = msgspec.json.encode(answer)
    while len(data) > ANSWER_LIMIT_BYTES:
        answer = Answer(
            answer.devices[: len(answer.devices) // 2],
            answer.load_problem[:2000],
            answer.enumeration_problem[:2000],
        )
        data = msgspec.json.encode(answer)
    return data


def _ask(folder: Path, module: str, name: str, api_version: int) -> Answer:
    try:
        driver = load_driver(folder, module, name)
    except DriverError as error:
        return Answer(load_problem=error.message)
    try:
        return Answer(_devices(driver, name, api_version))
    except EngineError as error:
        return Answer(enumeration_problem=error.message)
    except Exception as error:  # noqa: BLE001 - the driver's own code
        return Answer(enumeration_problem=f"{type(error).__name__}: {error}")


def _devices(driver: BaseDriver, name: str, api_version: int) -> tuple[DeviceInfo, ...]:
    if api_version >= 2 and type(driver).devices is not BaseDriver.devices:
        return tuple(msgspec.convert(list(driver.devices()), list[DeviceInfo]))
    enumerate_devices: Callable[[], Iterable[Any]] | None = getattr(
        driver, "enumerate_devices", None
    )
    if enumerate_devices is None:  # only connecting will tell whether its device is there
        return (DeviceInfo(name, name),)
    return tuple(DeviceInfo(str(one), str(text)) for one, text in enumerate_devices())


if __name__ == "__main__":
    main()
