"""The manager itself: one thread that watches clients and device workers, and moves no frame."""

import contextlib
import logging
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from engine.errors import (
    BrokenError,
    DeviceNotFoundError,
    EngineError,
    OutputError,
    WrongStateError,
    to_wire,
)
from engine.manager.address import ManagerAddress, NetworkAddress
from engine.manager.bookkeeping import Client, Place, StatusRequest
from engine.manager.device_worker import DeviceWorker
from engine.manager.devices import lock_names
from engine.manager.gateway_process import GatewayProcess
from engine.manager.line import Line, close_fds
from engine.manager.messages import (
    PROTOCOL_VERSION,
    AskStatus,
    Attach,
    Attached,
    AttachRefused,
    Detached,
    Ending,
    Figures,
    Hello,
    Leave,
    Left,
    Message,
    Open,
    Opened,
    Refused,
    Status,
    Stop,
    Welcome,
    WorkerLost,
)
from engine.manager.status import DeviceFigures, DeviceInfo, ManagerStatus
from engine.process import WakePipe
from engine.shm import reap, reap_owner

__all__ = ("Manager",)

log = logging.getLogger(__name__)

_BACKLOG = 128
_PEER = struct.Struct("3i")


class Manager:
    """Serves one address until it is stopped or nobody has used it for a while.

    Parameters
    ----------
    idle_timeout_s : ends this long after the last client; 0 never.
    listen : where clients of the network come in, if they may.
    """

    def __init__(
        self,
        address: ManagerAddress,
        devices: Sequence[DeviceInfo],
        *,
        idle_timeout_s: float,
        listen: NetworkAddress | None = None,
    ) -> None:
        self._address = address
        self._idle_timeout_s = idle_timeout_s
        self._begun_s = self._used_s = time.monotonic()
        names = lock_names(devices)
        self._workers = {
            info.index: DeviceWorker(info, address.device_lock_path(names[info.index]))
            for info in devices
        }
        self._clients: dict[int, Client] = {}
        self._places: dict[int, Place] = {}
        self._pidfds: dict[int, int] = {}
        self._waiting: list[StatusRequest] = []
        self._numbers = 0
        self._why_ending = ""
        self._stopper: Client | None = None
        self._selector = selectors.DefaultSelector()
        self._wake = WakePipe()
        self._listener: socket.socket | None = None
        self._gateway = None if listen is None else GatewayProcess(address, listen)

    def listen(self) -> None:
        """Be reachable; what lies at the address is stale, because its lock is ours.

        Raises
        ------
        EngineError
            When the socket cannot be made, or the network's gateway cannot be opened.
        """
        path = Path(self._address.socket_path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.setblocking(False)
        before = os.umask(0o177)
        try:
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise OutputError(f"the device manager cannot listen at {path}: {error}") from error
        finally:
            os.umask(before)
        self._listener = listener
        reap()
        self._watch(listener.fileno(), self._accept)
        self._watch(self._wake.fileno(), self._wake.clear)
        log.info("listening at %s, process %d", path, os.getpid())
        if self._gateway is not None:
            self._start_gateway(self._gateway)
            try:
                self._gateway.wait_ready()
            except EngineError as error:
                self._why_ending = str(error)
                self._close()
                raise

    def end(self, reason: str) -> None:
        """End soon. Safe in a signal handler."""
        self._why_ending = reason
        self._wake.wake()

    def serve(self) -> None:
        """Serve until the end, then free everything."""
        try:
            while not self._why_ending:
                for key, _ in self._selector.select(self._next_timer_s()):
                    key.data()
                self._check_timers()
        finally:
            self._close()

    # -- time

    def _next_timer_s(self) -> float | None:
        moments = [request.until_s for request in self._waiting]
        if self._idle_timeout_s and not self._is_used():
            moments.append(self._used_s + self._idle_timeout_s)
        if self._gateway is not None and self._gateway.retry_at_s is not None:
            moments.append(self._gateway.retry_at_s)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _check_timers(self) -> None:
        now = time.monotonic()
        for request in [r for r in self._waiting if r.until_s <= now or not r.missing]:
            self._waiting.remove(request)
            self._answer_status(request)
        gateway = self._gateway
        if gateway is not None and gateway.retry_at_s is not None and now >= gateway.retry_at_s:
            self._start_gateway(gateway)
        if self._is_used():
            self._used_s = now
        elif self._idle_timeout_s and now >= self._used_s + self._idle_timeout_s:
            self.end("it was not used any more")

    def _is_used(self) -> bool:
        return any(client.has_programs for client in self._clients.values())

    # -- clients

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            end, _ = self._listener.accept()
        except OSError:
            return
        pid, uid, _ = _PEER.unpack(
            end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        )
        if uid not in (os.getuid(), 0):
            log.warning("refused a connection of user %d", uid)
            end.close()
            return
        self._numbers += 1
        client = Client(self._numbers, Line(end), pid)
        self._clients[client.number] = client
        self._watch(client.line.fileno(), lambda: self._hear(client))
        self._watch_process(pid)

    def _watch_process(self, pid: int) -> None:
        """Remove what a client's process leaves in shared memory, as soon as it has ended."""
        if pid in self._pidfds or not hasattr(os, "pidfd_open"):
            return
        with contextlib.suppress(OSError):  # of another container, or gone
            fd = self._pidfds[pid] = os.pidfd_open(pid)
            self._watch(fd, lambda: self._bury(pid))

    def _bury(self, pid: int) -> None:
        fd = self._pidfds.pop(pid)
        self._selector.unregister(fd)
        os.close(fd)
        reap_owner(pid)

    def _hear(self, client: Client) -> None:
        try:
            received = client.line.recv()
            if received is None:
                return
            message, fds = received
            try:
                self._obey(client, message, fds)
            finally:
                close_fds(fds)
        except EngineError as error:
            log.debug("client %d (process %d): %s", client.number, client.pid, error)
            self._drop(client)

    def _obey(self, client: Client, message: Message, fds: Sequence[int]) -> None:
        match message:
            case Hello(version=version, peer=peer):
                client.peer = peer
                self._welcome(client, version)
            case _ if not client.is_welcome:
                raise BrokenError("a client did not introduce itself")
            case Open():
                self._open(client, message, fds)
            case AskStatus(number=number):
                self._ask_status(client, number)
            case Leave(number=number):
                client.leaving = number
                self._check_left(client)
            case Stop():
                self._stopper = client
                self.end("it was stopped by 'penstock manager stop'")
            case _:
                raise BrokenError(f"a client sent {type(message).__name__}")

    def _welcome(self, client: Client, version: int) -> None:
        if version != PROTOCOL_VERSION:
            error = WrongStateError(
                f"the device manager that runs (process {os.getpid()}) is of another version of "
                "Penstock; stop it with 'penstock manager stop' and try again"
            )
            client.line.send(Refused(to_wire(error)))
            # It may still ask to stop.
        client.is_welcome = True
        devices = tuple(worker.info for worker in self._workers.values())
        if version == PROTOCOL_VERSION:
            client.line.send(Welcome(PROTOCOL_VERSION, os.getpid(), devices))

    def _drop(self, client: Client) -> None:
        """Forget a client; the workers see its links end and free the rest."""
        self._unwatch(client.line.fileno())
        client.line.close()
        self._clients.pop(client.number, None)
        self._places = {
            number: place for number, place in self._places.items() if place.client is not client
        }
        self._waiting = [request for request in self._waiting if request.client is not client]

    def _say(self, client: Client, message: Message, fds: Sequence[int] = ()) -> None:
        try:
            client.line.send(message, fds)
        except EngineError as error:
            log.debug("client %d (process %d): %s", client.number, client.pid, error)
            if client.number in self._clients:
                self._drop(client)

    # -- programs

    def _open(self, client: Client, message: Open, fds: Sequence[int]) -> None:
        self._numbers += 1
        key = self._numbers
        client.has_programs = True
        try:
            worker = self._worker_of(message.device)
            if worker.start():
                self._watch_worker(worker)
            self._places[key] = Place(client, message.device, message.number)
            worker.attach(Attach(key, message.program, message.name, message.settings), fds)
        except EngineError as error:
            self._places.pop(key, None)
            self._say(client, Refused(to_wire(error), message.number))

    def _worker_of(self, device: int) -> DeviceWorker:
        worker = self._workers.get(device)
        if worker is None:
            raise DeviceNotFoundError(
                f"there is no device {device}; the device manager has the devices 0 to "
                f"{len(self._workers) - 1}",
                device=device,
            )
        return worker

    # -- workers

    def _watch_worker(self, worker: DeviceWorker) -> None:
        if worker.line is not None:
            self._watch(worker.line.fileno(), lambda: self._hear_worker(worker))
        self._watch(worker.sentinel_fd, lambda: self._worker_ended(worker))

    def _hear_worker(self, worker: DeviceWorker) -> None:
        line = worker.line
        if line is None:
            return
        fd = line.fileno()
        try:
            received = worker.receive()
        except EngineError:
            self._unwatch(fd)  # its sentinel says why
            worker.close_line()
            return
        if received is not None:
            message, fds = received
            try:
                self._note(worker, message, fds)
            finally:
                close_fds(fds)

    def _note(self, worker: DeviceWorker, message: Message, fds: Sequence[int]) -> None:
        if isinstance(message, Figures):
            self._take_figures(worker, message.figures)
        elif isinstance(message, Detached):
            place = self._places.pop(message.client, None)
            if place is not None:
                self._check_left(place.client)
        elif isinstance(message, Attached | AttachRefused):
            place = self._places.get(message.client)
            if place is None:
                return  # the client is gone; closing the links tells the worker
            number, place.number = place.number, 0
            if isinstance(message, AttachRefused):
                del self._places[message.client]
                self._say(place.client, Refused(message.error, number))
                return
            opened = Opened(
                number,
                place.device,
                worker.pid,
                message.requests,
                message.replies,
                message.models,
            )
            self._say(place.client, opened, fds)

    def _check_left(self, client: Client) -> None:
        """Tell a client that leaves when nothing of it is left."""
        if client.leaving and all(p.client is not client for p in self._places.values()):
            number, client.leaving = client.leaving, 0
            self._say(client, Left(number))

    def _worker_ended(self, worker: DeviceWorker) -> None:
        self._unwatch(worker.sentinel_fd)
        if worker.line is not None:
            self._unwatch(worker.line.fileno())
        pid, error = worker.take_death()
        device = worker.info.index
        places = [place for place in self._places.values() if place.device == device]
        self._places = {k: place for k, place in self._places.items() if place.device != device}
        for place in places:
            if place.number:
                self._say(place.client, Refused(to_wire(error), place.number))
        for client in {place.client for place in places if not place.number}:
            self._say(client, WorkerLost(device, pid, to_wire(error)))
            self._check_left(client)
        for request in self._waiting:
            self._take_figures(worker, worker.figures(), request)

    # -- status

    def _ask_status(self, client: Client, number: int) -> None:
        asked = {w.info.index for w in self._workers.values() if w.ask_figures()}
        known = [w.figures() for w in self._workers.values() if w.info.index not in asked]
        self._waiting.append(StatusRequest(client, number, known, asked))

    def _take_figures(
        self, worker: DeviceWorker, figures: DeviceFigures, only: StatusRequest | None = None
    ) -> None:
        clients = tuple(
            msgspec.structs.replace(
                one,
                pid=self._places[one.client].client.pid,
                peer=self._places[one.client].client.peer,
            )
            for one in figures.clients
            if one.client in self._places
        )
        full = msgspec.structs.replace(
            figures,
            worker_pid=worker.pid,
            restarts=worker.restarts,
            clients=clients,
            plugin_index=worker.info.plugin_index,
            kind=worker.info.kind,
            name=worker.info.name,
        )
        for request in self._waiting if only is None else [only]:
            if figures.index in request.missing:
                request.missing.discard(figures.index)
                request.figures.append(full)

    def _answer_status(self, request: StatusRequest) -> None:
        silent = [self._workers[index].figures("not answering") for index in request.missing]
        devices = sorted([*request.figures, *silent], key=lambda figures: figures.index)
        status = ManagerStatus(
            pid=os.getpid(),
            folder=self._address.folder,
            port=self._address.port,
            uptime_s=time.monotonic() - self._begun_s,
            devices=tuple(devices),
            listen="" if self._gateway is None else self._gateway.state,
        )
        self._say(request.client, Status(request.number, status))

    # -- the gateway for other machines

    def _start_gateway(self, gateway: GatewayProcess) -> None:
        gateway.start()
        fd = gateway.sentinel_fd

        def ended() -> None:
            self._unwatch(fd)
            gateway.ended()

        self._watch(fd, ended)

    # -- end

    def _close(self) -> None:
        log.info("ending: %s", self._why_ending or "an error")
        if self._listener is not None:
            Path(self._address.socket_path).unlink(missing_ok=True)
            self._listener.close()
        if self._gateway is not None:
            self._gateway.say_end(self._why_ending or "an error")
        for client in list(self._clients.values()):
            self._say(client, Ending(self._why_ending))
            if client is not self._stopper:
                client.line.close()
        for worker in self._workers.values():
            worker.close_line()  # all at once, then one after the other
        for worker in self._workers.values():
            worker.stop()
        if self._gateway is not None:
            self._gateway.stop()
        for fd in self._pidfds.values():
            os.close(fd)
        self._selector.close()
        self._wake.close()

    def _watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def _unwatch(self, fd: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)
