"""Messages of the manager: msgpack over SEQPACKET sockets, with descriptors beside them."""

import contextlib
import os
import socket
from collections.abc import Sequence

import msgspec

from engine.errors import BrokenError, ClosedError
from engine.manager.messages import Message
from engine.process import Deadline, PeerGoneError, wait_readable

__all__ = ("MAX_LINE_BYTES", "UNREADABLE", "Line", "close_fds")

MAX_LINE_BYTES = 128 * 1024
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding bytes from others may raise; text that is not UTF-8 is no error of msgspec's."""

_MOST_FDS = 250

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class Line:
    """One end of a control connection. One thread sends or receives at a time.

    What cannot be sent at once is an error: nobody waits for a peer that does not read.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._is_closed = False

    @staticmethod
    def pair() -> "tuple[Line, socket.socket]":
        """Return our end, and the one to hand to a child."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Line(ours), theirs

    def fileno(self) -> int:
        """Return the descriptor, readable when a message or the end is there."""
        return self._socket.fileno()

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a message with descriptors, which stay open here.

        Raises
        ------
        PeerGoneError
            When nobody is at the other end, or it does not read.
        """
        data = _encoder.encode(message)
        if len(data) > MAX_LINE_BYTES:
            raise BrokenError(f"a message of {len(data)} bytes is too large for the manager")
        try:
            if fds:
                socket.send_fds(self._socket, [data], list(fds))
            else:
                self._socket.send(data)
        except OSError as error:
            if self._is_closed:
                raise _closed() from error
            raise PeerGoneError("the other end of the manager's line is gone") from error

    def recv(self, timeout_s: float | None = 0.0) -> tuple[Message, list[int]] | None:
        """Return the next message with its descriptors, which are the caller's to close.

        None when nothing came within `timeout_s`.

        Raises
        ------
        PeerGoneError
            When the other end was closed or its process died.
        BrokenError
            When what came makes no sense.
        """
        data, fds, flags = self._receive(Deadline(timeout_s))
        if data is None:
            return None
        try:
            if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
                raise BrokenError("a message to the manager was cut off")
            return _decoder.decode(data), fds
        except UNREADABLE as error:
            close_fds(fds)
            raise BrokenError(f"the peer sent a message that makes no sense: {error}") from error
        except BrokenError:
            close_fds(fds)
            raise

    def _receive(self, deadline: Deadline) -> tuple[bytes | None, list[int], int]:
        while True:
            try:
                data, fds, flags, _ = socket.recv_fds(self._socket, MAX_LINE_BYTES, _MOST_FDS)
            except BlockingIOError:
                fd = self._socket.fileno()
                if fd < 0:  # closed by another thread just now
                    raise _closed() from None
                if not wait_readable([fd], deadline.left_s()):
                    return None, [], 0
            except OSError as error:
                if self._is_closed:
                    raise _closed() from error
                raise PeerGoneError("the other end of the manager's line is gone") from error
            else:
                if data:
                    return data, fds, flags
                if self._is_closed:
                    raise _closed()
                raise PeerGoneError("the other end of the manager's line is gone")

    def close(self) -> None:
        """Close this end and wake who waits on it. Safe to call twice."""
        if not self._is_closed:
            self._is_closed = True
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()


def close_fds(fds: Sequence[int]) -> None:
    """Close descriptors that came with a message and are not wanted."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _closed() -> ClosedError:
    return ClosedError("the line to the device manager was closed")
