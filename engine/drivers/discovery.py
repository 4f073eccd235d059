"""Asks many drivers for their devices at once, each in a process of its own."""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from engine.drivers.enumeration import ANSWER_LIMIT_BYTES, ENUMERATE, GREETING, Answer
from engine.drivers.live import DeviceInfo
from engine.drivers.manifest import DriverEntry
from engine.errors import EngineError
from engine.process import ChildProcess, Deadline, python_command, wait_readable
from engine.protocol import unpack

__all__ = ("Discovery", "DiscoveryState", "discover_devices")

_CHILD = "engine.drivers.enumeration"
_answer_decoder = msgspec.json.Decoder(Answer)


class DiscoveryState(StrEnum):
    """How a driver fared when it was asked for its devices."""

    OK = "ok"
    LOAD_TIMEOUT = "load_timeout"
    LOAD_ERROR = "load_error"
    ENUMERATION_ERROR = "enumeration_error"
    CRASHED = "crashed"
    UNKNOWN = "unknown"


class Discovery(msgspec.Struct, frozen=True):
    """The devices of one driver; `problem` is a sentence unless the state is OK."""

    driver: str
    state: DiscoveryState
    problem: str = ""
    devices: tuple[DeviceInfo, ...] = ()


def discover_devices(
    entries: Sequence[DriverEntry],
    timeout_s: float,
    *,
    isolation_executable: Path | None = None,
    returns_early: bool = True,
    stop_fd: int = -1,
) -> list[Discovery]:
    """Return how every driver fared, in the same order; no process is left behind.

    Parameters
    ----------
    timeout_s : cameras in a network need 3 to 4 seconds.
    isolation_executable : the program that is to run drivers, with the arguments of
        ``penstock-driver-host``; None for our own. Drivers that are executables run themselves.
    returns_early : do not wait for the time-out when all have answered.
    stop_fd : a descriptor; when it becomes readable, nobody is waited for any longer.
    """
    deadline = Deadline(timeout_s)
    missing = isolation_executable is not None and not os.access(isolation_executable, os.X_OK)
    found: dict[int, Discovery] = {}
    children: dict[int, ChildProcess] = {}
    try:
        for place, entry in enumerate(entries):
            problem = entry.problem
            if missing:
                problem = f"the isolation executable {isolation_executable} cannot be started"
            if problem:
                found[place] = Discovery(entry.name, DiscoveryState.LOAD_ERROR, problem)
                continue
            try:
                children[place] = _start(entry, isolation_executable)
            except (EngineError, OSError) as error:
                is_ours = not entry.executable and isolation_executable is None
                state = DiscoveryState.UNKNOWN if is_ours else DiscoveryState.LOAD_ERROR
                found[place] = Discovery(entry.name, state, str(error))
        for place in _ended(children, deadline, stop_fd):
            found[place] = _judge(entries[place], children[place], isolation_executable)
        for place in children.keys() - found.keys():
            name = entries[place].name
            problem = f"driver {name!r} did not answer within {timeout_s:g} s"
            found[place] = Discovery(name, DiscoveryState.LOAD_TIMEOUT, problem)
    finally:
        for child in children.values():
            child.stop(ask=None, terminate_s=0.2)
            child.close()
    if not returns_early:
        threading.Event().wait(deadline.left_s())  # as published: exactly the time-out
    return [found[place] for place in range(len(entries))]


def _ended(children: Mapping[int, ChildProcess], deadline: Deadline, stop_fd: int) -> Iterator[int]:
    """Return the places of the children that end in time, as they do."""
    running = {child.sentinel_fd: place for place, child in children.items()}
    stops = [] if stop_fd < 0 else [stop_fd]
    while running and (ready := wait_readable([*running, *stops], deadline.left_s())):
        if stop_fd in ready:
            return
        for sentinel in ready:
            yield running.pop(sentinel)


def _start(entry: DriverEntry, isolation_executable: Path | None) -> ChildProcess:
    # The pipe holds 64 KiB, more than an answer has: nobody needs to read before the end.
    parent = str(os.getpid())
    if entry.executable:
        command = [str(Path(entry.folder, entry.executable)), "--devices", parent]
    else:
        given = [entry.folder, entry.module, entry.name, str(entry.api_version), parent]
        command = (
            python_command(_CHILD, *given)
            if isolation_executable is None
            else [str(isolation_executable), ENUMERATE, *given]
        )
    return ChildProcess(
        f"enumeration of driver {entry.name}",
        command,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
    )


def _judge(entry: DriverEntry, child: ChildProcess, executable: Path | None) -> Discovery:
    outcome = child.wait(1.0)
    text = _answer_of(child)
    if executable is not None and not entry.executable and not text.startswith(GREETING):
        problem = (
            f"the isolation executable {executable} is no driver host (it {outcome.sentence()}); "
            "give penstock-driver-host, or a program that passes its arguments on to it"
        )
        return Discovery(entry.name, DiscoveryState.LOAD_ERROR, problem)
    text = text.removeprefix(GREETING)
    try:
        answer: Answer = unpack(_answer_decoder, text)
    except msgspec.DecodeError:
        problem = f"driver {entry.name!r} {outcome.sentence()} while it was being loaded"
        return Discovery(entry.name, DiscoveryState.CRASHED, problem)
    if answer.load_problem:
        return Discovery(entry.name, DiscoveryState.LOAD_ERROR, answer.load_problem)
    if answer.enumeration_problem:
        problem = f"driver {entry.name!r} cannot list its devices: {answer.enumeration_problem}"
        return Discovery(entry.name, DiscoveryState.ENUMERATION_ERROR, problem)
    return Discovery(entry.name, DiscoveryState.OK, devices=answer.devices)


def _answer_of(child: ChildProcess) -> bytes:
    """Read what the ended child printed; a grandchild that holds the pipe cannot hold us up."""
    if child.stdout is None:
        return b""
    os.set_blocking(child.stdout.fileno(), False)
    text: bytes | None = child.stdout.read(ANSWER_LIMIT_BYTES * 2)
    return text or b""
