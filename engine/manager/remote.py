"""Programs on shared devices, as a client has them: sessions executed by another process."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.dfp import Dfp
from engine.errors import ClosedError, EngineError
from engine.manager.address import AnyAddress
from engine.manager.devices import numbers_of
from engine.manager.errors import ManagerLostError
from engine.manager.messages import ModelPorts
from engine.manager.place import LinkLostError, Place
from engine.manager.reaching import reach
from engine.manager.sharing import ShareSettings
from engine.plugins import DeviceTelemetry
from engine.plugins.device_list import choice_of_user
from engine.protocol import TensorInfo

__all__ = ("RemoteProgram", "RemoteSession")

log = logging.getLogger(__name__)

Array = np.ndarray[Any, Any]


class RemoteSession:
    """One model of a program on shared devices; used like a session of a plugin."""

    def __init__(self, program: "RemoteProgram", index: int, ports: ModelPorts) -> None:
        self.inputs: tuple[TensorInfo, ...] = ports.inputs
        self.outputs: tuple[TensorInfo, ...] = ports.outputs
        self._program = program
        self._index = index

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Execute the model once on one of the devices.

        Raises
        ------
        WorkerDiedError, ManagerLostError
            When the device's worker or the manager ended; the next frame finds another one.
        EngineError
            When the device failed on the frame.
        ClosedError
            After `close` of the program.
        """
        return self._program.execute(self._index, inputs)

    def close(self) -> None:
        """Do nothing: the program is closed as a whole."""


class RemoteProgram:
    """A program on one or several devices that other processes use as well.

    Frames go to the device with the most free links; who wants results in order sees to that.
    After a worker or the manager was lost, the next frame opens the program again.

    Parameters
    ----------
    device_ids : devices, each once.
    may_go_where_tuned : a tuned program goes to the device it was tuned for, when it is the first
        one that is asked for, as by default.

    Raises
    ------
    ManagerUnavailableError
        When there is no manager and none could be started.
    DeviceNotFoundError
        When the manager has no such device.
    BusyError
        When a process in local mode holds a device.
    EngineError
        When the program cannot be loaded.

    Attributes
    ----------
    sessions : one per model.
    """

    def __init__(
        self,
        dfp: Dfp,
        device_ids: Sequence[int],
        settings: ShareSettings,
        address: AnyAddress,
        *,
        may_go_where_tuned: bool = True,
    ) -> None:
        self._dfp = dfp
        self._asked_ids = list(device_ids)
        self._device_ids = list(device_ids)
        self._settings = settings
        self._address = address
        self._is_closed = False
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._opening = threading.Lock()
        self._places: dict[int, Place] = {}
        self._control = reach(address)
        try:
            self._device_ids = numbers_of(self._control.devices, device_ids)
            if may_go_where_tuned:
                self._device_ids = self._where_tuned(self._device_ids)
            for device in self._device_ids:
                self._places[device] = self._open(device)
        except BaseException:
            self.close()
            raise
        ports = self._places[self._device_ids[0]].ports
        self.sessions = [RemoteSession(self, index, port) for index, port in enumerate(ports)]

    @property
    def links(self) -> int:
        """Frames that can be under way at once."""
        return sum(len(place.links) for place in self._places.values())

    def execute(self, model: int, inputs: Sequence[Array]) -> list[Array]:
        """Execute a model once; see `RemoteSession.run`."""
        if any(place.is_lost for place in self._places.values()):
            self._open_again()
        place, link = self._borrow()
        try:
            return place.call(link, model, inputs)
        except LinkLostError:
            place.is_lost = True
            raise self._why_lost(place) from None
        except ClosedError:
            self._check_open()
            raise
        except EngineError:
            raise  # of the frame; the link is as good as before
        except BaseException:  # interrupted half-way, nobody knows what the link is at
            place.hang_up()
            raise
        finally:
            self._give_back(place, link)

    def telemetry(self, device: int) -> DeviceTelemetry:
        """Return how a device is doing, nothing when the manager is gone."""
        try:
            status = self._control.status()
        except EngineError:
            return DeviceTelemetry()
        used = dict(zip(self._asked_ids, self._device_ids, strict=True))[device]
        figures = next(figures for figures in status.devices if figures.index == used)
        return DeviceTelemetry(figures.busy, figures.temperature_c, figures.power_w)

    def interrupt(self) -> None:
        """Wake everybody who waits for a result; they get `ClosedError`."""
        with self._lock:
            self._is_closed = True
            self._room.notify_all()
        for place in list(self._places.values()):
            place.hang_up()
        self._control.interrupt()

    def close(self) -> None:
        """Give the devices back. Safe to call twice, after `interrupt` or without it."""
        self.interrupt()
        with self._opening, self._lock:
            places, self._places = list(self._places.values()), {}
        if places:
            self._control.leave()  # who asks for the device next finds it free
        self._control.close()
        for place in places:
            place.close()

    def _borrow(self) -> tuple[Place, Any]:
        with self._lock:
            while True:
                self._check_open()
                free = [place for place in self._places.values() if place.free]
                alive = [place for place in free if not place.is_lost] or free
                if alive:
                    place = min(alive, key=lambda place: place.load)
                    return place, place.free.pop()
                self._room.wait()

    def _give_back(self, place: Place, link: object) -> None:
        with self._lock:
            place.free.append(link)
            self._room.notify()
            is_last = place.is_lost and len(place.free) == len(place.links)
            is_replaced = self._places.get(place.device) is not place
        if is_last and is_replaced and not self._is_closed:
            place.close()

    def _why_lost(self, place: Place) -> EngineError:
        self._check_open()
        error = self._control.why_lost(place.worker_pid)
        self._check_open()
        return error

    def _open_again(self) -> None:
        """Open what was lost, at the manager there is or at a new one; one thread does it."""
        with self._opening:
            self._check_open()
            lost = [device for device, place in self._places.items() if place.is_lost]
            if not lost:
                return
            try:
                fresh = {device: self._open(device) for device in lost}
            except ManagerLostError:
                self._check_open()
                self._control.close()
                control = reach(self._address)
                with self._lock:
                    self._check_open()
                    self._control = control
                fresh = {device: self._open(device) for device in self._device_ids}
            self._replace(fresh)
            log.info("opened the program again on device %s", list(fresh))

    def _replace(self, fresh: dict[int, Place]) -> None:
        with self._lock:
            for device, place in fresh.items():
                before = self._places[device]
                before.is_lost = True
                self._places[device] = place
                if len(before.free) == len(before.links):
                    before.close()
            self._room.notify_all()

    def _open(self, device: int) -> Place:
        return self._control.open(device, self._dfp, self._settings)

    def _where_tuned(self, device_ids: list[int]) -> list[int]:
        """Return the device that a tuned program wants, where the choice is left to it.

        Nobody chose when the program is for the first device only, as by default, and its user
        said nothing of devices either.
        """
        tuned = self._dfp.tuned
        if tuned is None or self._asked_ids != [0] or choice_of_user():
            return device_ids
        found = [info.index for info in self._control.devices if info.plugin == tuned.plugin]
        if not found:
            log.warning(
                "the program was tuned for %s, which the device manager does not share; it runs "
                "on device 0",
                tuned.plugin,
            )
        return found[:1] or device_ids

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedError("the program on the shared devices was closed")
