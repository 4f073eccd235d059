"""A driver host that is killed over and over while it delivers: nothing leaks, nobody waits."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.errors import DriverCrashedError
from engine.handle import ConnectionSettings, DeviceGroup, DriverType, Handle, InstrumentDevice
from engine.license import bundled_license

NOTICED_WITHIN_S = 0.5
GROWTH_BYTES = 8 * 1024 * 1024


@pytest.fixture
def handle() -> Iterator[Handle]:
    with Handle(bundled_license()) as made:
        yield made


def kill_one_round(handle: Handle) -> float:
    """Connect, acquire, kill the host; return how long `retrieveBuffer` took to raise."""
    settings = ConnectionSettings("pattern", DriverType.Instrument, b"pattern", {"rate_hz": "200"})
    with DeviceGroup(handle, settings) as group:
        device = group.primaryDevice()
        assert isinstance(device, InstrumentDevice)
        device.startAcquisition()
        buffer = device.retrieveBuffer(20_000)
        assert buffer is not None
        assert inventory()["segments"] > 0  # what is counted is there while it is used
        pid = device._host.pid
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(DriverCrashedError, match="SIGKILL"):
            drain(device)
        took_s = time.monotonic() - began
        assert not is_running(pid)
    return took_s


def drain(device: InstrumentDevice) -> None:
    while (buffer := device.retrieveBuffer(20_000)) is not None:
        device.returnBuffer(buffer)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def inventory() -> dict[str, int]:
    """Count everything that could leak."""
    gc.collect()
    return {
        "threads": threading.active_count(),
        "processes": len(psutil.Process().children(recursive=True)),
        "descriptors": psutil.Process().num_fds(),
        "segments": len(list(Path("/dev/shm").glob(f"penstock-{os.getpid()}-*"))),
    }


def resident_bytes() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def soak(handle: Handle, rounds: int, *, warm_up: int) -> None:
    """Warm up, then kill `rounds` times; everything is as before, and no time was too long."""
    for _ in range(warm_up):
        kill_one_round(handle)
    before, memory = inventory(), resident_bytes()
    times = [kill_one_round(handle) for _ in range(rounds)]

    assert inventory() == before
    assert resident_bytes() - memory < GROWTH_BYTES
    times.sort()
    # one or two may be held up by whatever else the machine does
    assert times[-3] < NOTICED_WITHIN_S, times[-5:]
    assert times[-1] < 4 * NOTICED_WITHIN_S, times[-5:]


@pytest.mark.expected_log
def test_eight_kills_during_acquisition_leave_nothing_behind(handle: Handle) -> None:
    soak(handle, 8, warm_up=3)


@pytest.mark.expected_log
@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(400)  # 35 s on a quiet machine
def test_two_hundred_kills_during_acquisition_leave_nothing_behind(handle: Handle) -> None:
    soak(handle, 200, warm_up=10)
