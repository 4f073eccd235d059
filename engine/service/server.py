"""The engine service's main loop: sockets, state changes, telemetry and log, in one thread."""

import contextlib
import logging
import os
import time
from collections import deque
from typing import Any

import msgspec
import zmq

from engine.client import Endpoint
from engine.process import WakePipe, start_time_of
from engine.protocol import LogEntry, Reply, Request, StateChange, unpack
from engine.service.dispatch import Dispatcher
from engine.service.publisher import FigureCollector
from engine.service.store import StateStore
from engine.service.workspace import Workspace

__all__ = ("EngineServer",)

log = logging.getLogger(__name__)

_TELEMETRY_INTERVAL_S = 0.2
_RECORDER_INTERVAL_S = 1.0
_END_DEADLINE_S = 8.0
_LOG_LIMIT = 10_000


class EngineServer:
    """Serves clients at an endpoint until asked to end."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._wake = WakePipe()
        self._changes: deque[StateChange] = deque()
        self._replies: deque[tuple[bytes, Reply]] = deque()
        self._log: deque[bytes] = deque(maxlen=_LOG_LIMIT)
        self._is_over = False
        self._store = StateStore(self._publish_later)
        self._dispatcher = Dispatcher(self._make_workspace, self._reply_later, self._ended)
        self._collector = FigureCollector()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Request)

    def put_log(self, entry: bytes) -> bool:
        """Queue a packed log entry for the clients; from any thread, returns at once."""
        self._log.append(entry)
        self._wake.wake()
        return True

    def end(self) -> None:
        """Ask the service to stop everything and end; from any thread or signal handler."""
        self._dispatcher.end()

    def serve(self) -> None:
        """Serve until the end; closes everything before it returns."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        control = context.socket(zmq.ROUTER)
        events = context.socket(zmq.PUB)
        try:
            for socket in (control, events):
                socket.setsockopt(zmq.LINGER, 200)
                socket.setsockopt(zmq.SNDHWM, 10_000)
            control.bind(self._endpoint.control)
            events.bind(self._endpoint.events)
            self._endpoint.write_owner(os.getpid(), start_time_of(os.getpid()) or 0)
            self._dispatcher.start()
            self._loop(control, events)
        finally:
            self._dispatcher.end()
            self._dispatcher.join(_END_DEADLINE_S)
            self._send_waiting(control, events)
            control.close()
            events.close()
            context.term()
            self._wake.close()
            self._endpoint.remove()

    def _loop(self, control: zmq.Socket[bytes], events: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(control, zmq.POLLIN)
        poller.register(self._wake.fileno(), zmq.POLLIN)
        next_telemetry = next_recorder = time.monotonic()
        while not self._is_over:
            now = time.monotonic()
            if now >= next_telemetry:
                next_telemetry = now + _TELEMETRY_INTERVAL_S
                self._send_telemetry(events)
            if now >= next_recorder:
                next_recorder = now + _RECORDER_INTERVAL_S
                self._publish_recorder()
            left_ms = max(0, int((next_telemetry - time.monotonic()) * 1000) + 1)
            ready: dict[Any, int] = dict(poller.poll(left_ms))
            self._wake.clear()
            if control in ready:
                self._take_requests(control)
            self._send_waiting(control, events)

    def _take_requests(self, control: zmq.Socket[bytes]) -> None:
        while control.poll(0):
            parts = control.recv_multipart()
            try:
                request = unpack(self._decoder, parts[-1])
            except msgspec.DecodeError as error:
                log.warning("a client sent something that is not a request: %s", error)
                continue
            self._dispatcher.put(parts[0], request)

    def _send_waiting(self, control: zmq.Socket[bytes], events: zmq.Socket[bytes]) -> None:
        while self._changes:
            events.send_multipart((b"s", self._encoder.encode(self._changes.popleft())))
        while self._replies:
            client, reply = self._replies.popleft()
            # A client that has gone gets no reply.
            with contextlib.suppress(zmq.ZMQError):
                control.send_multipart((client, self._encoder.encode(reply)), zmq.NOBLOCK)
        if self._log:
            entries = []
            while self._log:
                entries.append(msgspec.msgpack.decode(self._log.popleft(), type=LogEntry))
            events.send_multipart((b"l", self._encoder.encode(entries)))

    def _send_telemetry(self, events: zmq.Socket[bytes]) -> None:
        workspace = self._dispatcher.workspace
        if workspace is not None:
            telemetry = self._collector.collect(workspace)
            events.send_multipart((b"t", self._encoder.encode(telemetry)))

    def _publish_recorder(self) -> None:
        workspace = self._dispatcher.workspace
        if workspace is not None and workspace.recorder is not None:
            workspace.publish_recorder()

    def _make_workspace(self) -> Workspace:
        return Workspace(self._store)

    def _publish_later(self, change: StateChange) -> None:
        self._changes.append(change)
        self._wake.wake()

    def _reply_later(self, client: bytes, reply: Reply) -> None:
        self._replies.append((client, reply))
        self._wake.wake()

    def _ended(self) -> None:
        self._is_over = True
        self._wake.wake()
