"""Who comes in: the gateway's socket, the check of keys, and the count of connections."""

import contextlib
import enum
import itertools
import logging
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from engine.errors import OutputError
from engine.manager.address import NetworkAddress
from engine.manager.errors import ManagerUnavailableError
from engine.manager.network.keys import KeyPair, ManagerKeys
from engine.manager.network.sockets import endpoint_of, prepare

__all__ = ("MOST_CONNECTIONS", "Delivery", "Door", "Letter")

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 256
_MOST_OPEN = 2 * MOST_CONNECTIONS  # also those that have not proved their key yet
_MOST_UNREAD = 1000
_IO_THREADS = 2
_FRESH_S = 60.0
_LOG_EVERY_S = 10.0
_DOMAIN = b"penstock-manager"
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


class Delivery(enum.Enum):
    """What became of a message to a client."""

    SENT = enum.auto()
    GONE = enum.auto()
    NOT_READ = enum.auto()  # the client takes nothing any more


class Letter(msgspec.Struct, frozen=True):
    """A message that came in.

    Attributes
    ----------
    client : where answers go.
    connection : tells connections apart, for ever.
    fd : the connection's descriptor, which ZeroMQ owns; another one may have it later.
    key, host : whose it is, and from where.
    parts : the packed message, and what follows it.
    """

    client: bytes
    connection: str
    fd: int
    key: str
    host: str
    parts: list[memoryview]


class Door:
    """Lets clients with an allowed key in, and nobody else; for the gateway's one thread.

    ZeroMQ decides nothing by itself: each key is looked up in the folder when it comes.

    Raises
    ------
    OutputError
        When it cannot listen at the address.
    """

    def __init__(self, listen: NetworkAddress, pair: KeyPair, keys: ManagerKeys) -> None:
        self._keys = keys
        self._connections: dict[int, float] = {}
        self._numbers = itertools.count(1)
        self._refused = 0
        self._next_log_s = 0.0
        self._ended_early: set[int] = set()
        self._fresh: dict[str, float] = {}  # let in, not heard of yet
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(_IO_THREADS)
        self._judge = self._context.socket(zmq.REP)
        self._judge.setsockopt(zmq.LINGER, 0)
        self._judge.bind("inproc://zeromq.zap.01")
        self._socket = self._context.socket(zmq.ROUTER)
        self._monitor = self._socket.get_monitor_socket(_EVENTS)
        self._poller = zmq.Poller()
        try:
            endpoint, is_ipv6 = endpoint_of(listen)
            self._set_up(pair, is_ipv6)
            self._socket.bind(endpoint)
        except (zmq.ZMQError, ManagerUnavailableError) as error:
            self.close()
            raise OutputError(
                f"the device manager cannot listen at {listen}: {error}; choose an address of this "
                "machine, and a port that is free",
                address=str(listen),
            ) from error
        for source in (self._judge, self._monitor, self._socket):
            self.watch(source)

    def _set_up(self, pair: KeyPair, is_ipv6: bool) -> None:
        prepare(self._socket, is_ipv6=is_ipv6)
        self._socket.setsockopt(zmq.SNDHWM, _MOST_UNREAD)
        self._socket.setsockopt(zmq.RCVHWM, _MOST_UNREAD)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
        self._socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._socket.setsockopt(zmq.CURVE_SERVER, 1)
        self._socket.setsockopt(zmq.CURVE_SECRETKEY, pair.secret.encode())

    # -- waiting

    def watch(self, source: Any) -> None:  # noqa: ANN401 - a descriptor or a socket
        """Wait for something else as well; see `wait`."""
        self._poller.register(source, zmq.POLLIN)

    def unwatch(self, source: Any) -> None:  # noqa: ANN401 - the same
        """Do not wait for it any more."""
        with contextlib.suppress(KeyError):
            self._poller.unregister(source)

    def wait(self, timeout_s: float | None) -> list[int]:
        """Wait for anything, and return the watched descriptors that are readable."""
        ready = self._poller.poll(None if timeout_s is None else int(timeout_s * 1000))
        return [source for source, _ in ready if isinstance(source, int)]

    # -- connections

    @property
    def has_connections(self) -> bool:
        """Whether anybody is connected, also somebody who may not come in."""
        return bool(self._connections)

    def is_connected(self, fd: int) -> bool:
        """Whether a connection is still there."""
        return fd in self._connections

    def ended(self) -> list[int]:
        """Take note of what came and went; return the descriptors of connections that ended.

        ZeroMQ's threads tell of a connection each for itself, so that its end, and its first
        message as well, may be heard of before its beginning.
        """
        gone: list[int] = []
        while self._monitor.poll(0):
            told = recv_monitor_message(self._monitor)
            fd = int(told["value"])
            if told["event"] != zmq.EVENT_ACCEPTED:
                gone.append(fd)
                if self._connections.pop(fd, None) is None:
                    self._ended_early.add(fd)
            elif fd in self._ended_early:
                self._ended_early.remove(fd)
            else:
                self._connections[fd] = time.monotonic()
                if len(self._connections) > _MOST_OPEN:  # too many to be told why
                    self.shut(fd)
        return gone

    def is_first(self, letter: Letter) -> bool:
        """Whether nothing came through that connection before; true once."""
        return self._fresh.pop(letter.connection, None) is not None

    def older_than(self, age_s: float) -> list[int]:
        """Return the descriptors of connections that are there for so long."""
        since = time.monotonic() - age_s
        return [fd for fd, begun in self._connections.items() if begun <= since]

    def shut(self, fd: int) -> None:
        """End a connection, without taking its descriptor from ZeroMQ."""
        if fd not in self._connections:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as end:
            end.shutdown(socket.SHUT_RDWR)

    def judge(self) -> None:
        """Say to keys that came whether they are allowed; after `ended`."""
        while self._judge.poll(0):
            self._answer_judge()

    # -- messages

    def receive(self) -> Letter | None:
        """Return what came in, None when nothing is there."""
        if not self._socket.poll(0):
            return None
        client, *frames = self._socket.recv_multipart(copy=False)
        last = frames[-1] if frames else client
        connection, _, key = _told(last, "User-Id").partition(" ")
        return Letter(
            client=client.bytes,
            connection=connection,
            fd=int(_told(last, "__fd") or -1),
            key=key,
            host=_told(last, "Peer-Address"),
            parts=[frame.buffer for frame in frames],
        )

    def send(self, client: bytes, parts: Sequence[memoryview | bytes]) -> Delivery:
        """Send a message, all of it copied."""
        try:
            self._socket.send_multipart([client, *parts], zmq.NOBLOCK)
        except zmq.Again:
            return Delivery.NOT_READ
        except zmq.ZMQError as error:
            log.debug("a client cannot be told: %s", error)
            return Delivery.GONE
        return Delivery.SENT

    def close(self, linger_s: float = 0.0) -> None:
        """End all connections; what was said last is sent within `linger_s`."""
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close(int(linger_s * 1000))
        self._judge.close()
        self._context.term()

    def _answer_judge(self) -> None:
        """Say whether a key is allowed, in the words of ZeroMQ's authentication protocol (ZAP)."""
        version, number, _domain, host, _identity, mechanism, *credentials = (
            self._judge.recv_multipart()
        )
        key = z85.encode(credentials[0]).decode() if mechanism == b"CURVE" and credentials else ""
        name = self._keys.allowed().get(key)
        if name is None:
            self._log_refused(host.decode(), "its key is not allowed")
            verdict = [b"400", b"the key is not allowed", b""]
        elif len(self._connections) > MOST_CONNECTIONS:
            self._log_refused(host.decode(), "there are too many")
            verdict = [b"500", b"there are too many connections", b""]
        else:
            connection = str(next(self._numbers))
            self._note_fresh(connection)
            verdict = [b"200", b"", f"{connection} {key}".encode()]
        self._judge.send_multipart([version, number, *verdict, b""])

    def _log_refused(self, host: str, why: str) -> None:
        """Log the first, then now and then how many: anybody may knock as often as he will."""
        self._refused += 1
        now = time.monotonic()
        if now >= self._next_log_s:
            log.warning("refused %d connections, the last from %s: %s", self._refused, host, why)
            self._refused, self._next_log_s = 0, now + _LOG_EVERY_S

    def _note_fresh(self, connection: str) -> None:
        now = time.monotonic()
        self._fresh = {one: at for one, at in self._fresh.items() if now - at < _FRESH_S}
        self._fresh[connection] = now


def _told(frame: zmq.Frame, what: str) -> str:
    try:
        return str(frame.get(what))
    except zmq.ZMQError:  # not in the message
        return ""
