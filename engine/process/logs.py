"""Send log records to the parent process, without ever waiting for it."""

import logging
import os
import time
from collections.abc import Callable

import msgspec

from engine.errors import EngineError
from engine.protocol import LogEntry

__all__ = ("ForwardingHandler", "entry_of")

_MAX_TEXT = 8000

_exception_formatter = logging.Formatter()


def entry_of(record: logging.LogRecord, *, role: str) -> LogEntry:
    """Describe a log record as a message; its text is cut at 8000 characters."""
    text = record.getMessage()
    if record.exc_info:
        text += "\n" + _exception_formatter.formatException(record.exc_info)
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + " [cut]"
    return LogEntry(
        at_ns=time.monotonic_ns(),
        level=record.levelname,
        logger=record.name,
        message=text,
        role=role,
        pid=os.getpid(),
        stream=str(getattr(record, "stream", "")),
    )


class ForwardingHandler(logging.Handler):
    """Hand every record to `send` as the msgpack bytes of a `LogEntry`.

    What cannot be sent at once is dropped and counted; the next record that gets through is
    preceded by one that says how many are missing.

    Parameters
    ----------
    send : takes the bytes without blocking and says whether they left, for example
        `Channel.send_bytes`. Called under the handler's lock, so that records stay in order.
    role : what this process is, as it stands in the entries.
    """

    def __init__(self, send: Callable[[bytes], bool], *, role: str) -> None:
        super().__init__()
        self._send = send
        self._role = role
        self._encoder = msgspec.msgpack.Encoder()
        self._missing = 0
        self.dropped = 0
        """Records that could not be sent so far."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, or count it as dropped. Never raises, never blocks."""
        try:
            entry = entry_of(record, role=self._role)
        except (TypeError, ValueError):  # arguments that do not fit the format
            self.handleError(record)
            return
        if self._missing and self._try_send(self._missing_entry()):
            self._missing = 0
        if not self._try_send(entry):
            self._missing += 1
            self.dropped += 1

    def _try_send(self, entry: LogEntry) -> bool:
        try:
            return self._send(self._encoder.encode(entry))
        except (EngineError, OSError):  # nobody is there to read it
            return False

    def _missing_entry(self) -> LogEntry:
        return LogEntry(
            at_ns=time.monotonic_ns(),
            level="WARNING",
            logger=__name__,
            message=f"{self._missing} log records were dropped because nobody read them in time",
            role=self._role,
            pid=os.getpid(),
        )
