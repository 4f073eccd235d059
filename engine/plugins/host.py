"""What is known of the processor that the engine itself runs on."""

import os
import platform
import threading
from pathlib import Path

from engine.errors import DeviceNotFoundError
from engine.plugins.api import DeviceTelemetry

__all__ = ("HostSensors", "check_only_device", "memory_bytes", "processor_name")


class HostSensors:
    """Reads the processor's utilization since the reading before, and its temperature."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: tuple[float, float] | None = None

    def read(self) -> DeviceTelemetry:
        """Return what is measured; the first reading is the mean since the system's start."""
        busy, total = _cpu_seconds()
        with self._lock:
            busy_before, total_before = self._before or (0.0, 0.0)
            self._before = (busy, total)
        spent = total - total_before
        utilization = min(1.0, max(0.0, (busy - busy_before) / spent)) if spent > 0 else None
        return DeviceTelemetry(utilization=utilization, temperature_c=_temperature_c())


def check_only_device(device_index: int, name: str) -> None:
    """Refuse any device but the first, for plugins that have no other.

    Raises
    ------
    DeviceNotFoundError
        When another is wanted.
    """
    if device_index:
        raise DeviceNotFoundError(
            f"{name} has one device, number 0, so that device {device_index} of it cannot be used",
            device=device_index,
        )


def processor_name() -> str:
    """Return the processor's name as its maker writes it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int:
    """Return the size of the main memory; 0 when the system does not say."""
    if not hasattr(os, "sysconf"):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cpu_seconds() -> tuple[float, float]:
    """Return the seconds that all cores together were busy, and all seconds, since the start."""
    import psutil  # noqa: PLC0415 - only wanted by those who read sensors

    times = psutil.cpu_times()
    total = sum(times[:8])  # what follows on Linux, guests, is in the user time already
    idle = times.idle + getattr(times, "iowait", 0.0)
    return total - idle, total


def _temperature_c() -> float | None:
    """Return the highest temperature that a sensor of the processor shows."""
    import psutil  # noqa: PLC0415 - only wanted by those who read sensors

    if not hasattr(psutil, "sensors_temperatures"):
        return None
    found = psutil.sensors_temperatures()
    for chip in ("coretemp", "k10temp", "zenpower", "cpu_thermal"):
        values = [one.current for one in found.get(chip, ())]
        if values:
            return float(max(values))
    return None
