"""Carries out all checks, each in a child process: what is broken may crash or hang there."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import msgspec

from app.doctor.checks import CHECKS, Check
from app.doctor.findings import Diagnosis, Finding, Status
from engine.process import Outcome, python_command

__all__ = ("examine",)

_SAID_CHARACTERS = 300


def examine(on_progress: Callable[[int, int], None] | None = None) -> Diagnosis:
    """Carry out all checks and return what was found; nothing on the machine makes this raise.

    Parameters
    ----------
    on_progress : called with the number of checks done and of all checks.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(_at_once(), thread_name_prefix="check") as pool:
        pending = {pool.submit(_ask, number): number for number in range(len(CHECKS))}
        answers: dict[int, list[Finding]] = {}
        for done in as_completed(pending):
            answers[pending[done]] = done.result()
            if on_progress is not None:
                on_progress(len(answers), len(CHECKS))
    findings = tuple(finding for number in sorted(answers) for finding in answers[number])
    is_healthy = all(finding.status is not Status.FAIL for finding in findings)
    return Diagnosis(is_healthy, round(time.monotonic() - began, 3), findings)


def _at_once() -> int:
    return max(1, min(4, os.cpu_count() or 1))


def _ask(number: int) -> list[Finding]:
    check = CHECKS[number]
    try:
        done = subprocess.run(
            python_command("app.doctor.child", str(number)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=check.timeout_s,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except subprocess.TimeoutExpired:
        found = f"no answer within {check.timeout_s:g} s"
        return [Finding.failed(check.name, found, check.fix)]
    except OSError as error:
        found = f"no process could be started: {error.strerror}"
        return [Finding.failed(check.name, found, "close programs, or raise the process limit")]
    return _findings(check, done)


def _findings(check: Check, done: "subprocess.CompletedProcess[bytes]") -> list[Finding]:
    try:
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=list[Finding])
    except msgspec.DecodeError:
        return [Finding.failed(check.name, "the answer was cut off", check.fix)]
    ended = Outcome.from_return_code(done.returncode).sentence()
    said = _last_words(done.stderr.decode("utf-8", "replace"))
    return [Finding.failed(check.name, f"the check {ended}{said}", check.fix)]


def _last_words(text: str) -> str:
    """Return what a child said last: the exception's line, or the last one before a crash."""
    lines = [line.strip() for line in text.splitlines()]
    crash = next((n for n, line in enumerate(lines) if line.startswith("Fatal Python")), None)
    before = [line for line in lines[:crash] if line]
    return f": {before[-1][:_SAID_CHARACTERS]}" if before else ""
