"""Messages between a process and its child: bounded, never blocking by accident, never pickled."""

import socket
import sys
from typing import Self, TypeVar

import msgspec

from engine.errors import BrokenError, ClosedError, EngineError, InvalidArgumentError
from engine.process.waiting import Deadline, wait_readable, wait_writable
from engine.protocol import unpack

__all__ = ("MAX_MESSAGE_BYTES", "Channel", "PeerGoneError")

MAX_MESSAGE_BYTES = 64 * 1024

_MSG_TRUNC = getattr(socket, "MSG_TRUNC", 0)

Message = TypeVar("Message")


class PeerGoneError(BrokenError):
    """The process at the other end of a channel closed it or died."""

    code = "peer_gone"


class Channel:
    """One end of a two-way line of messages, each 1 to 65536 bytes, kept apart and in order.

    One thread may send while another receives. The death of the peer is the end of the line:
    what it had sent is still received, then `PeerGoneError` is raised.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        end.set_inheritable(False)
        self._socket: socket.socket | None = end
        self._fd = end.fileno()  # stays a number when close() comes between two lines
        self._incoming = bytearray(MAX_MESSAGE_BYTES)

    @staticmethod
    def pair() -> "tuple[Channel, socket.socket]":
        """Return our end, and the child's: pass its descriptor on, then close it here.

        A copy of the child's end that stays open in this process hides the child's death.
        """
        if not hasattr(socket, "SOCK_SEQPACKET") or sys.platform == "win32":
            raise EngineError("channels to child processes need SOCK_SEQPACKET, which is missing")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.set_inheritable(True)
        return Channel(ours), theirs

    @classmethod
    def from_fd(cls, fd: int) -> Self:
        """Take over the descriptor that the parent process passed on."""
        try:
            return cls(socket.socket(fileno=fd))
        except OSError as error:
            raise InvalidArgumentError(
                f"descriptor {fd} is not a channel; start this program through its parent", fd=fd
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._socket is None

    def fileno(self) -> int:
        """Return the descriptor, readable when a message or the end of the line is there."""
        self._open_socket()
        return self._fd

    def send_bytes(self, data: bytes, timeout_s: float | None = 0.0) -> bool:
        """Send one message; return False when the peer's queue stayed full for `timeout_s`.

        Raises
        ------
        InvalidArgumentError : the message is empty or larger than 65536 bytes.
        PeerGoneError : nobody is at the other end.
        """
        _check_size(data)
        deadline = Deadline(timeout_s)
        while True:
            end = self._open_socket()
            try:
                end.send(data)
            except BlockingIOError:
                if not wait_writable([self._fd], deadline.left_s()):
                    return False
            except OSError as error:
                self._raise_gone(error)
            else:
                return True

    def recv_bytes(self, timeout_s: float | None = None) -> bytes | None:
        """Return the next message, or None when there was none within `timeout_s`.

        Raises
        ------
        PeerGoneError : the peer has closed its end or died, and all it sent was received.
        BrokenError : the peer sent more than 65536 bytes in one message.
        """
        deadline = Deadline(timeout_s)
        while True:
            end = self._open_socket()
            try:
                size = end.recv_into(self._incoming, 0, _MSG_TRUNC)
            except BlockingIOError:
                if not wait_readable([self._fd], deadline.left_s()):
                    return None
            except ConnectionResetError:
                continue  # reported once, before the messages that the dead peer had sent
            except OSError as error:
                self._raise_gone(error)
            else:
                return self._received(size)

    def send(self, message: object, timeout_s: float | None = 0.0) -> bool:
        """Send a message struct as msgpack; see `send_bytes`."""
        return self.send_bytes(msgspec.msgpack.encode(message), timeout_s)

    def recv(
        self, decoder: msgspec.msgpack.Decoder[Message], timeout_s: float | None = None
    ) -> Message | None:
        """Return the next message as the decoder's type; see `recv_bytes`.

        Raises
        ------
        BrokenError : the peer sent something that is not of the decoder's type.
        """
        data = self.recv_bytes(timeout_s)
        if data is None:
            return None
        try:
            message: Message = unpack(decoder, data)
        except msgspec.DecodeError as error:
            raise BrokenError(f"the peer sent a message that makes no sense: {error}") from error
        return message

    def close(self) -> None:
        """Close this end; a thread that waits here gets `ClosedError`. Safe to call twice."""
        end, self._socket = self._socket, None
        if end is None:
            return
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was first
        finally:
            end.close()

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise ClosedError("the channel was closed; nothing can be sent or received")
        return self._socket

    def _received(self, size: int) -> bytes:
        if size == 0:
            self._open_socket()  # our own close() also ends the line
            raise PeerGoneError("the process at the other end of the channel is gone")
        if size > MAX_MESSAGE_BYTES:
            raise BrokenError(
                f"the peer sent a message of {size} bytes; the limit is {MAX_MESSAGE_BYTES} bytes",
                size_bytes=size,
            )
        return bytes(memoryview(self._incoming)[:size])

    def _raise_gone(self, error: OSError) -> None:
        self._open_socket()
        raise PeerGoneError("the process at the other end of the channel is gone") from error


def _check_size(data: bytes) -> None:
    if not 1 <= len(data) <= MAX_MESSAGE_BYTES:
        raise InvalidArgumentError(
            f"a message of {len(data)} bytes cannot be sent; "
            f"it must have 1 to {MAX_MESSAGE_BYTES} bytes, move bulk data through a segment",
            size_bytes=len(data),
        )
