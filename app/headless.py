"""Runs a project without a window: starts the engine service, watches it, writes the report."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console, Group
from rich.live import Live

from app.live_view import live_view, plain_line
from engine.client import EngineClient
from engine.errors import (
    ConfigError,
    EngineDiedError,
    LicenseError,
    OutputError,
    ProgramError,
    WireError,
    from_wire,
)
from engine.protocol import (
    GetReport,
    LoadProject,
    LogEntry,
    Report,
    Snapshot,
    StartAll,
    StopAll,
    StreamPhase,
)

__all__ = ("check_report_place", "run_project", "write_report")

_REFRESH_S = 0.25
_PLAIN_INTERVAL_S = 5.0
_OVER = {StreamPhase.FINISHED, StreamPhase.FAILED, StreamPhase.STOPPED}
_TOLD_LEVELS = {"WARNING", "ERROR", "CRITICAL"}


def run_project(
    project: Path,
    *,
    seconds: float,
    is_quiet: bool = False,
    on_running: Callable[[EngineClient], None] | None = None,
) -> Report:
    """Run a project for a time, or until all its sources have ended, and return the report.

    Parameters
    ----------
    seconds : how long; 0 runs until the sources end or Ctrl+C.
    is_quiet : print nothing while running.
    on_running : called once when frames have moved for two seconds.

    Raises
    ------
    EngineError
        When nothing could be run at all, with the first reason.
    """
    console = Console(stderr=True)
    with EngineClient.launch(name="run") as client, _interrupt() as is_interrupted:
        client.call(LoadProject(str(project)), timeout_s=30.0)
        _refuse_what_cannot_run(client.snapshot)
        if client.snapshot.engine.message:
            console.print(f"warning: {client.snapshot.engine.message}", highlight=False)
        client.call(StartAll(), timeout_s=30.0)
        watcher = _Watcher(client, console, seconds, is_interrupted, on_running)
        if is_quiet:
            watcher.watch(lambda: None)
        elif console.is_terminal:
            with Live(console=console, auto_refresh=False, transient=False) as live:
                watcher.watch(lambda: live.update(watcher.view(), refresh=True), live.console)
        else:
            watcher.watch(watcher.print_line, console)
        client.call(StopAll(), timeout_s=15.0)
        report = client.call(GetReport(), timeout_s=15.0).report
    if report is None:
        raise ConfigError("the engine sent no report")
    _refuse_if_nothing_ran(report)
    return report


def check_report_place(path: Path) -> None:
    """Raise `OutputError` when a report could not be written there, before a long run finds out."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
    except OSError as error:
        raise _not_writable(path, error) from error


def write_report(report: Report, path: Path) -> None:
    """Write the report as indented JSON.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    except OSError as error:
        raise _not_writable(path, error) from error


def _not_writable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the report cannot be written to {path}: {error.strerror}; choose another place"
    )


class _Watcher:
    """Pumps the client until the time is over, everything has ended, or the user interrupts."""

    def __init__(
        self,
        client: EngineClient,
        console: Console,
        seconds: float,
        is_interrupted: Callable[[], bool],
        on_running: Callable[[EngineClient], None] | None,
    ) -> None:
        self._client = client
        self._console = console
        self._is_interrupted = is_interrupted
        self._on_running = on_running
        self._end = time.monotonic() + seconds if seconds else float("inf")
        self._printed = 0.0
        self._moving_since = 0.0

    def view(self) -> Group:
        left_s = self._end - time.monotonic()
        return live_view(self._client.snapshot, self._client.telemetry, left_s, self._console.width)

    def print_line(self) -> None:
        now = time.monotonic()
        if now - self._printed >= _PLAIN_INTERVAL_S:
            self._printed = now
            self._console.print(plain_line(self._client.telemetry), highlight=False)

    def watch(self, show: Callable[[], None], console: Console | None = None) -> None:
        next_show = 0.0
        while time.monotonic() < self._end and not self._is_interrupted():
            self._client.wait(min(_REFRESH_S, max(0.0, self._end - time.monotonic())))
            self._client.pump()
            if self._client.engine_outcome is not None:
                raise EngineDiedError(f"{self._client.engine_outcome}; run it again")
            self._tell(self._client.drain_log(), console)
            if all(stream.phase in _OVER for stream in self._client.snapshot.streams):
                break
            self._notice_motion()
            if time.monotonic() >= next_show:
                next_show = time.monotonic() + _REFRESH_S
                show()

    def _notice_motion(self) -> None:
        telemetry = self._client.telemetry
        if telemetry is None or self._on_running is None:
            return
        if not self._moving_since and all(f.frames_out for f in telemetry.streams):
            self._moving_since = time.monotonic()
        if self._moving_since and time.monotonic() - self._moving_since > 2.0:
            on_running, self._on_running = self._on_running, None
            on_running(self._client)

    @staticmethod
    def _tell(entries: list[LogEntry], console: Console | None) -> None:
        for entry in entries:
            if console is not None and entry.level in _TOLD_LEVELS:
                place = f"{entry.stream}: " if entry.stream else ""
                console.print(f"{entry.level.lower()}: {place}{entry.message}", highlight=False)


def _refuse_what_cannot_run(snapshot: Snapshot) -> None:
    """Raise the reason when no enabled stream could start at all."""
    if not snapshot.license.is_valid:
        raise LicenseError(snapshot.license.problem)
    wanted = [stream for stream in snapshot.project.streams if stream.enabled]
    if not wanted:
        raise ConfigError(
            f"project {snapshot.project.name!r} has no enabled stream; add one or enable one"
        )
    problems = {p.name: p.problem for p in snapshot.programs if p.problem}
    if all(stream.program in problems for stream in wanted):
        raise ProgramError(problems[wanted[0].program])


def _refuse_if_nothing_ran(report: Report) -> None:
    failed = [s for s in report.streams if s.phase == StreamPhase.FAILED.value]
    if failed and len(failed) == len(report.streams) and not any(s.frames_out for s in failed):
        told = "; ".join(f"stream {s.name!r}: {s.message}" for s in failed)
        raise from_wire(WireError(failed[0].error_code or "driver", told))


@contextmanager
def _interrupt() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl+C and SIGTERM into a question that can be asked, for the time of a run."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: asked.append(n))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if len(asked) > 1:
            sys.exit(130)
