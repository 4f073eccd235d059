"""One client's program on a device, as the device's worker sees it."""

import contextlib
import math
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from engine.errors import BrokenError, DeviceError, EngineError, to_wire
from engine.manager.line import UNREADABLE
from engine.manager.messages import Done, Failed, ModelPorts, Result, Run
from engine.manager.slots import FrameSlots, Placed, slot_bytes_for
from engine.plugins import InPlaceSession, ProcessingPlugin, Session
from engine.shm import SlotRing

__all__ = ("MAX_FRAME_MESSAGE_BYTES", "Attachment", "Frame", "Link", "LoadedProgram")

MAX_FRAME_MESSAGE_BYTES = 16 * 1024
_LONGEST_TEXT = 4000

Array = np.ndarray[Any, Any]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Run)


class LoadedProgram:
    """The models of a program, loaded once for all clients that have the same bytes.

    Attributes
    ----------
    users : how many attachments there are; the worker counts.
    """

    def __init__(self, key: str, name: str, sessions: Sequence[Session]) -> None:
        self.key = key
        self.name = name
        self.sessions = list(sessions)
        self.ports = tuple(ModelPorts(s.inputs, s.outputs) for s in self.sessions)
        self.users = 0
        self._usual_ns = dict.fromkeys(range(len(self.sessions)), math.inf)

    @classmethod
    def load(
        cls, key: str, name: str, graphs: Sequence[bytes], plugin: ProcessingPlugin
    ) -> "LoadedProgram":
        """Load all models, or none."""
        sessions: list[Session] = []
        try:
            for graph in graphs:
                sessions.append(plugin.load(graph))  # noqa: PERF401 - those loaded are closed
        except BaseException:
            for session in sessions:
                session.close()
            raise
        return cls(key, name, sessions)

    def note(self, model: int, spent_ns: int) -> None:
        """Learn how long a frame of a model took."""
        before = self._usual_ns.get(model)
        if before is not None:  # else the client asked for a model that is not there
            is_first = before == math.inf
            self._usual_ns[model] = spent_ns if is_first else before + (spent_ns - before) / 8

    def usual_ns(self, model: int) -> float:
        """Return how long a frame of a model takes lately; endless before the first."""
        return self._usual_ns.get(model, math.inf)

    def close(self) -> None:
        """Let go of the models."""
        for session in self.sessions:
            session.close()


class Link:
    """One of a client's lines for frames: a request, then its reply, one at a time."""

    def __init__(self, attachment: "Attachment") -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.attachment = attachment
        self.is_busy = False
        self.client_end = theirs
        self.fd = ours.fileno()
        self._socket = ours

    def receive(self) -> Run | None:
        """Return the request that is there, None when there is none.

        Raises
        ------
        BrokenError
            When the client is gone, or does not keep to the rules.
        """
        try:
            data = self._socket.recv(MAX_FRAME_MESSAGE_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise BrokenError("the client is gone") from error
        if not data or self.is_busy:
            raise BrokenError("the client is gone" if not data else "two frames on one link")
        try:
            return _decoder.decode(data)
        except UNREADABLE as error:
            raise BrokenError(f"the client sent a frame that makes no sense: {error}") from error

    def reply(self, result: Result) -> None:
        """Send a result; a client that is gone is noticed by who receives."""
        with contextlib.suppress(OSError):
            self._socket.send(_encoder.encode(result))

    def close(self) -> None:
        """Close our end, and the client's when it was not handed over."""
        self.client_end.close()
        self._socket.close()


class Frame:
    """A request that waits or is executed."""

    __slots__ = ("link", "run")

    def __init__(self, link: Link, run: Run) -> None:
        self.link = link
        self.run = run

    @property
    def usual_ns(self) -> float:
        """How long frames like it take lately."""
        return self.link.attachment.program.usual_ns(self.run.model)


class Attachment:
    """Rings, links and the program of one client.

    Attributes
    ----------
    client : the manager's number of the client.
    executing : frames that lanes are at; the memory stays until there are none.
    """

    def __init__(self, client: int, program: LoadedProgram, links: int) -> None:
        self.client = client
        self.program = program
        self.executing = 0
        self.is_closed = False
        self._lock = threading.Lock()
        inputs = [ports.inputs for ports in program.ports]
        outputs = [ports.outputs for ports in program.ports]
        requests = SlotRing.create(links, slot_bytes_for(inputs), purpose="requests")
        try:
            replies = SlotRing.create(links, slot_bytes_for(outputs), purpose="replies")
        except BaseException:
            requests.close()
            raise
        self.requests = FrameSlots(requests, inputs)
        self.replies = FrameSlots(replies, outputs)
        self.links = [Link(self) for _ in range(links)]
        self._binders = [_binder_of(session) for session in program.sessions]
        self._bound: dict[tuple[int, int, int], Callable[[], None]] = {}

    def execute(self, run: Run) -> Result:
        """Execute one frame; whatever goes wrong belongs to it alone."""
        try:
            if not 0 <= run.model < len(self.program.sessions):
                raise BrokenError(f"the program has no model {run.model}")
            inputs = self.requests.read(run.model, Placed(run.slot, run.shapes, run.spill))
            outputs: list[Array] = []
            try:
                placed = self._execute_in_place(run, inputs)
                if placed is None:
                    outputs = self.program.sessions[run.model].run(inputs)
            finally:
                self.requests.release(run.slot)
            if placed is None:
                placed = self.replies.write(run.model, outputs)
        except EngineError as error:
            return _failed(error)
        except Exception as error:  # noqa: BLE001 - plugin code; it belongs to this frame
            return _failed(
                DeviceError.chained(
                    f"the device failed while executing model {run.model} of "
                    f"{self.program.name!r}: {type(error).__name__}: {error}",
                    error,
                )
            )
        return Done(placed.slot, placed.shapes, placed.spill)

    def _execute_in_place(self, run: Run, inputs: Sequence[Array]) -> Placed | None:
        """Execute a frame from its slot into one of the replies; None when that is not possible."""
        bind = self._binders[run.model]
        if bind is None or run.shapes is not None or run.spill:
            return None
        try:
            with self.replies.writing() as slot:
                key = (run.model, run.slot, slot)
                bound = self._bound.get(key)
                if bound is None:
                    outputs = self.replies.own_arrays(run.model, slot)
                    bound = self._bound[key] = bind(inputs, outputs)
                bound()
        except DeviceError:  # perhaps its outputs are not what the model says
            self._binders[run.model] = None
            return None
        return Placed(slot, None, "")

    def close_links(self) -> None:
        """Take no more frames, and let the client know."""
        self.is_closed = True
        for link in self.links:
            link.close()

    def free(self) -> None:
        """Give the memory back."""
        self._bound = {}
        self.requests.close()
        self.replies.close()


def _binder_of(session: Session) -> Callable[..., Callable[[], None]] | None:
    is_fixed = all(0 not in info.shape for info in (*session.inputs, *session.outputs))
    return session.bind if is_fixed and isinstance(session, InPlaceSession) else None


def _failed(error: EngineError) -> Failed:
    wire = to_wire(error)
    return Failed(msgspec.structs.replace(wire, message=wire.message[:_LONGEST_TEXT]))
