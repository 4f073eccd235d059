"""Who a process is: its number alone is used again, number and start time together are not."""

import sys
from functools import lru_cache
from pathlib import Path

import psutil

__all__ = ("boot_id", "is_same_process", "start_time_of")

_ENDED_STATES = (b"Z", b"X", b"x")


def start_time_of(pid: int) -> int | None:
    """Return when a process was started, or None when there is none or it has ended.

    The unit is the system's own (clock ticks since boot on Linux, else 1/100 s): good for
    comparing, not for display. A process that has ended but was not collected counts as ended.
    """
    return _start_ticks_of(pid) if sys.platform == "linux" else _start_time_of(pid)


def is_same_process(pid: int, start: int) -> bool:
    """Say whether the process that had this number and start time is still running."""
    return start_time_of(pid) == start


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Return eight hexadecimal digits that change with every start of the machine."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except OSError:
        return "0" * 8  # elsewhere start times are times of day, which differ between boots
    return text[:8]


def _start_time_of(pid: int) -> int | None:
    try:
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if is_zombie else round(process.create_time() * 100)
    except psutil.Error:
        return None


def _start_ticks_of(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()  # the name before ")" may contain anything
    return None if fields[0] in _ENDED_STATES else int(fields[19])
