"""Asks many drivers for their devices at once, each in a process of its own."""

import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.drivers import DriverEntry
from engine.drivers.enumeration import Answer, FoundDevice
from engine.errors import EngineError
from engine.handle.enums import DriverState
from engine.process import ChildProcess, Deadline, python_command, wait_readable

__all__ = ("Outcome", "enumerate_drivers")

_CHILD = "engine.drivers.enumeration"


@dataclass(frozen=True)
class Outcome:
    """How one driver fared; `problem` is a sentence unless the state is OK."""

    entry: DriverEntry
    state: DriverState
    problem: str = ""
    devices: tuple[FoundDevice, ...] = ()


def enumerate_drivers(
    entries: Sequence[DriverEntry],
    timeout_s: float,
    *,
    isolation_executable: Path | None,
    returns_early: bool,
) -> list[Outcome]:
    """Return the outcome of every driver, in the same order; no process is left behind.

    Parameters
    ----------
    isolation_executable : the program that is to run drivers; None for our own.
    returns_early : do not wait for the time-out when all have answered.
    """
    deadline = Deadline(timeout_s)
    missing = isolation_executable is not None and not os.access(isolation_executable, os.X_OK)
    outcomes: dict[int, Outcome] = {}
    children: dict[int, ChildProcess] = {}
    try:
        for place, entry in enumerate(entries):
            if missing:
                problem = f"the isolation executable {isolation_executable} cannot be started"
                outcomes[place] = Outcome(entry, DriverState.LoadError, problem)
            elif entry.problem:
                outcomes[place] = Outcome(entry, DriverState.LoadError, entry.problem)
            else:
                try:
                    children[place] = _start(entry)
                except (EngineError, OSError) as error:
                    outcomes[place] = Outcome(entry, DriverState.Unknown, str(error))
        running = {child.sentinel_fd: place for place, child in children.items()}
        while running and (ready := wait_readable(list(running), deadline.left_s())):
            for sentinel in ready:
                place = running.pop(sentinel)
                outcomes[place] = _judge(entries[place], children[place])
        for place in running.values():
            problem = f"driver {entries[place].name!r} did not answer within {timeout_s:g} s"
            outcomes[place] = Outcome(entries[place], DriverState.LoadTimeout, problem)
    finally:
        for child in children.values():
            child.stop(ask=None, terminate_s=0.2)
            child.close()
    if not returns_early:
        threading.Event().wait(deadline.left_s())  # as published: exactly the time-out
    return [outcomes[place] for place in range(len(entries))]


def _start(entry: DriverEntry) -> ChildProcess:
    # The pipe holds 64 KiB, more than an answer has: nobody needs to read before the end.
    return ChildProcess(
        f"enumeration of driver {entry.name}",
        python_command(_CHILD, entry.folder, entry.module, entry.name, str(os.getpid())),
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
    )


def _judge(entry: DriverEntry, child: ChildProcess) -> Outcome:
    outcome = child.wait(1.0)
    text = child.stdout.read() if child.stdout is not None else b""
    try:
        answer = msgspec.json.decode(text, type=Answer)
    except msgspec.DecodeError:
        problem = f"driver {entry.name!r} {outcome.sentence()} while it was being loaded"
        return Outcome(entry, DriverState.Crashed, problem)
    if answer.load_problem:
        return Outcome(entry, DriverState.LoadError, answer.load_problem)
    if answer.enumeration_problem:
        problem = f"driver {entry.name!r} cannot list its devices: {answer.enumeration_problem}"
        return Outcome(entry, DriverState.EnumerationError, problem)
    return Outcome(entry, DriverState.OK, devices=answer.devices)
