"""Loads one driver in a process of its own and asks it for its devices.

A driver that can tell has a method ``enumerate_devices``, which returns pairs of texts: an id that
its parameter ``device_id`` takes, and a name for people. All others are listed with one device,
and only connecting tells whether it is there.

Started as ``python -m engine.drivers.enumeration FOLDER MODULE NAME PARENT``. Prints one line
of JSON; what the driver itself prints goes to the standard error.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from engine.drivers.loading import load_driver
from engine.errors import DriverError
from engine.process import leave_with_parent

__all__ = ("Answer", "FoundDevice", "main")


class FoundDevice(msgspec.Struct, frozen=True):
    """A device a driver knows of."""

    device_id: str
    name: str


class Answer(msgspec.Struct, frozen=True):
    """What the child prints: devices, or what went wrong while loading or enumerating."""

    devices: tuple[FoundDevice, ...] = ()
    load_problem: str = ""
    enumeration_problem: str = ""


def main() -> None:
    """Load the driver named on the command line and print what it knows."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    folder, module, name, parent = sys.argv[1:5]
    leave_with_parent(int(parent))
    os.write(answer_fd, msgspec.json.encode(_ask(Path(folder), module, name))[:60_000] + b"\n")
    # What a driver does while Python ends is no part of the answer, and may hang.
    os._exit(0)


def _ask(folder: Path, module: str, name: str) -> Answer:
    try:
        driver = load_driver(folder, module, name)
    except DriverError as error:
        return Answer(load_problem=error.message)
    enumerate_devices: Callable[[], Iterable[Any]] | None = getattr(
        driver, "enumerate_devices", None
    )
    if enumerate_devices is None:  # only connecting will tell whether its device is there
        return Answer((FoundDevice(name, name),))
    try:
        return Answer(tuple(FoundDevice(str(one), str(text)) for one, text in enumerate_devices()))
    except Exception as error:  # noqa: BLE001 - the driver's own code
        return Answer(enumeration_problem=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
