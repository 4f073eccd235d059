"""A descriptor that becomes readable when a child process ends."""

import contextlib
import os
import socket
import subprocess
import threading

__all__ = ("PidfdSentinel", "Sentinel", "ThreadSentinel", "sentinel_for")


class Sentinel:
    """What both kinds of sentinel can do."""

    def fileno(self) -> int:
        """Return the descriptor that is readable once the process has ended."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the descriptor; the process has ended. Safe to call twice."""
        raise NotImplementedError


class PidfdSentinel(Sentinel):
    """The kernel's own descriptor of a process (Linux 5.3 or newer)."""

    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    def fileno(self) -> int:
        """Return the process's descriptor."""
        return self._fd

    def close(self) -> None:
        """Close the process's descriptor."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class ThreadSentinel(Sentinel):
    """Where the kernel has none: a thread waits for the process, then closes one end of a pair."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._ours, self._theirs = socket.socketpair()
        self._process = process
        self._thread = threading.Thread(target=self._watch, name=f"sentinel-{process.pid}")
        self._thread.start()

    def fileno(self) -> int:
        """Return our end of the pair, which is at its end when the process is."""
        return self._ours.fileno()

    def close(self) -> None:
        """Join the thread and close the pair."""
        self._thread.join(timeout=5.0)
        self._ours.close()

    def _watch(self) -> None:
        self._process.wait()
        self._theirs.close()


def sentinel_for(process: "subprocess.Popen[bytes]") -> Sentinel:
    """Return the best sentinel this system has for a process just started."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):  # a kernel or a sandbox without the call
            return PidfdSentinel(process.pid)
    return ThreadSentinel(process)
