"""What NVIDIA's own tool tells of its devices: names, memory, and how they are doing.

Written against the tool's documented queries; not yet run beside such a device.
"""

import shutil
import subprocess
import threading
import time

from engine.plugins.api import Device, DeviceTelemetry

__all__ = ("NvidiaSensors", "nvidia_devices")

_TOOL = "nvidia-smi"
_ANSWER_S = 5.0
_VALID_S = 1.0

Rows = list[list[str]]


def nvidia_devices() -> tuple[Device, ...]:
    """Return the devices in the order of their numbers; one without details when nobody tells."""
    devices = tuple(
        Device(number, "gpu", row[0], int(row[1]) * 2**20 if row[1].isdecimal() else 0)
        for number, row in enumerate(_ask("name,memory.total"))
        if len(row) == 2 and row[0]
    )
    return devices or (Device(0, "gpu", "NVIDIA GPU"),)


class NvidiaSensors:
    """Reads all devices at once, at most once a second; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at_s = float("-inf")
        self._rows: Rows = []

    def read(self, device_index: int) -> DeviceTelemetry:
        """Return how a device is doing; nothing when nobody tells."""
        with self._lock:
            if time.monotonic() - self._read_at_s > _VALID_S:
                self._rows = _ask("utilization.gpu,temperature.gpu,power.draw")
                self._read_at_s = time.monotonic()
            rows = self._rows
        if device_index >= len(rows) or len(rows[device_index]) != 3:
            return DeviceTelemetry()
        percent, temperature_c, power_w = (_number(text) for text in rows[device_index])
        return DeviceTelemetry(None if percent is None else percent / 100, temperature_c, power_w)


def _ask(fields: str) -> Rows:
    """Return one row of texts per device; none where the tool is missing or does not answer."""
    tool = shutil.which(_TOOL)
    if tool is None:
        return []
    query = [f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(
            [tool, *query], capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    if told.returncode:
        return []
    return [[part.strip() for part in line.split(",")] for line in told.stdout.splitlines()]


def _number(text: str) -> float | None:
    """Return a number; None for what the tool writes where a device does not measure something."""
    try:
        return float(text)
    except ValueError:
        return None
