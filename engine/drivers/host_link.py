"""A driver host's end of the line to the engine."""

import logging
import select
import time

import msgspec

from engine.drivers.host_control import HostControl
from engine.drivers.messages import (
    FrameReady,
    Freed,
    FromEngine,
    FromHost,
    Stop,
    decode_from_engine,
    encode,
    encode_logged,
)
from engine.errors import DriverProtocolError
from engine.process import MAX_MESSAGE_BYTES, Channel, PeerGoneError

__all__ = ("HostLink", "StopRequestedError")

_LOGS_PER_SECOND = 200
_MESSAGE_ROOM_BYTES = MAX_MESSAGE_BYTES - 1024

log = logging.getLogger(__name__)


class StopRequestedError(Exception):
    """The engine asked the host to leave, or is gone; not an error, but the way out of the loop."""


class HostLink:
    """Sends to and receives from the engine; used by the host's main thread, logging by any."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.control: HostControl | None = None
        """What is asked of the device is answered by `wait`."""
        self._is_truth_too_large = False
        self._log_second = 0
        self._logs = 0

    def receive(self) -> FromEngine:
        """Wait for the next message. Raises `StopRequestedError` when it is time to leave."""
        message = self._take(None)
        if message is None:
            raise StopRequestedError
        return message

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for the doorbell, at most `timeout_s`; return whether it rang.

        Raises
        ------
        StopRequestedError
            When it is time to leave.
        """
        # select() keeps microseconds where poll() rounds up to milliseconds
        if timeout_s is None or timeout_s > 0:
            ends: list[Channel | HostControl] = [self._channel]
            if self.control is not None:
                ends.append(self.control)
            select.select(ends, [], [], timeout_s)
        if self.control is not None:
            self._serve(self.control)
        has_rung = False
        while (message := self._take(0.0)) is not None:
            has_rung = has_rung or isinstance(message, Freed)
        return has_rung

    def send(self, message: FromHost) -> None:
        """Send a message, waiting while the engine's queue is full."""
        data = encode(message)
        if len(data) > _MESSAGE_ROOM_BYTES:
            data = encode(self._smaller(message))
        try:
            self._channel.send_bytes(data, None)
        except PeerGoneError as error:
            raise StopRequestedError from error

    def send_log(self, packed_entry: bytes) -> bool:
        """Send a packed `LogEntry` unless the queue is full or too many were sent this second."""
        second = time.monotonic_ns() // 1_000_000_000
        if second != self._log_second:
            self._log_second, self._logs = second, 0
        if self._logs >= _LOGS_PER_SECOND:
            return False
        self._logs += 1
        return self._channel.send_bytes(encode_logged(packed_entry))

    def _take(self, timeout_s: float | None) -> FromEngine | None:
        try:
            data = self._channel.recv_bytes(timeout_s)
            message = None if data is None else decode_from_engine(data)
        except PeerGoneError as error:
            raise StopRequestedError from error
        except msgspec.DecodeError as error:
            raise DriverProtocolError(
                f"the driver host received a message that makes no sense: {error}"
            ) from error
        if isinstance(message, Stop):
            raise StopRequestedError
        return message

    def _serve(self, control: HostControl) -> None:
        try:
            control.serve()
        except PeerGoneError as error:
            raise StopRequestedError from error

    def _smaller(self, message: FromHost) -> FromHost:
        """Return the message without what made it too large for the channel."""
        if isinstance(message, FrameReady):
            if not self._is_truth_too_large:
                self._is_truth_too_large = True
                log.warning("the truth about a frame is too large and is left out")
            return msgspec.structs.replace(message, truth=None)
        raise DriverProtocolError(
            f"a {type(message).__name__} message of the driver is larger than 63 KiB"
        )
