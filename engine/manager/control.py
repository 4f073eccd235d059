"""A client's conversation with the manager: introductions, programs, status, stop."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Sequence

from engine.dfp import Dfp
from engine.errors import BrokenError, EngineError, EngineTimeoutError, from_wire
from engine.manager.address import ManagerAddress
from engine.manager.errors import ManagerLostError, ManagerUnavailableError
from engine.manager.line import Line, close_fds
from engine.manager.messages import (
    PROTOCOL_VERSION,
    AskStatus,
    Ending,
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
from engine.manager.place import LocalPlace
from engine.manager.sharing import ShareSettings
from engine.manager.starting import connect, connect_or_start
from engine.manager.status import DeviceInfo, ManagerStatus
from engine.process import Deadline, PeerGoneError

__all__ = ("Control", "manager_status", "name_of", "stop_manager")

_TRIES = 3
_ANSWER_S = 10.0
_OPEN_S = 120.0
_REASON_S = 3.0
_LEAVE_S = 0.5
_STOP_S = 20.0


class Control:
    """One connection to a manager. May be used by several threads; each call waits its turn.

    Attributes
    ----------
    pid : the manager's process.
    devices : what it shares.
    """

    def __init__(self, line: Line, welcome: Welcome) -> None:
        self.pid = welcome.pid
        self.devices: tuple[DeviceInfo, ...] = welcome.devices
        self._line = line
        self._lock = threading.Lock()
        self._lost: dict[int, EngineError] = {}
        self._ended: EngineError | None = None
        self._numbers = 0

    @classmethod
    def reach(cls, address: ManagerAddress) -> "Control":
        """Reach the manager of an address, which is started when there is none.

        Raises
        ------
        ManagerUnavailableError
            When there is none and none could be started.
        WrongStateError
            When the one that runs is of another version.
        """
        for _ in range(_TRIES):  # one that was just about to end hangs up
            control = cls._introduce(connect_or_start(address))
            if control is not None:
                return control
        raise ManagerUnavailableError(
            f"the device manager in {address.folder} hung up {_TRIES} times; "
            f"{address.log_path} says why"
        )

    @classmethod
    def find(cls, address: ManagerAddress, *, peer: str = "") -> "Control | None":
        """Reach the manager of an address, None when there is none.

        Parameters
        ----------
        peer : on whose behalf, when that is not this process; for the status.
        """
        line = connect(address)
        return None if line is None else cls._introduce(line, peer)

    @classmethod
    def _introduce(cls, line: Line, peer: str = "") -> "Control | None":
        try:
            line.send(Hello(PROTOCOL_VERSION, peer))
            received = line.recv(_ANSWER_S)
        except PeerGoneError:
            line.close()
            return None
        if received is None:
            line.close()
            raise ManagerUnavailableError(
                f"the device manager did not answer within {_ANSWER_S:g} s; stop it with "
                "'penstock manager stop' or end its process"
            )
        message, fds = received
        close_fds(fds)
        if isinstance(message, Welcome):
            return cls(line, message)
        line.close()
        if isinstance(message, Refused):
            raise from_wire(message.error)
        if isinstance(message, Ending):
            return None
        raise BrokenError(f"the device manager answered {type(message).__name__}")

    def open(self, device: int, dfp: Dfp, settings: ShareSettings) -> LocalPlace:
        """Ask for a program on a device; the place is the caller's to close.

        Raises
        ------
        EngineError
            When the program or the device cannot be had, or the manager is gone.
        """
        fd = _file_of(dfp.data)
        try:
            return self.open_file(device, fd, dfp.sha256, name_of(dfp), settings)
        finally:
            os.close(fd)

    def open_file(
        self, device: int, fd: int, program: str, name: str, settings: ShareSettings
    ) -> LocalPlace:
        """Do as `open` with the program's bytes in a file, and their SHA-256."""
        with self._lock:
            self._numbers += 1
            message = Open(self._numbers, device, program, name, settings)
            answer, fds = self._ask(message, [fd], _OPEN_S)
        if isinstance(answer, Opened):
            return LocalPlace(answer, fds)
        close_fds(fds)
        raise BrokenError(f"the device manager answered {type(answer).__name__}")

    def status(self) -> ManagerStatus:
        """Return everything the manager knows."""
        with self._lock:
            self._numbers += 1
            answer, fds = self._ask(AskStatus(self._numbers), [], _ANSWER_S)
        close_fds(fds)
        if isinstance(answer, Status):
            return answer.status
        raise BrokenError(f"the device manager answered {type(answer).__name__}")

    def why_lost(self, worker_pid: int) -> EngineError:
        """Return why the links to a worker ended: what became of it, or of the manager."""
        deadline = Deadline(_REASON_S)
        with self._lock, contextlib.suppress(EngineError):
            while worker_pid not in self._lost and self._ended is None:
                received = self._line.recv(deadline.left_s())
                if received is None:
                    break
                close_fds(received[1])
                self._take_event(received[0])
        with self._lock:
            error = self._lost.get(worker_pid)
            return error if error is not None else self.why_ended()

    def why_ended(self) -> EngineError:
        """Return what became of the manager."""
        if self._ended is not None:
            return self._ended
        return ManagerLostError(
            f"the device manager (process {self.pid}) ended unexpectedly; the frames it had are "
            "lost, the next one starts it again",
            pid=self.pid,
        )

    def interrupt(self) -> None:
        """Wake who waits for an answer; when nobody does, go on."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._line.close()

    def leave(self) -> None:
        """Wait a little until the workers have freed what is not used any more."""
        with self._lock, contextlib.suppress(EngineError):
            self._numbers += 1
            self._ask(Leave(self._numbers), [], _LEAVE_S)

    def close(self) -> None:
        """Hang up: all that was opened is freed. Wakes who waits. Safe to call twice."""
        self._line.close()

    def stop(self) -> None:
        """Ask the manager to end, and wait until it has."""
        with self._lock:
            self._line.send(Stop())
            deadline = Deadline(_STOP_S)
            with contextlib.suppress(PeerGoneError):
                while self._line.recv(deadline.left_s()) is not None:
                    pass
                raise EngineTimeoutError(
                    f"the device manager (process {self.pid}) did not end within {_STOP_S:g} s"
                )

    def _ask(
        self, message: Open | AskStatus | Leave, fds: Sequence[int], timeout_s: float
    ) -> tuple[Message, list[int]]:
        """Send a message and return its answer; what comes in between is kept."""
        deadline = Deadline(timeout_s)
        try:
            self._line.send(message, fds)
            while (received := self._line.recv(deadline.left_s())) is not None:
                answer, answer_fds = received
                is_answer = isinstance(answer, Opened | Status | Left | Refused)
                if is_answer and getattr(answer, "number", 0) == message.number:
                    if isinstance(answer, Refused):
                        raise from_wire(answer.error)
                    return answer, answer_fds
                close_fds(answer_fds)  # of a question that nobody waits for any more
                self._take_event(answer)
        except PeerGoneError as error:
            raise self.why_ended() from error
        raise EngineTimeoutError(
            f"the device manager (process {self.pid}) did not answer within {timeout_s:g} s"
        )

    def _take_event(self, message: Message) -> None:
        if isinstance(message, WorkerLost):
            self._lost[message.worker_pid] = from_wire(message.error)
        elif isinstance(message, Ending):
            self._ended = ManagerLostError(
                f"the device manager (process {self.pid}) ended: {message.reason}; the frames it "
                "had are lost, the next one starts it again",
                pid=self.pid,
            )


def manager_status(address: ManagerAddress) -> ManagerStatus | None:
    """Return the status of the manager of an address, None when there is none."""
    control = Control.find(address)
    if control is None:
        return None
    try:
        return control.status()
    finally:
        control.close()


def stop_manager(address: ManagerAddress) -> int | None:
    """End the manager of an address, and return its process number; None when there is none."""
    line = connect(address)
    if line is None:
        return None
    try:
        line.send(Hello(PROTOCOL_VERSION))
        received = line.recv(_ANSWER_S)
        if received is None or not isinstance(received[0], Welcome):
            raise ManagerUnavailableError("the device manager did not answer; end its process")
        control = Control(line, received[0])
        control.stop()
        return control.pid
    finally:
        line.close()


def name_of(dfp: Dfp) -> str:
    """Return what a program is called: its file, else what its maker called it."""
    return dfp.path.name if dfp.path is not None else dfp.manifest.name


def _file_of(data: bytes) -> int:
    """Return a descriptor of a file that has no name and holds `data`."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("penstock-program", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd
