"""Talks to an engine service: commands and replies, state, telemetry and log. No threads, no Qt."""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Self

import msgspec
import zmq

from engine.client.endpoint import Endpoint, find_endpoints, reap_endpoints
from engine.errors import (
    ClosedError,
    EngineDiedError,
    EngineError,
    EngineTimeoutError,
    WrongStateError,
    from_wire,
)
from engine.process import ChildProcess, python_command
from engine.protocol import (
    PROTOCOL_VERSION,
    Answer,
    AnyCommand,
    GetSnapshot,
    Hello,
    LogEntry,
    Reply,
    Request,
    Shutdown,
    Snapshot,
    StateChange,
    Telemetry,
)
from engine.shm import reap, reap_owner

__all__ = ("EngineClient", "OnReply")

OnReply = Callable[[Answer | None, EngineError | None], None]
"""Called with the answer, or with the error; exactly one of them is set."""

_STATE, _TELEMETRY, _LOG = b"s", b"t", b"l"
_LOG_LIMIT = 10_000
_STOP_S = 5.0


class EngineClient:
    """A connection to an engine service; belongs to one thread.

    Make one with `launch` (starts a service that ends with this process) or `attach`. Call `pump`
    regularly, or `call`, which pumps while it waits.
    """

    def __init__(self, endpoint: Endpoint, child: ChildProcess | None = None) -> None:
        self.endpoint = endpoint
        self.snapshot = Snapshot()
        self.telemetry: Telemetry | None = None
        self._child = child
        self._outcome: str | None = None
        self._log: deque[LogEntry] = deque(maxlen=_LOG_LIMIT)
        self._waiting: dict[int, OnReply] = {}
        self._held: deque[Reply] = deque()
        self._next_id = 1
        self._is_snapshot_asked = False
        self._context: zmq.Context[zmq.Socket[bytes]] | None = zmq.Context()
        self._control = self._context.socket(zmq.DEALER)
        self._events = self._context.socket(zmq.SUB)
        for socket in (self._control, self._events):
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVHWM, 10_000)
        self._events.setsockopt(zmq.SUBSCRIBE, b"")
        self._control.connect(endpoint.control)
        self._events.connect(endpoint.events)
        self._decode_reply = msgspec.msgpack.Decoder(Reply)
        self._decode_change = msgspec.msgpack.Decoder(StateChange)
        self._decode_telemetry = msgspec.msgpack.Decoder(Telemetry)
        self._decode_log = msgspec.msgpack.Decoder(list[LogEntry])

    @classmethod
    def launch(cls, *, name: str = "client", timeout_s: float | None = 15.0) -> Self:
        """Start an engine service that ends with this process, and connect to it.

        `timeout_s` None returns at once; the snapshot then arrives through `pump`.

        Raises
        ------
        EngineDiedError, EngineTimeoutError
            When the service ends or does not answer.
        """
        reap()
        reap_endpoints()
        endpoint = Endpoint.make()
        command = python_command(
            "engine.service", "--folder", endpoint.folder, "--parent", str(os.getpid())
        )
        client = cls(endpoint, ChildProcess("engine", command))
        try:
            client._greet(name, timeout_s)
        except BaseException:
            client.close()
            raise
        return client

    @classmethod
    def attach(cls, folder: str = "", *, name: str = "client", timeout_s: float = 5.0) -> Self:
        """Connect to a running engine service; without a folder, to the newest of this user.

        Raises
        ------
        WrongStateError
            When no engine service runs.
        """
        endpoints = [Endpoint(folder)] if folder else find_endpoints()
        if not endpoints:
            raise WrongStateError(
                "no engine is running; start one with 'penstock gui' or 'penstock serve'"
            )
        client = cls(endpoints[0])
        try:
            client._greet(name, timeout_s)
        except BaseException:
            client.close()
            raise
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def engine_outcome(self) -> str | None:
        """A sentence when the engine service has ended without being asked to, else None."""
        return self._outcome

    @property
    def engine_pid(self) -> int:
        """Process id of the engine service; 0 while it is not known."""
        return self._child.pid if self._child is not None else self.snapshot.engine.pid

    def send(self, command: AnyCommand, on_reply: OnReply | None = None) -> None:
        """Send a command and return at once; `on_reply` is called from `pump`."""
        if self._context is None:
            raise ClosedError("the connection to the engine was closed")
        request = Request(self._next_id, command)
        self._next_id += 1
        if self._outcome is not None:
            if on_reply is not None:
                on_reply(None, EngineDiedError(self._outcome))
            return
        if on_reply is not None:
            self._waiting[request.request_id] = on_reply
        self._control.send(msgspec.msgpack.encode(request))

    def call(self, command: AnyCommand, timeout_s: float = 10.0) -> Answer:
        """Send a command and wait for its answer.

        Raises
        ------
        EngineTimeoutError
            When no answer came in time.
        EngineDiedError
            When the service ended meanwhile.
        EngineError
            Whatever the command failed with.
        """
        got: list[tuple[Answer | None, EngineError | None]] = []
        self.send(command, lambda answer, error: got.append((answer, error)))
        deadline = time.monotonic() + timeout_s
        while not got:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                verb = type(command).__name__
                raise EngineTimeoutError(f"the engine did not answer {verb} within {timeout_s:g} s")
            self.wait(left_s)
            self.pump()
        answer, error = got[0]
        if error is not None:
            raise error
        return answer or Answer()

    def wait(self, timeout_s: float) -> None:
        """Sleep until something arrives, the service ends, or the time is over."""
        poller = zmq.Poller()
        poller.register(self._control, zmq.POLLIN)
        poller.register(self._events, zmq.POLLIN)
        if self._child is not None and self._outcome is None:
            poller.register(self._child.sentinel_fd, zmq.POLLIN)
        poller.poll(max(0, int(timeout_s * 1000)))

    def pump(self) -> bool:
        """Handle everything that has arrived, without waiting; tell whether there was anything."""
        if self._context is None:
            return False
        has_news = self._take_events()
        has_news = self._take_replies() or has_news
        return self._notice_death() or has_news

    def drain_log(self) -> list[LogEntry]:
        """Return and forget the log entries that arrived since the last call."""
        entries = list(self._log)
        self._log.clear()
        return entries

    def close(self) -> None:
        """Disconnect; a launched service is stopped first. Safe to call twice."""
        if self._context is None:
            return
        child = self._child
        if child is not None:
            child.stop(ask=self._ask_to_end, grace_s=_STOP_S)
            reap_owner(child.pid)
            child.close()
            self.endpoint.remove()
        context, self._context = self._context, None
        self._control.close()
        self._events.close()
        if context is not None:
            context.term()
        self._fail_waiting(ClosedError("the connection to the engine was closed"))

    def _ask_to_end(self) -> None:
        if self._outcome is None:
            self._control.send(msgspec.msgpack.encode(Request(self._next_id, Shutdown())))

    def _greet(self, name: str, timeout_s: float | None) -> None:
        hello = Hello(PROTOCOL_VERSION, name)
        if timeout_s is None:
            self.send(hello, self._welcomed)
            return
        self._welcomed(self.call(hello, timeout_s), None)

    def _welcomed(self, answer: Answer | None, _error: EngineError | None) -> None:
        self._is_snapshot_asked = False
        snapshot = answer.snapshot if answer is not None else None
        if snapshot is not None and snapshot.version >= self.snapshot.version:
            self.snapshot = snapshot

    def _take_replies(self) -> bool:
        has_news = False
        while self._control.poll(0):
            reply = self._decode_reply.decode(self._control.recv())
            has_news = True
            if reply.answer is not None and reply.answer.snapshot is not None:
                self._hand_on(reply)
            else:
                self._held.append(reply)
        self._hand_on_held()
        return has_news

    def _hand_on_held(self) -> None:
        """Hand replies on in order, each once the state it speaks of is known."""
        if self._held and self._held[-1].state_version > self.snapshot.version:
            self._take_events()
        while self._held and self._held[0].state_version <= self.snapshot.version:
            self._hand_on(self._held.popleft())
        if self._held:
            self._ask_for_snapshot()

    def _hand_on(self, reply: Reply) -> None:
        on_reply = self._waiting.pop(reply.request_id, None)
        if on_reply is None:
            return
        if reply.error is not None:
            on_reply(None, from_wire(reply.error))
        else:
            on_reply(reply.answer or Answer(), None)

    def _ask_for_snapshot(self) -> None:
        if not self._is_snapshot_asked:
            self._is_snapshot_asked = True
            self.send(GetSnapshot(), self._welcomed)

    def _take_events(self) -> bool:
        has_news = False
        while self._events.poll(0):
            topic, body = self._events.recv_multipart()
            has_news = True
            if topic == _STATE:
                self._follow(self._decode_change.decode(body))
            elif topic == _TELEMETRY:
                self.telemetry = self._decode_telemetry.decode(body)
            elif topic == _LOG:
                self._log.extend(self._decode_log.decode(body))
        return has_news

    def _follow(self, change: StateChange) -> None:
        if change.version == self.snapshot.version + 1:
            self.snapshot = change.apply_to(self.snapshot)
        elif change.version > self.snapshot.version:
            self._ask_for_snapshot()

    def _notice_death(self) -> bool:
        if self._outcome is not None:
            return False
        if self._child is not None:
            outcome = self._child.poll()
            if outcome is None:
                return False
            pid, sentence = self._child.pid, outcome.sentence()
        elif self.snapshot.engine.pid and not self.endpoint.owner_is_alive():
            pid, sentence = self.snapshot.engine.pid, "has ended"
        else:
            return False
        self._outcome = f"the engine (process {pid}) {sentence}"
        reap_owner(pid)
        self._fail_waiting(EngineDiedError(self._outcome, pid=pid))
        return True

    def _fail_waiting(self, error: EngineError) -> None:
        waiting, self._waiting = self._waiting, {}
        for on_reply in waiting.values():
            on_reply(None, error)
