"""A worker process: takes parcels of items, calls the producer's hooks, sends results back."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

from engine.process import Channel, PeerGoneError, leave_with_parent, wait_readable
from engine.runner._arena import Arena, Lender
from engine.runner._cfg_copies import CfgParts, rebuild_cfg
from engine.runner._codec import PLAIN, Entry, decode, encode, inline_bytes, size_bytes, span_of
from engine.runner._failures import describe
from engine.runner._slab import Slab
from engine.runner._wire import Board, Kind, SlabLine, Stage, pack, unpack

__all__ = ("Hooks", "WorkerSetup", "work")

_FLUSH_S = 0.0002
_FLUSH_BYTES = 32 * 1024


class Hooks(Protocol):
    """The three hooks that run in workers."""

    @staticmethod
    def producer_init(device: Any, cfg: Any) -> object:  # noqa: ANN401
        """Begin."""

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:  # noqa: ANN401
        """Process one item."""

    @staticmethod
    def producer_end(device: Any, cfg: Any) -> object:  # noqa: ANN401
        """End."""


class WorkerSetup(NamedTuple):
    """All a worker is started with.

    Attributes
    ----------
    number : which worker it is, from 0.
    hooks : the runner's class.
    cfg_parts, has_cfg_slab, cfg : the configuration, as parts or as it is.
    channel_end, slabs_end : its ends of the two lines to the parent.
    stderr_end : write end of the pipe its error output goes to.
    """

    number: int
    hooks: type[Hooks]
    device: Any
    cfg_parts: CfgParts | None
    has_cfg_slab: bool
    cfg: Any
    channel_end: socket.socket
    slabs_end: socket.socket
    stderr_end: Connection[Any, Any]
    parent_pid: int


def work(setup: WorkerSetup) -> None:
    """Run a worker until it is told to stop, or its parent is gone. Outermost function."""
    _settle_in(setup)
    channel = Channel(setup.channel_end)
    worker = _Worker(setup, channel, SlabLine(setup.slabs_end))
    try:
        worker.run()
    except PeerGoneError:
        os._exit(1)  # the parent is gone, or does not want to hear from us


class _Worker:
    def __init__(self, setup: WorkerSetup, channel: Channel, line: SlabLine) -> None:
        self._setup = setup
        self._channel = channel
        self._line = line
        self._board = Board(line.receive(), setup.number)
        self._lender = Lender(line.receive)  # of the parent's items
        self._arena = Arena("results")
        self._slabs_sent = 0
        self._device = setup.device
        self._cfg = setup.cfg
        if setup.cfg_parts is not None:
            slab: Slab | None = line.receive() if setup.has_cfg_slab else None
            self._cfg = rebuild_cfg(setup.cfg_parts, slab)
            if slab is not None:
                slab.close()

    def run(self) -> None:
        """Serve from the first hook to the last."""
        failure = self._call("producer_init")
        if failure is not None:
            self._send((int(Kind.NOT_BEGUN), failure))
            return
        self._board.set_stage(Stage.SERVING)
        self._send((int(Kind.READY),))
        while True:
            data = self._channel.recv_bytes()
            message = unpack(data or b"", self._lender)
            if message[0] == Kind.STOP:
                break
            _, call, first, entries, freed, must_copy = message
            self._arena.freed.extend(freed)
            self._serve(call, first, entries, must_copy=must_copy)
        self._board.set_stage(Stage.ENDING)
        self._send((int(Kind.ENDED), self._call("producer_end")))

    def _serve(self, call: int, first: int, entries: Sequence[Entry], *, must_copy: bool) -> None:
        """Do one parcel; tell of results as soon as that pays."""
        words, item_word, one = self._board.words, self._board.item_word, self._one
        clock = time.perf_counter
        results: list[Entry] = []
        inline, moved, since = 0, 0, clock()
        item = first
        for entry in entries:
            if words[0] != call:
                break
            item += 1
            words[item_word] = item
            result = one(entry, must_copy)
            results.append(result)
            if type(result) not in PLAIN or type(entry) not in PLAIN:
                inline += inline_bytes(result)
                moved += size_bytes(result) + size_bytes(entry)
            now = clock()
            if now - since > _FLUSH_S or inline > _FLUSH_BYTES:
                self._send_results(call, item - len(results), results, now - since, moved)
                results = []
                inline, moved, since = 0, 0, clock()
        if results:
            self._send_results(call, item - len(results), results, clock() - since, moved)
        words[item_word] = 0
        if item - first < len(entries):
            self._drop(call, item, entries[item - first :])

    def _one(self, entry: Entry, must_copy: bool) -> Entry:
        try:
            data = (
                entry if type(entry) in PLAIN else decode(entry, self._lender, must_copy=must_copy)
            )
        except Exception as error:  # noqa: BLE001 - the user's class
            return describe(error, "input")
        try:
            result = self._setup.hooks.producer_work(self._device, self._cfg, data)
        except Exception as error:  # noqa: BLE001 - the user's code; the caller raises it
            return describe(error, "producer_work")
        if type(result) in PLAIN:
            return result
        try:
            return encode(result, self._arena)
        except Exception as error:  # noqa: BLE001 - the user's class
            return describe(error, "result")

    def _drop(self, call: int, item: int, entries: Sequence[Entry]) -> None:
        spans = [span for entry in entries if (span := span_of(entry)) is not None]
        freed = self._lender.take_freed() + spans
        self._send((int(Kind.DROPPED), call, item, len(entries), freed))

    def _send_results(
        self, call: int, first: int, results: list[Entry], seconds: float, moved: int
    ) -> None:
        """Send finished results of one parcel."""
        is_plain = PLAIN.issuperset(map(type, results))
        freed = self._lender.take_freed()
        self._send((int(Kind.RESULTS), call, first, results, freed, seconds, moved, is_plain))

    def _send(self, message: tuple[Any, ...]) -> None:
        data = pack(message, self._arena)
        for area in self._arena.areas[self._slabs_sent :]:
            self._line.send(area.slab)
            self._slabs_sent += 1
        self._channel.send_bytes(data, None)

    def _call(self, hook: str) -> list[Any] | None:
        """Call the first or the last hook; return its failure as parts."""
        function: Callable[[Any, Any], object] = getattr(self._setup.hooks, hook)
        try:
            function(self._device, self._cfg)
        except Exception as error:  # noqa: BLE001 - the user's code; the caller raises it
            return describe(error, hook)
        return None


def _settle_in(setup: WorkerSetup) -> None:
    """Make this process a worker: it leaves with its parent, and its last words are kept."""
    multiprocessing.current_process().daemon = False  # it may have children of its own
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, _ignore)  # Ctrl-C is the parent's; programs we start still get it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdout.flush()
    os.dup2(setup.stderr_end.fileno(), 2)
    setup.stderr_end.close()
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    faulthandler.enable(file=2)
    if os.getppid() == setup.parent_pid:
        leave_with_parent(setup.parent_pid, grace_s=1.0)
        return
    parent = multiprocessing.parent_process()  # forkserver: our parent is not the one who asked
    if parent is not None:
        watch = threading.Thread(
            target=_leave_after, args=(parent.sentinel,), name="parent", daemon=True
        )
        watch.start()


def _leave_after(sentinel: int) -> None:
    wait_readable([sentinel], None)
    os.kill(os.getpid(), signal.SIGKILL)


def _ignore(_signum: int, _frame: object) -> None:
    """Do nothing."""
