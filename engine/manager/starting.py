"""Finds the manager of an address, or starts it: exactly one, however many start at once."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.manager.address import ManagerAddress
from engine.manager.errors import ManagerUnavailableError
from engine.manager.line import Line
from engine.process import python_command, wait_readable

if sys.platform != "win32":
    import fcntl

__all__ = ("IDLE_TIMEOUT_S", "connect", "connect_or_start", "start_manager")

IDLE_TIMEOUT_S = 30.0
_START_S = 15.0
_LONGEST_LOG_BYTES = 1 << 20


def connect(address: ManagerAddress) -> Line | None:
    """Connect to the manager that serves an address; None when there is none."""
    if sys.platform != "linux":
        raise ManagerUnavailableError("device managers need Linux; use local_mode=True here")
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.settimeout(_START_S)
    try:
        end.connect(address.socket_path)
    except (FileNotFoundError, ConnectionRefusedError):
        end.close()
        return None
    except OSError as error:
        end.close()
        raise ManagerUnavailableError(
            f"the device manager at {address.socket_path} cannot be reached: {error}"
        ) from error
    return Line(end)


def connect_or_start(address: ManagerAddress, *, start_timeout_s: float = _START_S) -> Line:
    """Connect to the manager of an address, which is started when there is none.

    Raises
    ------
    ManagerUnavailableError
        When it could not be started in time; the message says why.
    """
    line = connect(address)
    if line is not None:
        return line
    start_manager(address, start_timeout_s=start_timeout_s)
    line = connect(address)
    if line is None:
        raise ManagerUnavailableError(
            f"the device manager in {address.folder} ended right after it had started; "
            f"{address.log_path} says why"
        )
    return line


def start_manager(
    address: ManagerAddress,
    *,
    devices: Sequence[str] = (),
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    listen: str = "",
    start_timeout_s: float = _START_S,
) -> bool:
    """Start a manager in the background; False when one serves the address already.

    Parameters
    ----------
    devices : plugin of each device; what is best here when empty.
    listen : host name or number of this machine at which other machines reach it, at the port of
        the address; empty: not at all.

    Raises
    ------
    ManagerUnavailableError
        When it could not be started in time; the message says why.
    """
    address.make_folder()
    with _alone(address, start_timeout_s):
        line = connect(address)
        if line is not None:
            line.close()
            return False
        _spawn(address, devices, idle_timeout_s, listen, start_timeout_s)
    return True


def _spawn(
    address: ManagerAddress,
    devices: Sequence[str],
    idle_timeout_s: float,
    listen: str,
    timeout_s: float,
) -> None:
    begun = time.monotonic()
    ours, theirs = os.pipe()
    try:
        command = python_command(
            "engine.manager",
            *("--folder", address.folder, "--port", str(address.port), "--detach"),
            *("--idle-timeout", str(idle_timeout_s), "--ready-fd", str(theirs)),
            *(("--listen", listen) if listen else ()),
            *(word for device in devices for word in ("--device", device)),
        )
        with _log_file(Path(address.log_path)) as log:
            try:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    pass_fds=[theirs],
                )
            except OSError as error:
                raise _not_started(address, f"{command[0]}: {error.strerror}") from error
            finally:
                os.close(theirs)
        answer = ""
        if wait_readable([ours], timeout_s):
            answer = os.read(ours, 4096).decode("utf-8", "replace")
            child.wait()  # it has left the manager behind, or failed
        else:
            child.kill()
            child.wait()
            answer = f"it was not ready within {timeout_s:g} s"
    finally:
        os.close(ours)
    if answer != "ready":
        waited = time.monotonic() - begun
        raise _not_started(address, answer or f"it ended after {waited:.1f} s without a word")


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        if path.stat().st_size > _LONGEST_LOG_BYTES:
            path.unlink()
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ManagerUnavailableError(
            f"the device manager cannot be started in {path.parent}: {error.strerror}"
        ) from error
    try:
        yield fd
    finally:
        os.close(fd)


def _not_started(address: ManagerAddress, why: str) -> ManagerUnavailableError:
    return ManagerUnavailableError(
        f"the device manager could not be started: {why} (see {address.log_path})"
    )


@contextlib.contextmanager
def _alone(address: ManagerAddress, timeout_s: float) -> Iterator[None]:
    """Be the only one who starts a manager there; whoever dies gives the lock back."""
    try:
        fd = os.open(address.start_lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ManagerUnavailableError(
            f"the device manager cannot be started in {address.folder}: {error.strerror}"
        ) from error
    try:
        _lock_within(fd, 2 * timeout_s, address)
        yield
    finally:
        os.close(fd)


def _lock_within(fd: int, timeout_s: float, address: ManagerAddress) -> None:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    # The kernel's wait for a lock has no time limit, so a thread waits; it holds a descriptor of
    # its own, and it is a daemon because its wait cannot be taken back.
    locked = threading.Event()
    copy = os.dup(fd)

    def wait() -> None:
        try:
            fcntl.flock(copy, fcntl.LOCK_EX)
            locked.set()
        finally:
            os.close(copy)

    threading.Thread(target=wait, name="manager-start-lock", daemon=True).start()
    if not locked.wait(timeout_s):
        raise ManagerUnavailableError(
            f"another process has been starting the device manager in {address.folder} for "
            f"{timeout_s:g} s; end that process, or use another manager_addr"
        )
