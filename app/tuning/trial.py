"""The parent's side of a process that tries one plugin; every wait has an end."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from app.tuning.child import Loaded
from app.tuning.results import Figures
from engine.process import Outcome, python_command

__all__ = ("Trial", "TrialError")

_TAIL_CHARACTERS = 200
_ANSWER_LIMIT_BYTES = 64 * 1024

_Answer = TypeVar("_Answer")


class TrialError(Exception):
    """The process did not do what was asked; the text is part of a sentence."""


class Trial:
    """A process with one plugin; close it.

    Parameters
    ----------
    folder : the program, see `app.tuning.child`; what the process prints goes there as well.
    kind : which of the graphs: "float" or "int8".
    """

    def __init__(self, folder: Path, plugin: str, kind: str, threads: int) -> None:
        self._said = folder / f"said-{plugin}-{kind}-{threads}.txt"
        arguments = (str(folder), plugin, kind, str(threads), str(os.getpid()))
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                python_command("app.tuning.child", *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,  # so that what the backend starts can be ended with it
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._input: IO[bytes] = _pipe(self._process.stdin)
        self._output: IO[bytes] = _pipe(self._process.stdout)
        os.set_blocking(self._output.fileno(), False)
        self._pending = b""

    def loaded(self, limit_s: float) -> Loaded:
        """Return how the plugin took the program.

        Raises
        ------
        TrialError
            When it crashed, or did not answer in time.
        """
        return self._answer(Loaded, limit_s)

    def measure(self, lanes: int, seconds: float, limit_s: float) -> Figures:
        """Return rate and latency with so many lanes; raises like `loaded`."""
        with contextlib.suppress(BrokenPipeError):  # the missing answer tells more
            self._input.write(f"{lanes} {seconds}\n".encode())
            self._input.flush()
        return self._answer(Figures, limit_s)

    def close(self) -> None:
        """End the process and all that it started. Safe to call twice."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self._output.close()

    def _answer(self, kind: type[_Answer], limit_s: float) -> _Answer:
        line = self._line(limit_s)
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            raise TrialError("its process answered something else") from error

    def _line(self, limit_s: float) -> bytes:
        end = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise TrialError(f"it did not answer within {limit_s:g} s")
                part = os.read(self._output.fileno(), 65536)
                if not part or len(self._pending) > _ANSWER_LIMIT_BYTES:
                    raise TrialError(self._death())
                self._pending += part
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _death(self) -> str:
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "its process stopped answering"
        outcome = Outcome.from_return_code(code)
        said = self._said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        words = outcome.signal_words or (said[-1][:_TAIL_CHARACTERS] if said else "")
        return f"its process {outcome.sentence()}" + (f" ({words})" if words else "")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("the process was started with pipes")
    return pipe
