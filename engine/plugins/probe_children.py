"""Runs probes in child processes, all at once, and says in words how each of them ended."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import IO

import msgspec

from engine.plugins.api import ProbeReport
from engine.plugins.prerequisites import missing_prerequisite
from engine.plugins.probing import ProbeAnswer
from engine.process import Outcome, python_command, wait_readable
from engine.process.sentinel import sentinel_for

__all__ = ("TIMED_OUT", "probe_in_children")

TIMED_OUT = "the probe did not answer within"

_ANSWER_LIMIT_BYTES = 64 * 1024
_TAIL_LIMIT_BYTES = 2048

_CRASHES = {
    "SIGILL": "illegal instruction: this processor lacks something the backend needs",
    "SIGSEGV": "segmentation fault in the backend's native code",
    "SIGBUS": "bus error in the backend's native code",
    "SIGFPE": "arithmetic fault in the backend's native code",
    "SIGABRT": "the backend aborted itself",
    "SIGKILL": "killed from outside, perhaps because memory ran out",
}


class _Child:
    """One probe process with the ends of its pipes."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.answer = bytearray()
        self.tail = bytearray()
        self.process = subprocess.Popen(
            python_command("engine.plugins.probe", key),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that what the backend starts can be ended with it
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.sentinel = sentinel_for(self.process)
        for pipe in self.pipes:
            os.set_blocking(pipe.fileno(), False)

    @property
    def pipes(self) -> list[IO[bytes]]:
        return [pipe for pipe in (self.process.stdout, self.process.stderr) if pipe is not None]

    @property
    def is_flooding(self) -> bool:
        return len(self.answer) > _ANSWER_LIMIT_BYTES

    def read(self, pipe: IO[bytes]) -> bool:
        """Read once what is there; False at the end of the pipe."""
        try:
            data = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return True
        if pipe is self.process.stdout:
            self.answer += data
        else:
            self.tail = (self.tail + data)[-_TAIL_LIMIT_BYTES:]
        return bool(data)

    def end(self) -> None:
        """Take what is left in the pipes, end the process with all it started, close all."""
        for pipe in self.pipes:
            self.read(pipe)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.sentinel.close()
        for pipe in self.pipes:
            pipe.close()


def probe_in_children(
    keys: Iterable[str], *, timeout_s: float
) -> Iterator[tuple[str, ProbeAnswer]]:
    """Probe plugins in one child process each, all at once; yield each answer as it comes.

    A built-in plugin that plainly lacks something is answered for without a process.
    A child that crashes, ends by itself, prints too much or has no answer after `timeout_s` gives
    an unavailable report with the reason in words. No child is left behind, whatever happens.
    """
    selector = selectors.DefaultSelector()
    running: dict[str, _Child] = {}
    try:
        promising = []
        for key in keys:
            missing = missing_prerequisite(key)
            if missing:
                yield key, ProbeAnswer(ProbeReport(False, missing))
            else:
                promising.append(key)
        for key in promising:
            child = running[key] = _Child(key)
            selector.register(child.sentinel.fileno(), selectors.EVENT_READ, (child, None))
            for pipe in child.pipes:
                selector.register(pipe, selectors.EVENT_READ, (child, pipe))
        deadline = time.monotonic() + timeout_s
        while running:
            for child in _ended(selector, running, deadline):
                reason = _early_end(child, timeout_s)
                _forget(selector, child)
                del running[child.key]
                yield child.key, _judge(child, reason)
    finally:
        for child in running.values():
            _forget(selector, child)
        selector.close()


def _ended(
    selector: selectors.BaseSelector, running: dict[str, _Child], deadline: float
) -> list[_Child]:
    """Wait for something to happen; return the children that are through with."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        return list(running.values())
    ended: dict[str, _Child] = {}
    for ready, _ in selector.select(left_s):
        child, pipe = ready.data
        if pipe is None:
            ended[child.key] = child
        elif not child.read(pipe):
            selector.unregister(pipe)
        if child.is_flooding:
            ended[child.key] = child
    return list(ended.values())


def _early_end(child: _Child, timeout_s: float) -> str:
    """Say why a child that still runs has to be ended; empty when it ended by itself."""
    if child.is_flooding:
        return "the probe printed far more than an answer"
    if not wait_readable([child.sentinel.fileno()], 0):
        return f"{TIMED_OUT} {timeout_s:g} s"
    return ""


def _forget(selector: selectors.BaseSelector, child: _Child) -> None:
    for descriptor in (child.sentinel.fileno(), *(pipe.fileno() for pipe in child.pipes)):
        with contextlib.suppress(KeyError):
            selector.unregister(descriptor)
    child.end()


def _judge(child: _Child, reason: str) -> ProbeAnswer:
    if reason:
        return ProbeAnswer(ProbeReport(False, reason))
    code = child.process.returncode
    if code == 0:
        try:
            return msgspec.json.decode(bytes(child.answer), type=ProbeAnswer)
        except msgspec.DecodeError:
            return ProbeAnswer(ProbeReport(False, "the probe ended without an answer"))
    if code < 0:
        outcome = Outcome.from_return_code(code)
        words = _CRASHES.get(outcome.signal_name, outcome.signal_words or "ended by a signal")
        return ProbeAnswer(
            ProbeReport(False, f"the probe crashed: {words} ({outcome.signal_name})")
        )
    said = child.tail.decode(errors="replace").strip().splitlines()
    last = f": {said[-1][:200]}" if said else ""
    return ProbeAnswer(ProbeReport(False, f"the probe ended with exit code {code}{last}"))
