"""A program on one device, as a client has it."""

import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np

from engine.dfp import Dfp
from engine.errors import BrokenError, EngineError, from_wire
from engine.manager.attachment import MAX_FRAME_MESSAGE_BYTES
from engine.manager.messages import Failed, ModelPorts, Opened, Result, Run
from engine.manager.sharing import ShareSettings
from engine.manager.slots import FrameSlots, Placed
from engine.manager.status import DeviceInfo, ManagerStatus
from engine.process import EagerWait
from engine.shm import SlotRing

__all__ = ("AnyControl", "LinkLostError", "LocalPlace", "Place")

Array = np.ndarray[Any, Any]
Kept = TypeVar("Kept")

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)


class LinkLostError(BrokenError):
    """The worker at the other end of a link is gone."""

    code = "link_lost"


class Place:
    """A program on one device; each of its links carries one frame at a time.

    Attributes
    ----------
    device, worker_pid : the device's number, and the process that serves it.
    ports : the tensors of each model.
    links, free : all links, and those without a frame.
    is_lost : the worker or the way to it is gone; the links are of no use any more.
    """

    def __init__(
        self, device: int, worker_pid: int, ports: tuple[ModelPorts, ...], links: Sequence[Any]
    ) -> None:
        self.device = device
        self.worker_pid = worker_pid
        self.ports = ports
        self.links: list[Any] = list(links)
        self.free: list[Any] = list(links)
        self.is_lost = False

    @property
    def load(self) -> float:
        """Part of the links that are in use."""
        return 1.0 - len(self.free) / len(self.links)

    def call(self, link: Any, model: int, inputs: Sequence[Array]) -> list[Array]:  # noqa: ANN401 - one of `links`
        """Have one frame executed and return private copies of its outputs.

        Raises
        ------
        LinkLostError
            When the worker or the way to it is gone.
        EngineError
            When the device failed on this frame.
        """
        raise NotImplementedError

    def hang_up(self) -> None:
        """Wake who waits on a link, and let the worker know."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the memory; nobody is in `call` any more. Safe to call twice."""
        raise NotImplementedError


class LocalPlace(Place):
    """A place on a device of this machine: frames lie in rings of shared memory."""

    def __init__(self, opened: Opened, fds: Sequence[int]) -> None:
        links = [socket.socket(fileno=fd) for fd in fds]
        super().__init__(opened.device, opened.worker_pid, opened.models, links)
        self._rings: list[FrameSlots] = []
        self._wait = EagerWait()
        for link in links:
            link.setblocking(True)
        try:
            tensors = [ports.inputs for ports in opened.models]
            self._rings.append(FrameSlots(SlotRing.attach(opened.requests), tensors))
            tensors = [ports.outputs for ports in opened.models]
            self._rings.append(FrameSlots(SlotRing.attach(opened.replies), tensors))
        except BaseException:
            self.close()
            raise
        self._requests, self._replies = self._rings

    def call(self, link: socket.socket, model: int, inputs: Sequence[Array]) -> list[Array]:
        """Have one frame executed and return private copies of its outputs."""
        self.begin(link, model, inputs)
        return self.finish(link, model, _copies)

    def begin(self, link: socket.socket, model: int, inputs: Sequence[Array]) -> None:
        """Send a frame off; the link is readable when its result is there."""
        placed = self._requests.write(model, inputs)
        try:
            link.send(_encoder.encode(Run(model, placed.slot, placed.shapes, placed.spill)))
        except OSError as error:
            raise LinkLostError("the link to the device's worker broke") from error

    def finish(
        self, link: socket.socket, model: int, keep: Callable[[Sequence[Array]], Kept]
    ) -> Kept:
        """Wait for the result of a frame; `keep` gets its outputs, which are gone afterwards."""
        try:
            data = self._wait.until(
                lambda: _received(link),
                lambda: link.recv(MAX_FRAME_MESSAGE_BYTES),
                may_stay_awake=len(self.free) == len(self.links) - 1,  # else results are plenty
            )
        except OSError as error:
            raise LinkLostError("the link to the device's worker broke") from error
        if not data:
            raise LinkLostError("the link to the device's worker ended")
        result = _decoder.decode(data)
        if isinstance(result, Failed):
            raise from_wire(result.error)
        views = self._replies.read(model, Placed(result.slot, result.shapes, result.spill))
        try:
            return keep(views)
        finally:
            self._replies.release(result.slot)

    def hang_up(self) -> None:
        """Wake who waits on a link, and let the worker know."""
        self.is_lost = True
        for link in self.links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the memory; nobody is in `call` any more."""
        for link in self.links:
            link.close()
        for ring in self._rings:
            ring.close()


class AnyControl(Protocol):
    """A client's conversation with a manager, here or on another machine.

    Attributes
    ----------
    pid : the manager's process.
    devices : what it shares.
    """

    pid: int
    devices: tuple[DeviceInfo, ...]

    def open(self, device: int, dfp: Dfp, settings: ShareSettings) -> Place:
        """Ask for a program on a device.

        Raises
        ------
        EngineError
            When the program or the device cannot be had, or the manager is gone.
        """
        ...

    def status(self) -> ManagerStatus:
        """Return everything the manager knows."""
        ...

    def why_lost(self, worker_pid: int) -> EngineError:
        """Return why the links to a worker ended: what became of it, or of the manager."""
        ...

    def interrupt(self) -> None:
        """Wake who waits for an answer; when nobody does, go on."""
        ...

    def leave(self) -> None:
        """Wait a little until the workers have freed what is not used any more."""
        ...

    def close(self) -> None:
        """Hang up: all that was opened is freed. Wakes who waits. Safe to call twice."""
        ...


def _received(link: socket.socket) -> bytes | None:
    try:
        return link.recv(MAX_FRAME_MESSAGE_BYTES, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None


def _copies(views: Sequence[Array]) -> list[Array]:
    return [np.array(view) for view in views]
