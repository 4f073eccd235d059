"""The messages between a pool and its workers, and the sockets they travel on."""

import array
import os
import socket
import struct
from enum import IntEnum
from typing import NamedTuple

from engine.errors import BrokenError

__all__ = ("HEADER", "Kind", "Line", "Message", "key_bytes", "key_of")

HEADER = struct.Struct("<BBqq")
"""Kind, whether a file comes along, a number, and the epoch."""

_KEY_BYTES = 16
_INTS = array.array("i").itemsize
_ROOM_BYTES = 64 * 1024
# Plain numbers: combining the enumeration's members costs more than the call they are for.
_DONT_WAIT = int(socket.MSG_DONTWAIT)
_CLOSE_ON_EXEC = int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))


class Kind(IntEnum):
    """What a message means."""

    TASK = 1
    DROP = 2
    READY = 3
    DONE = 4
    FAILED = 5
    UNREADABLE = 6
    ASK = 7
    RELEASED = 8
    SAME = 9
    VALUE = 10
    MISSING = 11
    ERROR = 12
    NOT_BEGUN = 13


_KINDS = {int(kind): kind for kind in Kind}


class Message(NamedTuple):
    """One message. Whoever receives it closes the descriptor (-1 when there is none)."""

    kind: Kind
    number: int
    epoch: int
    body: bytes
    fd: int


class Line:
    """One end of a pair of sockets that keep messages whole; up to 64 KiB and a file each.

    A message is received by exactly one reader, also when two processes hold the same end: that
    is how a pool takes back what a worker has not begun.
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._room = memoryview(bytearray(_ROOM_BYTES))
        self._ancillary = socket.CMSG_SPACE(_INTS)

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 when closed."""
        return self.end.fileno()

    def send(
        self,
        kind: Kind,
        number: int = 0,
        epoch: int = 0,
        body: bytes = b"",
        fd: int = -1,
        *,
        may_wait: bool,
    ) -> None:
        """Send one message.

        Raises
        ------
        BlockingIOError : there is no room now, and it may not wait.
        OSError : nobody is at the other end.
        """
        data = HEADER.pack(kind, fd >= 0, number, epoch) + body
        flags = 0 if may_wait else _DONT_WAIT
        if fd < 0:
            self.end.send(data, flags)
            return
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
        self.end.sendmsg([data], [rights], flags)

    def receive(self, *, may_wait: bool) -> Message | None:
        """Return the next message, None at the end of the line.

        Raises
        ------
        BlockingIOError : there is none now, and it may not wait.
        """
        flags = _CLOSE_ON_EXEC if may_wait else _CLOSE_ON_EXEC | _DONT_WAIT
        try:
            size, ancillary, _, _ = self.end.recvmsg_into([self._room], self._ancillary, flags)
        except ConnectionResetError:
            return self.receive(may_wait=may_wait)  # told once, before what was sent by the dead
        if not size:
            return None
        fd = _descriptor(ancillary)
        kind, has_file, number, epoch = HEADER.unpack_from(self._room)
        if has_file and fd < 0:
            raise BrokenError(
                f"process {os.getpid()} has too many files open to receive what was sent to it; "
                "raise the limit (ulimit -n) or close files",
                number=number,
            )
        return Message(_KINDS[kind], number, epoch, bytes(self._room[HEADER.size : size]), fd)

    def close(self) -> None:
        """Close this end. Safe to call twice."""
        self.end.close()


def _descriptor(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS and len(data) >= _INTS:
            return int(array.array("i", data[:_INTS])[0])
    return -1


def key_bytes(key: int) -> bytes:
    """Return a storage key as it stands in messages."""
    return key.to_bytes(_KEY_BYTES, "little")


def key_of(data: bytes) -> int:
    """Return the storage key that a message names."""
    return int.from_bytes(data[:_KEY_BYTES], "little")
