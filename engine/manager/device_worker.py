"""The manager's side of a device: its worker process, and who waits for it."""

import logging
import os
from collections import deque
from collections.abc import Sequence

from engine.errors import BrokenError, EngineError, WorkerDiedError
from engine.manager.line import Line
from engine.manager.messages import Attach, Begin, Message, Report
from engine.manager.status import DeviceFigures, DeviceInfo
from engine.process import ChildProcess, python_command
from engine.shm import reap_owner
from engine.telemetry import now_ns

__all__ = ("DeviceWorker",)

log = logging.getLogger(__name__)

_MOST_DEATHS = 5
_DEATHS_WITHIN_NS = 60_000_000_000


class DeviceWorker:
    """One device: starts its worker when it is needed, and again after it died.

    Used by the manager's one thread.

    Attributes
    ----------
    restarts : how often the worker ended unasked.
    """

    def __init__(self, info: DeviceInfo, lock_path: str) -> None:
        self.info = info
        self.restarts = 0
        self._lock_path = lock_path
        self._child: ChildProcess | None = None
        self._line: Line | None = None
        self._deaths: deque[int] = deque(maxlen=_MOST_DEATHS)
        self._cause = ""

    @property
    def pid(self) -> int:
        """Number of the worker's process, 0 without one."""
        return self._child.pid if self._child is not None else 0

    @property
    def line(self) -> Line | None:
        """What the worker says comes here."""
        return self._line

    @property
    def sentinel_fd(self) -> int:
        """Readable when the worker has ended; -1 without one."""
        return self._child.sentinel_fd if self._child is not None else -1

    def start(self) -> bool:
        """Start the worker; False when there is one already.

        Raises
        ------
        BrokenError
            When it died too often lately.
        """
        if self._child is not None:
            return False
        now = now_ns()
        if len(self._deaths) == _MOST_DEATHS and now - self._deaths[0] < _DEATHS_WITHIN_NS:
            raise BrokenError(
                f"device {self.info.index} is out of order: its worker ended {_MOST_DEATHS} times "
                f"within a minute, lastly because it {self._cause}; wait a minute, or use another "
                "device or program",
                device=self.info.index,
            )
        line, theirs = Line.pair()
        fd = theirs.fileno()
        command = python_command("engine.manager.worker", str(fd), str(os.getpid()))
        try:
            child = ChildProcess(f"worker of device {self.info.index}", command, pass_fds=[fd])
        except EngineError:
            line.close()
            raise
        finally:
            theirs.close()
        self._child, self._line = child, line
        info = self.info
        line.send(Begin(info.index, info.plugin, self._lock_path, info.plugin_index))
        log.info("started %s (process %d)", child.role, child.pid)
        return True

    def attach(self, message: Attach, fds: Sequence[int]) -> None:
        """Have the worker load a program for a client; its answer comes on the line."""
        if self._line is None:
            raise BrokenError(f"the worker of device {self.info.index} is gone; try again")
        self._line.send(message, fds)

    def ask_figures(self) -> bool:
        """Ask the worker what it counted; False when there is none."""
        if self._line is None:
            return False
        try:
            self._line.send(Report())
        except EngineError:
            return False
        return True

    def figures(self, state: str = "") -> DeviceFigures:
        """Return what is known without the worker."""
        return DeviceFigures(
            index=self.info.index,
            plugin=self.info.plugin,
            state=state or ("starting" if self._child is not None else "idle"),
            worker_pid=self.pid,
            restarts=self.restarts,
            plugin_index=self.info.plugin_index,
            kind=self.info.kind,
            name=self.info.name,
        )

    def receive(self) -> tuple[Message, list[int]] | None:
        """Return what the worker said, None when it said nothing."""
        return None if self._line is None else self._line.recv()

    def close_line(self) -> None:
        """Say no more to the worker; it ends then."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def take_death(self) -> tuple[int, WorkerDiedError]:
        """Clear up after a worker that has ended; return its number and what to tell clients."""
        child = self._child
        if child is None:
            raise BrokenError(f"device {self.info.index} has no worker")
        pid, error = child.pid, child.died()
        self._cause = child.wait(0).sentence()
        self.close_line()
        child.close()
        self._child = None
        reap_owner(pid)
        self.restarts += 1
        self._deaths.append(now_ns())
        log.warning("%s\n%s", error, error.details.get("stderr_tail", ""))
        return pid, WorkerDiedError(
            f"{error}; the frames it had are lost, it is started again with the next one",
            **error.details,
        )

    def stop(self) -> None:
        """End the worker, the hard way if need be."""
        self.close_line()
        if self._child is not None:
            pid = self._child.pid
            self._child.stop(ask=_nothing, grace_s=3.0, terminate_s=1.0)
            self._child.close()
            self._child = None
            reap_owner(pid)


def _nothing() -> None:
    """Ask nothing: the closed line was the question."""
