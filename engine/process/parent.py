"""Leave when the parent process does."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

import psutil

from engine.process.waiting import wait_readable

__all__ = ("leave_with_parent",)

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 0.2
_EXIT_CODE = 128 + signal.SIGTERM


def leave_with_parent(parent_pid: int, *, grace_s: float = 5.0) -> None:
    """End this process by SIGTERM as soon as its parent ends, however that happens.

    Call it first thing in a child. A process that is still there `grace_s` after the signal (its
    handler hangs) is ended the hard way. When the parent is already gone, this process ends at
    once.

    The kernel's own parent-death signal is tied to the *thread* that started the child, so it is
    used only when that was the parent's main thread; a thread watches the parent in any case.
    """
    if sys.platform == "linux" and _was_started_by_main_thread(parent_pid):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    sentinel = _open_pidfd(parent_pid)
    is_gone = sys.platform != "win32" and os.getppid() != parent_pid
    if is_gone:
        os.kill(os.getpid(), signal.SIGTERM)
    # A daemon: it waits for something that may never happen, and holds nothing to release.
    threading.Thread(
        target=_leave if is_gone else _watch,
        args=(grace_s,) if is_gone else (grace_s, parent_pid, sentinel),
        name=f"parent-{parent_pid}",
        daemon=True,
    ).start()


def _watch(grace_s: float, parent_pid: int, sentinel: int | None) -> None:
    if sentinel is not None:
        wait_readable([sentinel], None)
    elif sys.platform == "win32":
        with contextlib.suppress(psutil.Error):
            psutil.Process(parent_pid).wait()
    else:  # Linux before 5.3 and macOS: an orphan has another parent, and nothing tells it so
        while os.getppid() == parent_pid:
            threading.Event().wait(_LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
    _leave(grace_s)


def _leave(grace_s: float) -> None:
    threading.Event().wait(grace_s)
    os._exit(_EXIT_CODE)


def _open_pidfd(pid: int) -> int | None:
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None


def _was_started_by_main_thread(parent_pid: int) -> bool:
    try:
        children = Path(f"/proc/{parent_pid}/task/{parent_pid}/children").read_bytes()
    except OSError:
        return False
    return str(os.getpid()).encode() in children.split()
