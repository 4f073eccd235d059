"""A program on several devices at once: frames go to whichever has room, and away from a lost one.

Who wants results in order sees to that (a `LaneChannel` does).
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.accelerator._balance import Balance, Seat
from engine.errors import (
    BrokenError,
    BusyError,
    ClosedError,
    DeviceLostError,
    DeviceNotFoundError,
    EngineError,
    EngineTimeoutError,
    PluginError,
    ProgramIncompatibleError,
)
from engine.manager import ManagerLostError
from engine.plugins import Session

__all__ = ("DevicePool", "PooledDevice")

log = logging.getLogger(__name__)

Array = np.ndarray[Any, Any]

# What a device that was lost is noticed by, at a frame or while its program is opened again.
_LOST = (
    BrokenError,
    BusyError,
    DeviceLostError,
    DeviceNotFoundError,
    EngineTimeoutError,
    PluginError,
)


class PooledDevice:
    """A program on one device.

    Attributes
    ----------
    number : of the device, as the caller counts.
    capacity : frames that are worth having under way on it at once.
    sessions : one per model.
    """

    def __init__(self, number: int, capacity: int, sessions: Sequence[Session]) -> None:
        self.number = number
        self.capacity = capacity
        self.sessions = sessions


class DevicePool:
    """Executes frames on several devices.

    A frame whose device was lost meanwhile goes to another device, to each at most once, so that
    it is delivered once, or fails with what became of all of them.

    Parameters
    ----------
    devices : at least two, with the same program.
    depth : frames of a model that may be under way at once.

    Attributes
    ----------
    sessions : one per model; several threads use them at once.

    Raises
    ------
    ProgramIncompatibleError
        When devices do not agree on the inputs and outputs of the program.
    """

    def __init__(self, devices: Sequence[PooledDevice], *, depth: int) -> None:
        _check_alike(devices)
        self._devices = {device.number: device for device in devices}
        self._balance = Balance(
            {device.number: device.capacity for device in devices},
            models=len(devices[0].sessions),
            depth=depth,
        )
        self._room = threading.Condition()
        self._is_closed = False
        self.sessions: list[Session] = [
            _PooledSession(self, index, session)
            for index, session in enumerate(devices[0].sessions)
        ]

    @property
    def capacity(self) -> int:
        """Frames that are worth having under way at once."""
        return sum(device.capacity for device in self._devices.values())

    def execute(self, model: int, inputs: Sequence[Array]) -> list[Array]:
        """Execute a model once.

        Raises
        ------
        DeviceLostError
            When every device was lost while it was at this frame; the message says how.
        EngineError
            When a device failed on the frame.
        ClosedError
            After `interrupt`.
        """
        causes: dict[int, EngineError] = {}
        while len(causes) < len(self._devices):
            seat = self._take(model, causes)
            begun_s = time.monotonic()
            lost: EngineError | None = None
            spent_s: float | None = None
            try:
                outputs = self._devices[seat.number].sessions[model].run(inputs)
                spent_s = time.monotonic() - begun_s
            except ManagerLostError:
                raise  # with it all devices are gone
            except _LOST as error:
                if self._is_closed:
                    raise
                causes[seat.number] = lost = error
            else:
                return outputs
            finally:
                self._leave(seat, model, spent_s, lost)
        raise _all_lost(causes)

    def interrupt(self) -> None:
        """Wake threads that wait for a device; they get `ClosedError`."""
        with self._room:
            self._is_closed = True
            self._room.notify_all()

    def _take(self, model: int, tried: dict[int, EngineError]) -> Seat:
        with self._room:
            while True:
                if self._is_closed:
                    raise ClosedError("the program on several devices was closed")
                now_s = time.monotonic()
                seat = self._balance.take(model, tried, now_s)
                if seat is not None:
                    return seat
                self._room.wait(self._balance.wait_s(now_s))

    def _leave(
        self, seat: Seat, model: int, spent_s: float | None, lost: EngineError | None
    ) -> None:
        with self._room:
            if lost is not None:
                is_news = self._balance.lose(seat, time.monotonic())
            else:
                is_news = self._balance.give_back(seat, model, spent_s)
            self._room.notify_all()  # those who wait may want different devices
        if is_news and lost is not None:
            log.warning("device %d is lost, its frames go to others: %s", seat.number, lost)
        elif is_news:
            log.info("device %d works again", seat.number)


class _PooledSession:
    """One model of a program on several devices; used like a session of a plugin."""

    def __init__(self, pool: DevicePool, index: int, first: Session) -> None:
        self.inputs = first.inputs
        self.outputs = first.outputs
        self._pool = pool
        self._index = index

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Execute the model once on one of the devices; see `DevicePool.execute`."""
        return self._pool.execute(self._index, inputs)

    def close(self) -> None:
        """Do nothing: who opened the program on the devices closes it there."""


def _check_alike(devices: Sequence[PooledDevice]) -> None:
    first = devices[0]
    for device in devices[1:]:
        for ours, theirs in zip(first.sessions, device.sessions, strict=True):
            for here, there in ((ours.inputs, theirs.inputs), (ours.outputs, theirs.outputs)):
                ports = [[(info.name, info.dtype) for info in infos] for infos in (here, there)]
                if ports[0] != ports[1]:
                    raise ProgramIncompatibleError(
                        f"devices {first.number} and {device.number} see different tensors in the "
                        f"program, {ports[0]} and {ports[1]}; use one of them alone"
                    )


def _all_lost(causes: dict[int, EngineError]) -> DeviceLostError:
    said = "; ".join(
        f"device {number}: {error.message}" for number, error in sorted(causes.items())
    )
    last = list(causes.values())[-1]
    return DeviceLostError.chained(
        f"all devices of the accelerator were lost while they were at this frame: {said}", last
    )
