"""Puts into words how a driver host ended, and passes on what it logged."""

import logging

from engine.errors import DriverCrashedError, EngineTimeoutError
from engine.process import ChildProcess, Outcome
from engine.protocol import LogEntry

__all__ = ("crash_error", "log_here")

_DEATH_WAIT_S = 0.2
_PLAIN_SIGNALS = ("SIGKILL", "SIGTERM")  # they explain themselves


def crash_error(child: ChildProcess, *, driver: str, stream: str) -> DriverCrashedError:
    """Say how a host ended; its channel closes a moment before the process has ended."""
    try:
        outcome = child.wait(_DEATH_WAIT_S)
        words = _words(outcome)
    except EngineTimeoutError:
        outcome = Outcome()
        words = "closed its connection but is still running"
    return DriverCrashedError(
        f"driver {driver!r} of stream {stream!r} (process {child.pid}) {words}; "
        f"start the stream again to load the driver anew",
        driver=driver,
        stream=stream,
        pid=child.pid,
        signal=outcome.signal_name,
        exit_code=outcome.exit_code,
        stderr_tail=child.stderr_tail(1500),
    )


def log_here(driver: str, entry: LogEntry) -> None:
    """Log what a driver logged in its own process."""
    level = logging.getLevelNamesMapping().get(entry.level, logging.INFO)
    logging.getLogger(f"driver.{driver}").log(
        level, "%s", entry.message, extra={"stream": entry.stream, "source_pid": entry.pid}
    )


def _words(outcome: Outcome) -> str:
    meaning = outcome.signal_words
    if not meaning or outcome.signal_name in _PLAIN_SIGNALS:
        return outcome.sentence()
    return f"{outcome.sentence()} ({meaning})"
