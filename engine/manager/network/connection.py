"""A client's encrypted connection to the gateway of a manager."""

import contextlib
import errno
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import zmq
from zmq.utils.monitor import recv_monitor_message

from engine.errors import (
    BrokenError,
    ClosedError,
    EngineError,
    EngineTimeoutError,
    WireError,
    from_wire,
)
from engine.manager.address import NetworkAddress
from engine.manager.errors import ManagerKeyError, ManagerLostError, ManagerUnavailableError
from engine.manager.line import UNREADABLE
from engine.manager.network.keys import KeyPair, fingerprint
from engine.manager.network.messages import Answer, Bye, Ending, PlaceClosed, Question
from engine.manager.network.sockets import endpoint_of, prepare
from engine.process import WakePipe

__all__ = ("Connection",)

Parts = Sequence[memoryview | bytes]

_CONNECT_S = 8.0
_JOIN_S = 2.0
# Without any reconnection, ZeroMQ throws away what came last and was not read yet.
_NEVER_MS = 24 * 3600 * 1000
_FULL = 500  # what the gateway's door says when there are too many; see its `_judge`
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class _Waiter:
    """A thread that waits for an answer; `owner` is what may be given up as a whole."""

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.is_done = threading.Event()
        self.answer: Answer | None = None
        self.parts: Parts = ()
        self.error: EngineError | None = None

    def fail(self, error: EngineError) -> None:
        self.error = error
        self.is_done.set()


class Connection:
    """Sends questions and returns answers; for any number of threads.

    One thread owns the socket. Keys are checked and heartbeats are sent by ZeroMQ. A connection
    that ended stays so: who wants another one makes it.

    Raises
    ------
    ManagerUnavailableError
        When the host cannot be found.
    """

    def __init__(self, address: NetworkAddress, pair: KeyPair, manager_key: str) -> None:
        endpoint, is_ipv6 = endpoint_of(address)
        self.address = address
        self._fingerprint = fingerprint(pair.public)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._outbox: deque[list[Any]] = deque()
        self._waiting: dict[int, _Waiter] = {}
        self._ended: EngineError | None = None
        self._reason: EngineError | None = None  # what the other end said last
        self._is_connected = self._is_in = self._is_silent = False
        self._is_dismissed = self._is_closing = False
        self._wake = WakePipe()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        prepare(self._socket, is_ipv6=is_ipv6)
        self._socket.setsockopt(zmq.SNDHWM, 0)  # the links limit what is under way
        self._socket.setsockopt(zmq.RECONNECT_IVL, _NEVER_MS)
        self._socket.setsockopt(zmq.CONNECT_TIMEOUT, int(_CONNECT_S * 1000))
        self._socket.setsockopt(zmq.CURVE_PUBLICKEY, pair.public.encode())
        self._socket.setsockopt(zmq.CURVE_SECRETKEY, pair.secret.encode())
        self._socket.setsockopt(zmq.CURVE_SERVERKEY, manager_key.encode())
        self._monitor = self._socket.get_monitor_socket()
        self._socket.connect(endpoint)
        # A daemon: a program that forgets to close ends nevertheless, and the gateway notices.
        self._thread = threading.Thread(target=self._pump, name=f"network-{address}", daemon=True)
        self._thread.start()

    def why_lost(self, wait_s: float) -> EngineError:
        """Return what became of a manager that is gone: the connection to it ends soon as well."""
        self._thread.join(wait_s)
        return self._copy(self._ended or self._lost("has ended"))

    def number(self) -> int:
        """Return a number for the next question."""
        return next(self._numbers)

    def ask(
        self,
        question: Question,
        parts: Iterable[memoryview] = (),
        *,
        timeout_s: float | None = None,
        owner: object = None,
    ) -> tuple[Answer, Parts]:
        """Send a question, and return its answer with the parts that follow it.

        Parameters
        ----------
        timeout_s : None waits as long as the connection lasts.
        owner : for `give_up`.

        Raises
        ------
        ManagerUnavailableError
            When the connection did not come about.
        ManagerLostError
            When it ended.
        EngineTimeoutError
            When the answer did not come in time.
        """
        number: int = getattr(question, "number")  # noqa: B009 - PlaceClosed alone has none
        waiter = _Waiter(owner)
        with self._lock:
            if self._ended is not None:
                raise self._copy(self._ended)
            self._waiting[number] = waiter
        self._send(question, parts)
        try:
            if not waiter.is_done.wait(timeout_s):
                raise EngineTimeoutError(
                    f"the device manager at {self.address} did not answer within {timeout_s:g} s"
                )
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        if waiter.error is not None:
            raise self._copy(waiter.error)
        if waiter.answer is None:
            raise BrokenError("the connection to the device manager was interrupted")
        return waiter.answer, waiter.parts

    def tell(self, message: PlaceClosed) -> None:
        """Send what has no answer; lost when the connection has ended."""
        self._send(message, ())

    def give_up(self, owner: object, error: EngineError) -> None:
        """Wake who waits for answers to an owner's questions; None is everybody's."""
        with self._lock:
            waiters = [w for w in self._waiting.values() if owner is None or w.owner is owner]
        for waiter in waiters:
            waiter.fail(error)

    def close(self) -> None:
        """End the connection. Wakes who waits. Safe to call twice."""
        self._is_closing = True
        self._wake.wake()
        self._thread.join(_JOIN_S)

    # -- the thread that owns the socket

    def _send(self, message: Question, parts: Iterable[memoryview]) -> None:
        self._outbox.append([_encoder.encode(message), *parts])
        self._wake.wake()

    def _pump(self) -> None:
        """Send, receive, and notice the end (a thread's outermost function)."""
        poller = zmq.Poller()
        for source in (self._socket, self._monitor, self._wake.fileno()):
            poller.register(source, zmq.POLLIN)
        error: EngineError = ClosedError("the connection to the device manager was closed")
        try:
            while not self._is_closing:
                poller.poll()
                self._wake.clear()
                while self._outbox:
                    # It blocks only when the connection has ended, and the events say so soon.
                    with contextlib.suppress(zmq.Again):
                        self._socket.send_multipart(self._outbox.popleft(), zmq.NOBLOCK)
                ending = self._take_events()
                self._receive()  # also what came just before the end
                if ending is not None or self._is_dismissed:
                    error = self._reason or ending or error
                    break
        except (*UNREADABLE, zmq.ZMQError) as fault:
            error = ManagerLostError(
                f"the device manager at {self.address} sent something that makes no sense: {fault}"
            )
        finally:
            self._end(error)

    def _end(self, error: EngineError) -> None:
        with self._lock:
            self._ended = error
        self.give_up(None, error)
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
        self._context.term()
        self._wake.close()

    def _receive(self) -> None:
        while self._socket.poll(0):
            head, *parts = self._socket.recv_multipart(copy=False)
            answer = _decoder.decode(head.buffer)
            if isinstance(answer, Ending):
                self._reason = self._lost(f"ended: {answer.reason}")
            elif isinstance(answer, Bye):
                self._reason = from_wire(answer.error)
                self._is_dismissed = True
            else:
                with self._lock:
                    waiter = self._waiting.get(answer.number)
                if waiter is not None:
                    waiter.answer = answer
                    waiter.parts = [part.buffer for part in parts]
                    waiter.is_done.set()

    def _take_events(self) -> EngineError | None:
        """Return why the connection ended, None while it did not."""
        while self._monitor.poll(0):
            told = recv_monitor_message(self._monitor)
            match told["event"]:
                case zmq.EVENT_CONNECTED:
                    self._is_connected = True
                case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._is_in = True
                case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                    self._is_silent = told["value"] in (errno.EAGAIN, errno.ETIMEDOUT)
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                    return self._not_let_in(int(told["value"]))
                case zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED:
                    return self._why_ended()
        return None

    def _not_let_in(self, status: int) -> EngineError:
        if status == _FULL:
            return ManagerUnavailableError(
                f"the device manager at {self.address} has as many connections as it takes; close "
                "some, or try again later"
            )
        return ManagerKeyError(
            f"the device manager at {self.address} does not allow the key of this machine "
            f"({self._fingerprint}); run there 'penstock manager allow NAME client.pub' with the "
            "client.pub of this machine"
        )

    def _why_ended(self) -> EngineError:
        if self._is_in:
            return self._lost("is gone: the connection broke")
        if not self._is_connected:
            return ManagerUnavailableError(
                f"no device manager answers at {self.address}; start it there with 'penstock "
                "manager start --listen ADDRESS', or check manager_addr and manager_port"
            )
        if self._is_silent:
            return ManagerUnavailableError(
                f"what listens at {self.address} says nothing; it is no device manager, or one "
                "that hangs: check manager_addr and manager_port"
            )
        return ManagerKeyError(
            f"what answers at {self.address} does not have the key that is known for it; when its "
            "key was changed, copy its new manager.pub here and run 'penstock manager trust "
            f"{self.address.host} manager.pub --port {self.address.port}'"
        )

    def _lost(self, what: str) -> ManagerLostError:
        return ManagerLostError(
            f"the device manager at {self.address} {what}; the frames it had are lost, the next "
            "one connects again"
        )

    @staticmethod
    def _copy(error: EngineError) -> EngineError:
        """Return an error of its own for each thread; a raised one carries where it was raised."""
        return from_wire(WireError(error.code, error.message, dict(error.details)))
