"""Writes results as JSON Lines, one file per stream, in a thread of its own."""

import contextlib
import datetime
import logging
import queue
import threading
from collections.abc import Callable
from io import BufferedWriter
from pathlib import Path

import msgspec

from engine.errors import OutputError
from engine.protocol import RecorderState, Result

__all__ = ("Recorder",)

log = logging.getLogger(__name__)

_WAITING_LIMIT = 20_000


class Recorder:
    """Records results until closed or until writing fails; a failure stops recording, not the run.

    Parameters
    ----------
    directory : folder for the files; made when missing.
    on_problem : called once from the recorder's thread with a sentence when writing fails.

    Raises
    ------
    OutputError
        When the folder cannot be made or is not writable.
    """

    def __init__(self, directory: Path, on_problem: Callable[[str], None]) -> None:
        self._directory = directory
        self._on_problem = on_problem
        self._stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        self._encoder = msgspec.json.Encoder()
        self._waiting: queue.Queue[Result | None] = queue.Queue(_WAITING_LIMIT)
        self._files: dict[str, BufferedWriter] = {}
        self._lock = threading.Lock()
        self._records = 0
        self._size_bytes = 0
        self._lost = 0
        self._problem = ""
        self._is_open = True
        self._prepare()
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._thread.start()

    def put(self, result: Result) -> None:
        """Queue a result; never blocks. What cannot be queued is counted and told in the state."""
        with self._lock:
            if not self._is_open or self._problem:
                return
        try:
            self._waiting.put_nowait(result)
        except queue.Full:
            with self._lock:
                self._lost += 1

    def state(self) -> RecorderState:
        """Return what is recorded so far."""
        with self._lock:
            problem = self._problem
            if self._lost and not problem:
                problem = f"{self._lost} results were not recorded: the disk is too slow"
            return RecorderState(
                is_recording=self._is_open and not self._problem,
                directory=str(self._directory),
                problem=problem,
                records=self._records,
                size_bytes=self._size_bytes,
            )

    def close(self, deadline_s: float = 5.0) -> None:
        """Write what waits and close the files. Safe to call twice."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open:
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=deadline_s)
            self._thread.join(deadline_s)

    def _prepare(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            probe = self._directory / f".penstock-{self._stamp}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise OutputError(
                f"results cannot be recorded in {self._directory}: {error.strerror}; "
                "choose a folder that can be written"
            ) from error

    def _run(self) -> None:
        try:
            while True:
                result = self._waiting.get()  # close() ends this wait
                if result is None:
                    break
                if not self._problem:
                    self._write(result)
                if self._waiting.empty():
                    self._flush()
        finally:
            self._close_files()

    def _write(self, result: Result) -> None:
        line = self._encoder.encode(result) + b"\n"
        try:
            self._file_of(result.stream).write(line)
        except OSError as error:
            self._fail(error)
            return
        with self._lock:
            self._records += 1
            self._size_bytes += len(line)

    def _file_of(self, stream: str) -> BufferedWriter:
        if stream not in self._files:
            name = f"{stream.replace(' ', '_')}-{self._stamp}.jsonl"
            self._files[stream] = (self._directory / name).open("ab")
        return self._files[stream]

    def _flush(self) -> None:
        if self._problem:
            return
        try:
            for file in self._files.values():
                file.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        problem = (
            f"recording stopped: {self._directory} cannot be written ({error.strerror}); "
            "the streams go on"
        )
        with self._lock:
            self._problem = problem
        log.warning("%s", problem)
        self._on_problem(problem)

    def _close_files(self) -> None:
        files, self._files = self._files, {}
        for file in files.values():
            try:
                file.close()
            except OSError as error:
                if not self._problem:
                    self._fail(error)
                with contextlib.suppress(OSError):
                    file.raw.close()
