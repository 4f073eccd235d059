"""Every way in which a driver can break, at every place where its code runs.

Whatever it does, the engine hears of it in words, within a time that it chose, and no process,
thread, descriptor or segment is left (the last is checked after every test).
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.drivers import (
    DiscoveryState,
    DriverCatalog,
    DriverEntry,
    DriverProcess,
    Ended,
    Failed,
    FrameReady,
    discover_devices,
)
from engine.errors import DriverCrashedError, DriverError, DriverTimeoutError, EngineError
from engine.protocol import LogEntry

pytestmark = [pytest.mark.slow, pytest.mark.expected_log]

WAYS = {
    "raise": "raise ValueError('no power')",
    "exit": "sys.exit(3)",
    "segfault": "os.kill(os.getpid(), signal.SIGSEGV)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "hang": "threading.Event().wait(300)",
    "flood": "for _ in range(100): sys.stderr.write('z' * 50000)",
}
DEATHS = {"segfault": "was killed by SIGSEGV", "kill": "was killed by SIGKILL"}
WAIT_S = 15.0
HANG_S = 1.5

MANIFEST = 'name = "test"\nlabel = "Test"\n'
CODE = """
import os, signal, sys, threading
from engine.drivers import BaseDriver
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind

{start}

class Driver(BaseDriver):
    number = 0

    def enumerate_devices(self):
        {enumerate}
        return [("a", "Camera A")]

    def open(self, parameters):
        {connect}
        return FrameFormat(FrameKind.IMAGE, (4, 6, 3), "uint8", rate_hz=100.0)

    def read(self, out):
        if self.number == 3:
            {acquire}
        if self.number == 5:
            raise EndOfStreamError("no more")
        out[...] = self.number
        self.number += 1

    def close(self):
        {stop}
"""
PLACES = ("start", "enumerate", "connect", "acquire", "stop")


@dataclass
class Outcome:
    """What the engine got to know."""

    frames: int = 0
    end: Ended | None = None
    error: EngineError | None = None
    stop_s: float = 0.0
    is_clean: bool = False
    logs: list[LogEntry] = field(default_factory=list)


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, str], DriverEntry]:
    """Write a driver that breaks at a place in a way."""

    def write(place: str, way: str) -> DriverEntry:
        folder = tmp_path / "test"
        folder.mkdir()
        (folder / "manifest.toml").write_text(MANIFEST)
        texts = {one: WAYS[way] if one == place else "pass" for one in PLACES}
        (folder / "driver.py").write_text(CODE.format(**texts))
        return DriverCatalog([folder]).get("test")

    return write


def live(run_driver: Any, entry: DriverEntry, *, start_timeout_s: float = WAIT_S) -> Outcome:
    """Run a driver from its start to its end."""
    found = Outcome()
    process = run_driver(entry, start_timeout_s=start_timeout_s, on_log=found.logs.append)
    try:
        process.start()
        drain(process, found)
    except EngineError as error:
        found.error = error
    pid = process.pid
    begun = time.monotonic()
    outcome = process.stop(grace_s=HANG_S)
    found.stop_s = time.monotonic() - begun
    found.is_clean = outcome is not None and outcome.is_clean
    assert not (pid and psutil.pid_exists(pid))
    return found


def drain(process: DriverProcess, found: Outcome) -> None:
    """Take frames until something else happens, or nothing for a while."""
    while isinstance(event := process.receive(HANG_S), FrameReady):
        process.frame(event.slot)
        process.free(event.slot)
        found.frames += 1
    if isinstance(event, Failed):
        raise event.to_error()
    found.end = event


def told(error: EngineError | None, kind: type[EngineError], words: str) -> None:
    assert type(error) is kind, error
    assert re.search(words, error.message), error.message


def died(way: str, error: EngineError | None, doing: str) -> None:
    """Check the sentence about a driver that raised, left, or was killed."""
    if way in DEATHS:
        told(error, DriverCrashedError, DEATHS[way])
    else:
        words = {"raise": "ValueError: no power", "exit": "SystemExit: 3"}[way]
        told(error, DriverError, f"{doing}.*{words}")


def went_well(found: Outcome) -> None:
    assert (found.frames, found.end, found.error, found.is_clean) == (5, Ended(5), None, True)


@pytest.mark.parametrize("way", WAYS)
def test_while_its_code_is_loaded(way: str, broken: Any, run_driver: Any) -> None:
    timeout_s = HANG_S if way == "hang" else WAIT_S
    found = live(run_driver, broken("start", way), start_timeout_s=timeout_s)

    if way == "flood":
        went_well(found)
    elif way == "hang":
        told(found.error, DriverTimeoutError, f"did not open its source within {HANG_S:g} s")
    else:
        died(way, found.error, "being loaded|cannot be loaded")


ENUMERATED: Mapping[str, tuple[DiscoveryState, str]] = {
    "raise": (DiscoveryState.ENUMERATION_ERROR, "no power"),
    "exit": (DiscoveryState.CRASHED, "exit code 3"),
    "segfault": (DiscoveryState.CRASHED, "SIGSEGV"),
    "kill": (DiscoveryState.CRASHED, "SIGKILL"),
    "hang": (DiscoveryState.LOAD_TIMEOUT, f"did not answer within {HANG_S:g} s"),
    "flood": (DiscoveryState.OK, ""),
}


@pytest.mark.parametrize("way", WAYS)
def test_while_its_devices_are_listed(way: str, broken: Any) -> None:
    before = psutil.Process().children(recursive=True)
    begun = time.monotonic()
    [found] = discover_devices([broken("enumerate", way)], HANG_S if way == "hang" else WAIT_S)

    state, words = ENUMERATED[way]
    assert found.state is state
    assert words in found.problem
    assert len(found.devices) == (way == "flood")
    assert time.monotonic() - begun < WAIT_S
    assert psutil.Process().children(recursive=True) == before


@pytest.mark.parametrize("way", WAYS)
def test_while_it_connects(way: str, broken: Any, run_driver: Any) -> None:
    timeout_s = HANG_S if way == "hang" else WAIT_S
    found = live(run_driver, broken("connect", way), start_timeout_s=timeout_s)

    if way == "flood":
        went_well(found)
    elif way == "hang":
        told(found.error, DriverTimeoutError, f"did not open its source within {HANG_S:g} s")
    else:
        died(way, found.error, "opening its source")


@pytest.mark.parametrize("way", WAYS)
def test_while_it_acquires(way: str, broken: Any, run_driver: Any) -> None:
    found = live(run_driver, broken("acquire", way))

    if way == "flood":
        went_well(found)
        return
    assert found.frames == 3  # what was delivered before is not lost
    if way == "hang":
        assert (found.end, found.error) == (None, None)
        assert not found.is_clean
        assert found.stop_s < WAIT_S
    else:
        died(way, found.error, "reading a frame")


@pytest.mark.parametrize("way", WAYS)
def test_while_it_stops(way: str, broken: Any, run_driver: Any) -> None:
    found = live(run_driver, broken("stop", way))

    assert (found.frames, found.end, found.error) == (5, Ended(5), None)
    assert found.is_clean == (way == "flood")
    assert found.stop_s < WAIT_S
    if way in ("raise", "exit"):
        assert any("could not close its source" in one.message for one in found.logs)


@pytest.mark.parametrize("answer", [r'{"load_problem": "\200"}', "{", "[1]", "", "null"])
def test_a_program_that_answers_nonsense_hides_no_other_driver(
    answer: str, broken: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    manifest = 'name = "program"\nlabel = "P"\napi_version = 2\nexecutable = "run"\n'
    (folder / "manifest.toml").write_text(manifest)
    (folder / "run").write_text(f"#!/bin/sh\nprintf '{answer}'\n")
    (folder / "run").chmod(0o755)
    program = DriverCatalog([folder]).get("program")

    found = discover_devices([program, broken("enumerate", "flood")], WAIT_S)

    assert [one.state for one in found] == [DiscoveryState.CRASHED, DiscoveryState.OK]
