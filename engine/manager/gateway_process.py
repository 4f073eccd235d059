"""The manager's side of its gateway for other machines: a process that is started again."""

import logging
import os
import time
from collections import deque

from engine.errors import EngineError, EngineTimeoutError, from_wire
from engine.manager.address import ManagerAddress, NetworkAddress
from engine.manager.line import Line, close_fds
from engine.manager.messages import Ending, Refused
from engine.process import ChildProcess, PeerGoneError, python_command
from engine.shm import reap_owner

__all__ = ("GatewayProcess",)

log = logging.getLogger(__name__)

_READY_S = 10.0
_DEATHS_WITHIN_S = 60.0
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.2, 30.0


class GatewayProcess:
    """Starts the gateway, and again after it died; used by the manager's one thread.

    Attributes
    ----------
    retry_at_s : when to start it again, in seconds of the monotonic clock; None while it runs.
    """

    def __init__(self, address: ManagerAddress, listen: NetworkAddress) -> None:
        self.listen = listen
        self.retry_at_s: float | None = None
        self._address = address
        self._child: ChildProcess | None = None
        self._line: Line | None = None
        self._deaths: deque[float] = deque(maxlen=10)

    @property
    def sentinel_fd(self) -> int:
        """Readable when the process has ended; -1 without one."""
        return self._child.sentinel_fd if self._child is not None else -1

    @property
    def state(self) -> str:
        """Where it listens, for the status."""
        return str(self.listen) + (" (being started again)" if self._child is None else "")

    def start(self) -> None:
        """Start the process."""
        line, theirs = Line.pair()
        fd = theirs.fileno()
        command = python_command(
            "engine.manager.network.gateway",
            *(str(fd), str(os.getpid()), self._address.folder, str(self._address.port)),
            self.listen.host,
        )
        try:
            self._child = ChildProcess("the gateway", command, pass_fds=[fd])
        except EngineError:
            line.close()
            raise
        finally:
            theirs.close()
        self._line = line
        self.retry_at_s = None
        log.info("started the gateway for %s (process %d)", self.listen, self._child.pid)

    def wait_ready(self) -> None:
        """Wait until clients can come in.

        Raises
        ------
        EngineError
            When they cannot; the message says why.
        """
        if self._line is None or self._child is None:
            return
        try:
            received = self._line.recv(_READY_S)
        except PeerGoneError as error:
            raise self._child.died() from error
        if received is None:
            raise EngineTimeoutError(
                f"the gateway for {self.listen} was not ready within {_READY_S:g} s"
            )
        message, fds = received
        close_fds(fds)
        if isinstance(message, Refused):
            raise from_wire(message.error)

    def ended(self) -> None:
        """Clear up after the process has ended, and note when to start it again."""
        child, line = self._child, self._line
        if child is None or line is None:
            return
        error = child.died()
        pid = child.pid
        line.close()
        child.close()
        self._child = self._line = None
        reap_owner(pid)
        now = time.monotonic()
        lately = sum(1 for at_s in self._deaths if now - at_s < _DEATHS_WITHIN_S)
        self._deaths.append(now)
        wait_s = min(_LONGEST_WAIT_S, _SHORTEST_WAIT_S * 2**lately)
        self.retry_at_s = now + wait_s
        log.warning("%s; it is started again in %.1f s", error, wait_s)

    def say_end(self, reason: str) -> None:
        """Let the clients of the network know why the manager ends."""
        if self._line is not None:
            try:
                self._line.send(Ending(reason))
            except EngineError as error:
                log.debug("the gateway cannot be told: %s", error)

    def stop(self) -> None:
        """End the process, the hard way if need be. Safe to call twice."""
        child, line = self._child, self._line
        self._child = self._line = None
        if line is not None:
            line.close()
        if child is not None:
            pid = child.pid
            child.stop(ask=_nothing, grace_s=3.0, terminate_s=1.0)
            child.close()
            reap_owner(pid)


def _nothing() -> None:
    """Ask nothing: the closed line was the question."""
