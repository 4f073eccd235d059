"""The parent's end of one worker: its process, its lines, and what it has in hand."""

import contextlib
import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.util import register_after_fork
from typing import Any

from engine.errors import InvalidArgumentError, WorkerDiedError
from engine.process import Channel, ErrorOutput, Outcome, PeerGoneError
from engine.process.forking import without_opencv_threads
from engine.process.sentinel import PidfdSentinel
from engine.runner._arena import Arena, Lender, Span
from engine.runner._cfg_copies import CfgCopies
from engine.runner._codec import Entry, decode, span_of
from engine.runner._crew_api import Arrived, Dropped, Event, NotBegun, Parcel
from engine.runner._wire import Board, Kind, SlabLine, Stage, pack, unpack
from engine.runner._worker import Hooks, WorkerSetup, work

__all__ = ("Link",)

_COLLECT_S = 1.0
_CANNOT_PICKLE = (pickle.PicklingError, AttributeError, TypeError, ValueError)


class Link:
    """Starts a worker and talks to it. Used by one thread at a time.

    Attributes
    ----------
    parcels : what was sent and is not finished, oldest first.
    spans : memory of items the worker may still look at.
    room : how many parcels it may be sent now, as the crew has counted.
    heard_s : when it last delivered a result of the current call.
    last_words : failure of the worker's last hook, when it sent one.
    """

    def __init__(
        self,
        number: int,
        hooks: type[Hooks],
        device: Any,  # noqa: ANN401 - any object may be a device
        cfg: CfgCopies,
        board: Board,
        arena: Arena,
        context: Any,  # noqa: ANN401 - each start method has its own class
        free: Callable[[Span], None],
    ) -> None:
        self.number = number
        self.role = f"worker {number} of {hooks.__qualname__} on device {device!r}"
        self.parcels: deque[Parcel] = deque()
        self.spans: set[Span] = set()
        self.last_words: list[Any] | None = None
        self.pid = 0
        self.room = 0
        self.heard_s = 0.0
        self._exit_code: int | None = None
        self._is_closed = True
        self._sentinel: PidfdSentinel | None = None
        self._device = device
        self._board = board
        self._arena = arena
        self._free = free
        self._outbox: deque[bytes] = deque()
        self._slabs_sent = 0
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as undo:
            ends = self._open_lines(context, theirs, undo)
            register_after_fork(self, Link._forget)
            self._line.send(board.slab)
            if cfg.slab is not None:
                self._line.send(cfg.slab)
            parts = (cfg.parts, cfg.slab is not None, cfg.unpicklable)
            self._start(context, WorkerSetup(number, hooks, device, *parts, *ends, os.getpid()))
            undo.pop_all()
        self._is_closed = False
        self.pid = self._process.pid or 0
        if hasattr(os, "pidfd_open"):
            self._sentinel = PidfdSentinel(self.pid)

    def _open_lines(
        self,
        context: Any,  # noqa: ANN401 - each start method has its own class
        theirs: contextlib.ExitStack,
        undo: contextlib.ExitStack,
    ) -> tuple[socket.socket, socket.socket, Any]:
        """Make the three lines; return the worker's ends."""
        self.channel, channel_end = Channel.pair()
        theirs.enter_context(channel_end)
        undo.callback(self.channel.close)
        self._line, slabs_end = SlabLine.pair()
        theirs.enter_context(slabs_end)
        undo.callback(self._line.close)
        stderr, stderr_end = context.Pipe(duplex=False)
        theirs.enter_context(stderr_end)
        with stderr:
            self.stderr = ErrorOutput(os.dup(stderr.fileno()))
        undo.callback(self.stderr.close)
        self.lender = Lender(self._line.receive)
        return channel_end, slabs_end, stderr_end

    def _start(self, context: Any, setup: WorkerSetup) -> None:  # noqa: ANN401 - several classes
        self._process = context.Process(target=work, args=(setup,), name=self.role, daemon=True)
        is_forked = context.get_start_method() == "fork"
        try:
            with without_opencv_threads() if is_forked else contextlib.nullcontext():
                self._process.start()
        except _CANNOT_PICKLE as error:
            raise InvalidArgumentError(
                f"{self.role} cannot be started: {error}; define the class at the top level of a "
                "module and use a configuration that can be pickled, or start workers by 'fork'"
            ) from error

    @property
    def sentinel_fd(self) -> int:
        """Descriptor that is readable once the process has ended."""
        return self._sentinel.fileno() if self._sentinel else int(self._process.sentinel)

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits because the worker has not read what was sent before."""
        return bool(self._outbox)

    def place(self, item: int) -> str:
        """Say where an item was done."""
        return f"item {item} ({self.role}, process {self.pid})"

    def decode(self, entry: Entry) -> Any:  # noqa: ANN401 - any object of the user
        """Return the value of a result; big arrays are views of shared memory."""
        return decode(entry, self.lender)

    # -- sending

    def send(self, parcel: Parcel, *, must_copy: bool) -> None:
        """Send a parcel."""
        self.parcels.append(parcel)
        self.spans.update(span for e in parcel.entries if (span := span_of(e)) is not None)
        freed = self.lender.take_freed()
        self.tell((int(Kind.TASKS), parcel.call, parcel.first, parcel.entries, freed, must_copy))

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send a message, or keep it until the worker has read what came before."""
        try:
            data = pack(message, self._arena)
            for area in self._arena.areas[self._slabs_sent :]:
                self._line.send(area.slab)
                self._slabs_sent += 1
            if self._outbox or not self.channel.send_bytes(data):
                self._outbox.append(data)
        except (PeerGoneError, BrokenPipeError, ConnectionResetError):
            self._outbox.clear()  # the sentinel tells the rest

    def write(self) -> None:
        """Send what was kept, as far as the worker takes it."""
        with contextlib.suppress(PeerGoneError):
            while self._outbox and self.channel.send_bytes(self._outbox[0]):
                self._outbox.popleft()
            return
        self._outbox.clear()

    # -- receiving

    def receive(self) -> tuple[bool, Event | None]:
        """Return whether there was a message, and what happened according to it, if anything.

        Raises
        ------
        PeerGoneError : the worker has closed the line.
        """
        data = self.channel.recv_bytes(0.0)
        if data is None:
            return False, None
        return True, self._event(unpack(data, self.lender))

    def _event(self, message: tuple[Any, ...]) -> Event | None:
        match message[0]:
            case Kind.RESULTS:
                return self._arrived(*message[1:])
            case Kind.DROPPED:
                _, call, _, count, freed = message
                self._finish(count, freed)
                return Dropped(call, count)
            case Kind.NOT_BEGUN:
                return NotBegun(message[1], f"{self.role}, process {self.pid}")
            case Kind.ENDED:
                self.last_words = message[1]
        return None

    def _arrived(
        self,
        call: int,
        first: int,
        results: Sequence[Entry],
        freed: Sequence[Span],
        seconds: float,
        moved: int,
        is_plain: bool,
    ) -> Arrived:
        items = self._finish(len(results), freed)
        self.heard_s = time.monotonic()
        return Arrived(
            call, first, items, results, seconds, moved, is_plain, self.decode, self.place
        )

    def _finish(self, count: int, freed: Sequence[Span]) -> Sequence[Entry]:
        """Cross off the oldest items; return them."""
        parcel = self.parcels[0]
        items = parcel.entries[parcel.done : parcel.done + count]
        parcel.done += count
        if parcel.done >= len(parcel.entries):
            self.parcels.popleft()
        for span in freed:
            self.spans.discard(span)
            self._free(span)
        return items

    # -- ending

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def collect(self) -> None:
        """Take in that the process has ended: its last output, its exit code."""
        self._process.join(_COLLECT_S)
        self._exit_code = self._process.exitcode
        self.stderr.relay()

    def died(self) -> WorkerDiedError:
        """Return the error that tells how the process ended."""
        code = self._exit_code
        outcome = Outcome() if code is None else Outcome.from_return_code(code)
        words = outcome.sentence() if code is not None else "has ended"
        item, stage = self._board.item_of(self.number), self._board.stage_of(self.number)
        if stage is Stage.STARTING:
            words += " in producer_init"
        elif item is not None:
            words += f" at item {item}"
        tail, story = self.stderr.tail(), self.stderr.story()
        return WorkerDiedError(
            f"{self.role} (process {self.pid}) {words}" + (f": {story}" if story else ""),
            role=self.role,
            pid=self.pid,
            signal=outcome.signal_name,
            exit_code=outcome.exit_code,
            stderr_tail=tail,
            item=item,
            device=str(self._device),
        )

    def close(self) -> None:
        """Release everything; the process has ended. Call it once."""
        self.lender.adopt_all(self._line.pending)  # for results that are yet to be looked at
        self._close_lines()
        if self._sentinel is not None:
            self._sentinel.close()
        with contextlib.suppress(ValueError):  # still running: the kernel takes its time
            self._process.close()

    def _forget(self) -> None:
        """In a forked process: let go of the parent's descriptors without ending its lines.

        Their numbers lead nowhere from now on, so that closing them later does no harm.
        """
        if self._is_closed:
            return
        fds = [self.channel.fileno(), self._line.fileno(), self.stderr.fileno()]
        if self._sentinel is not None:
            fds.append(self._sentinel.fileno())
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in fds:
            os.dup2(null, fd, inheritable=False)
        os.close(null)

    def _close_lines(self) -> None:
        self._is_closed = True
        self.channel.close()
        self._line.close()
        self.stderr.close()
