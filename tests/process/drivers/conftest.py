"""Third-party drivers written by the tests, and processes that run them."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.drivers import DriverCatalog, DriverEntry, DriverProcess

MANIFEST = """
name = "{name}"
label = "Test"
[[parameters]]
name = "rate_hz"
label = "Rate"
kind = "number"
default = 100.0
[[parameters]]
name = "frames"
label = "Frames until the end"
kind = "integer"
default = 0
"""

CODE = """
import logging, os, signal, sys, time
import numpy as np
from engine.drivers import BaseDriver
from engine.errors import EndOfStreamError, MediaError
from engine.protocol import FrameFormat, FrameKind, Truth, TruthObject

log = logging.getLogger("driver.test")


class Driver(BaseDriver):
    number = 0

    def open(self, parameters):
        self.frames = parameters["frames"]
        {open}
        rate_hz = float(parameters["rate_hz"])
        return FrameFormat(FrameKind.IMAGE, (4, 6, 3), "uint8", rate_hz=rate_hz)

    def read(self, out):
        {read}
        if self.frames and self.number >= self.frames:
            raise EndOfStreamError("no more")
        out[...] = self.number % 256
        self.number += 1
        return Truth(objects=(TruthObject("number", x=float(self.number - 1)),))

    def close(self):
        {close}
"""


@pytest.fixture
def make_driver(tmp_path: Path) -> Callable[..., DriverEntry]:
    """Write a driver whose frame i is filled with i; code can be put into its methods."""

    def write(
        *,
        name: str = "test",
        code: str = CODE,
        open: str = "pass",  # noqa: A002 - named after the driver's method
        read: str = "pass",
        close: str = "pass",
    ) -> DriverEntry:
        folder = tmp_path / "drivers" / name
        folder.mkdir(parents=True)
        (folder / "manifest.toml").write_text(MANIFEST.format(name=name))
        parts = {"open": open, "read": read, "close": close}
        for place, text in parts.items():
            lines = textwrap.indent(textwrap.dedent(text), " " * 8).strip()
            code = code.replace("{" + place + "}", lines)
        (folder / "driver.py").write_text(code)
        return DriverCatalog([folder]).get(name)

    return write


@pytest.fixture
def run_driver() -> Iterator[Callable[..., DriverProcess]]:
    """Make driver processes that are stopped when the test ends."""
    made: list[DriverProcess] = []

    def make(entry: DriverEntry, parameters: dict[str, Any] | None = None, **options: Any) -> Any:
        made.append(DriverProcess(entry, parameters or {}, stream="s1", **options))
        return made[-1]

    yield make
    for process in made:
        process.stop()
