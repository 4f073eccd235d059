"""The engine's side of one driver host."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from engine.config import ParameterValue
from engine.drivers.base import Frame
from engine.drivers.control import ControlLine
from engine.drivers.crash import crash_error, log_here
from engine.drivers.formats import check_format, frame_bytes, frame_view
from engine.drivers.manifest import DriverEntry
from engine.drivers.messages import (
    HOST_PROTOCOL_VERSION,
    Begin,
    Ended,
    Failed,
    FrameReady,
    Freed,
    FromHost,
    Logged,
    Lost,
    Open,
    Opened,
    Stop,
    decode_from_host,
    encode,
)
from engine.drivers.parameters import complete_parameters, resolve_paths
from engine.drivers.trust import MessageCheck
from engine.errors import (
    BrokenError,
    ClosedError,
    DriverCrashedError,
    DriverProtocolError,
    DriverTimeoutError,
    WrongStateError,
)
from engine.process import Channel, ChildProcess, Deadline, Outcome, PeerGoneError, python_command
from engine.protocol import FrameFormat, LogEntry
from engine.shm import SlotRing

__all__ = ("DriverProcess",)

_TERMINATE_S = 0.5
_FREED = encode(Freed())
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class DriverProcess:
    """Runs one driver in a process of its own and hands its frames over, slot by slot.

    Use: `start`; whenever `fileno` is readable `receive` until it returns None; `frame` for the
    pixels of a slot; `free` when done with it; `stop`. After an `Ended` or `Failed` nothing more
    comes: take `fileno` off the list and call `stop`. An object runs once; for a restart make
    another one.

    One thread receives; `free` may be called from any thread, also after `stop`.

    Parameters
    ----------
    entry : the driver, from a `DriverCatalog`.
    parameters : checked against the driver's manifest here.
    stream : name of the stream, for messages.
    slots : frames that fit into shared memory at once.
    hold_back : let the source wait for a free slot instead of skipping frames.
    start_timeout_s : how long loading the driver and opening its source may take.
    on_log : takes what the driver logs, on the thread that receives; by default it goes to the
        logger of the same name in this process.

    Raises
    ------
    InvalidArgumentError
        When a parameter is wrong.
    """

    def __init__(
        self,
        entry: DriverEntry,
        parameters: Mapping[str, ParameterValue],
        *,
        stream: str,
        slots: int = 8,
        hold_back: bool = False,
        start_timeout_s: float = 10.0,
        on_log: Callable[[LogEntry], None] | None = None,
    ) -> None:
        self._entry = entry
        self._order = Open(
            version=HOST_PROTOCOL_VERSION,
            driver=entry.name,
            folder=entry.folder,
            module=entry.module,
            stream=stream,
            parameters=resolve_paths(entry, complete_parameters(entry, parameters), Path.cwd()),
            is_held_back=hold_back,
            api_version=entry.api_version,
        )
        self._slots = slots
        self._start_timeout_s = start_timeout_s
        self._on_log = on_log or partial(log_here, entry.name)
        self._lock = threading.Lock()  # the ring, between `free` and `stop`
        self._channel: Channel | None = None
        self._control: ControlLine | None = None
        self._lost_frames = 0
        self._child: ChildProcess | None = None
        self._ring: SlotRing | None = None
        self._format: FrameFormat | None = None
        self._check = MessageCheck(driver=entry.name, stream=stream)
        self._was_started = False
        self._is_over = False
        self._outcome: Outcome | None = None

    def start(self) -> FrameFormat:
        """Start the host and open the source; blocks until the source is open.

        Returns
        -------
        FrameFormat
            Of every frame that will come.

        Raises
        ------
        MediaError, DriverError
            Whatever the driver says about its source.
        DriverTimeoutError
            When the source was not open in time.
        DriverCrashedError
            When the process died.
        OutputError
            When there is not enough shared memory.
        """
        frame_format = self.start_device()
        if frame_format is None:
            self.stop(grace_s=0.5)
            raise DriverProtocolError(
                f"driver {self._order.driver!r} drives a light and delivers no frames; "
                f"give stream {self._order.stream!r} a driver of cameras",
                driver=self._order.driver,
                stream=self._order.stream,
            )
        return frame_format

    def start_device(self) -> FrameFormat | None:
        """Do what `start` does, and return None for a device without frames, which is a light."""
        if self._was_started:
            raise WrongStateError("a driver process runs once; make another one")
        self._was_started = True
        try:
            self._launch()
            self._format = self._await_opened()
            if self._format is not None:
                self._ring = SlotRing.create(
                    self._slots, frame_bytes(self._format), purpose=f"frames.{self._order.stream}"
                )
                self._send(Begin(self._ring.name))
        except BaseException:
            self.stop(grace_s=0.5)
            raise
        return self._format

    @property
    def ring(self) -> SlotRing:
        """The slots; `take` and `release` of it may be used instead of `frame` and `free`."""
        if self._ring is None:
            raise WrongStateError("the driver process is not running")
        return self._ring

    @property
    def frame_format(self) -> FrameFormat:
        """What `start` returned."""
        if self._format is None:
            raise WrongStateError("the driver process was not started")
        return self._format

    @property
    def lost_frames(self) -> int:
        """Frames that the device has lost, as far as `receive` has heard; they have no numbers."""
        return self._lost_frames

    @property
    def control(self) -> ControlLine:
        """What the device's parameters are read and set with, from any thread.

        Raises
        ------
        WrongStateError
            When the process is not running, or the driver is of version 1.
        """
        if self._control is None:
            raise WrongStateError(
                f"driver {self._order.driver!r} is not running, or too old to have parameters "
                f"that can be changed while it runs"
            )
        return self._control

    @property
    def has_control(self) -> bool:
        """Whether `control` can be used."""
        return self._control is not None

    @property
    def pid(self) -> int:
        """The host's process number, 0 when it is not running."""
        return 0 if self._child is None else self._child.pid

    @property
    def sentinel(self) -> int:
        """Descriptor that is readable when the process has ended; -1 when it is not running."""
        return -1 if self._child is None else self._child.sentinel_fd

    def fileno(self) -> int:
        """Return a descriptor that is readable when `receive` has something, a death included."""
        return self._open_channel().fileno()

    def receive(self, timeout_s: float | None = 0.0) -> FrameReady | Ended | Failed | None:
        """Return the next event, or None when there was none within `timeout_s`.

        The process's death is a `Failed` with the code of `DriverCrashedError`; frames that it had
        delivered before come first.
        """
        deadline = Deadline(timeout_s)
        while not self._is_over:
            event = self._next_event(deadline)
            if isinstance(event, Logged):
                self._on_log(event.entry)
                continue
            if isinstance(event, Lost):
                self._lost_frames = event.count
                continue
            if isinstance(event, Opened):
                event = self._check.nonsense("it opened its source twice")
            self._is_over = isinstance(event, Ended | Failed)
            return event
        return None

    def frame(self, slot: int) -> Frame:
        """Take a ready slot and return its frame, read-only, without a copy.

        The pixels belong to the caller until `free`.
        """
        return frame_view(self.ring.take(slot), self.frame_format)

    def free(self, slot: int) -> None:
        """Give a taken slot back to the driver. Does nothing after `stop`."""
        with self._lock:
            if self._ring is None:
                return
            self._ring.release(slot)
        channel = self._channel
        if self._order.is_held_back and channel is not None:
            # a full queue holds a doorbell already; that the host is gone, `receive` will tell
            with contextlib.suppress(BrokenError, ClosedError):
                channel.send_bytes(_FREED)

    def stop(self, grace_s: float = 2.0) -> Outcome | None:
        """End the process and release everything. Safe to call twice and from any state.

        Parameters
        ----------
        grace_s : time for the driver to close its source; after it the process is terminated and,
            half a second later, killed.

        Returns
        -------
        Outcome or None
            How the process ended; None when it never ran.
        """
        child, self._child = self._child, None
        channel, self._channel = self._channel, None
        control, self._control = self._control, None
        self._is_over = True
        if child is not None:
            try:
                deadline = Deadline(grace_s)
                if channel is not None:
                    self._say_goodbye(channel, deadline)
                self._outcome = child.stop(
                    ask=lambda: None, grace_s=deadline.left_s() or 0.0, terminate_s=_TERMINATE_S
                )
            finally:
                child.close()
        if control is not None:
            control.close()
        if channel is not None:
            channel.close()
        with self._lock:
            ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()
        return self._outcome

    def died(self) -> DriverCrashedError:
        """Return the error that says how the process ended without being asked."""
        child = self._child
        if child is None:
            raise WrongStateError("the driver process is not running")
        return crash_error(child, driver=self._order.driver, stream=self._order.stream)

    def _host_command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command that starts the host; it gets a descriptor and our process number."""
        if self._entry.executable:
            return [str(Path(self._entry.folder, self._entry.executable)), *arguments]
        return python_command("engine.drivers.host", *arguments)

    def _launch(self) -> None:
        with contextlib.ExitStack() as stack:
            self._channel, theirs = Channel.pair()
            ends = [stack.enter_context(theirs).fileno()]
            if self._entry.api_version >= 2:
                ends.append(stack.enter_context(self._open_control()).fileno())
                self._order = msgspec.structs.replace(self._order, control_fd=ends[1])
            self._child = ChildProcess(
                f"driver host of {self._order.stream}",
                self._host_command([str(ends[0]), str(os.getpid())]),
                pass_fds=ends,
                env={name: os.environ.get(name, "1") for name in _ONE_THREAD},
            )
        self._send(self._order)

    def _open_control(self) -> socket.socket:
        channel, theirs = Channel.pair()
        name = f"driver {self._order.driver!r} of stream {self._order.stream!r}"
        self._control = ControlLine(channel, device=name, why_gone=self.died)
        return theirs

    def _send(self, message: Open | Begin) -> None:
        try:
            self._open_channel().send_bytes(encode(message), 1.0)
        except PeerGoneError as error:
            raise self.died() from error

    def _await_opened(self) -> FrameFormat | None:
        deadline = Deadline(self._start_timeout_s)
        while True:
            event = self._next_event(deadline)
            if isinstance(event, Logged):
                self._on_log(event.entry)
            elif isinstance(event, Lost):
                self._lost_frames = event.count
            elif isinstance(event, Opened):
                if event.frame_format is None:
                    return None
                check_format(event.frame_format, driver=self._order.driver)
                return event.frame_format
            elif isinstance(event, Failed):
                raise event.to_error()
            else:
                raise DriverTimeoutError(
                    f"driver {self._order.driver!r} of stream {self._order.stream!r} did not open "
                    f"its source within {self._start_timeout_s:g} s; check that the source answers",
                    driver=self._order.driver,
                    stream=self._order.stream,
                )

    def _next_event(self, deadline: Deadline) -> FromHost | None:
        channel = self._channel
        if channel is None:
            return None
        try:
            data = channel.recv_bytes(deadline.left_s())
            return None if data is None else self._check.checked(decode_from_host(data), self._ring)
        except PeerGoneError:
            return Failed.of(self.died())
        except ClosedError:
            return None  # stopped by another thread
        except (BrokenError, msgspec.DecodeError) as error:
            return self._check.nonsense(str(error))

    def _say_goodbye(self, channel: Channel, deadline: Deadline) -> None:
        """Ask the host to leave, and hear it out so that it is never stuck in sending."""
        with contextlib.suppress(PeerGoneError):  # its last words may still be there
            channel.send_bytes(encode(Stop()), deadline.left_s())
        try:
            while deadline.left_s():
                data = channel.recv_bytes(deadline.left_s())
                message = None if data is None else decode_from_host(data)
                if isinstance(message, Logged):
                    self._on_log(message.entry)
        except (BrokenError, ClosedError, msgspec.DecodeError):
            return  # it has left, or cannot be talked to

    def _open_channel(self) -> Channel:
        if self._channel is None:
            raise WrongStateError("the driver process is not running")
        return self._channel
