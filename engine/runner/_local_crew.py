"""Workers that are processes of this machine."""

import contextlib
import logging
import multiprocessing
import select
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import InvalidArgumentError, WorkerDiedError
from engine.process import Deadline, PeerGoneError, WakePipe, check_descriptors
from engine.runner._arena import Arena, Span
from engine.runner._codec import Entry, encode, span_of
from engine.runner._crew_api import CrewPlan, Event, Guard, Lost, NotBegun, Parcel
from engine.runner._failures import rebuild
from engine.runner._link import Link
from engine.runner._wire import Board, Kind, Stage

__all__ = ("LocalCrew",)

log = logging.getLogger(__name__)

_PARCEL_S = 0.001
_PARCEL_BYTES = 32 * 1024


class LocalCrew:
    """Starts, feeds, watches and ends worker processes.

    `guard` is held by whoever talks to the workers: the thread of the current call, except while
    it is in the user's code, or the one that closes.

    Raises
    ------
    InvalidArgumentError : there is no such start method, or the class does not fit it.
    WorkerDiedError : the system allows no more processes.
    """

    def __init__(self, plan: CrewPlan) -> None:
        check_descriptors(f"worker 0 of {plan.hooks.__qualname__}")
        self.size = len(plan.devices)
        self.parcel_s = _PARCEL_S
        self.parcel_bytes = _PARCEL_BYTES
        self.guard: Guard = threading.RLock()
        self.is_closing = False
        self._plan = plan
        self._context = _context(plan.start_method)
        self._arena = Arena("items")
        self._kept: set[Span] = set()
        self._keeps_items = False
        self._wake = WakePipe()
        self._poll = select.poll()
        self._watched: dict[int, Callable[[], Event | None]] = {}
        self._masks: dict[int, int] = {}
        self._links: list[Link | None] = [None] * self.size
        self._board = Board.create(self.size)
        self._is_released = False
        self._watch(self._wake.fileno(), self._wake_came)
        try:
            for number in range(self.size):
                self.replace(number)
        except BaseException:
            self.end(0.0)
            self.release()
            raise

    def fresh_cfg(self) -> Any:  # noqa: ANN401 - as the user gave it
        """Return a private copy of the configuration."""
        return self._plan.cfg.fresh()

    # -- a call

    def encode(self, value: Any) -> Entry:  # noqa: ANN401 - any object of the user
        """Take an item down, so that its owner may change it; raises what pickling raises."""
        entry = encode(value, self._arena)
        if self._keeps_items and (span := span_of(entry)) is not None:
            self._kept.add(span)
        return entry

    def begin(self, call: int, *, keeps_items: bool) -> None:
        """Start a call; missing workers are replaced. `keeps_items`: items may be sent again."""
        self._keeps_items = keeps_items
        self._wake.clear()
        while events := self.step(0.0):  # of calls that were given up, and of idle workers
            for event in events:
                if isinstance(event, Lost) and not event.has_begun:
                    raise event.error
                if isinstance(event, Lost):
                    log.warning("%s; another takes its place", event.error)
        for number, link in enumerate(self._links):
            if link is None:
                self.replace(number)
            else:
                link.heard_s = 0.0
        self._board.set_call(call)

    def cancel(self) -> None:
        """Let the workers drop what they have of the current call."""
        self._board.set_call(0)
        self._kept, kept = set(), self._kept
        with_workers = {span for link in self._alive() for span in link.spans}
        self._arena.freed.extend(kept - with_workers)  # the others come back from the workers

    def drop(self, entry: Entry) -> None:
        """Forget an item that is with no worker and will not be sent (again)."""
        if (span := span_of(entry)) is not None:
            self._kept.discard(span)
            self._arena.freed.append(span)

    def settled(self, entry: Entry) -> None:
        """Forget an item that was done and will not be sent again, if it was kept."""
        if self._kept and span_of(entry) in self._kept:
            self.drop(entry)

    def room(self, depth: int, patience_s: float) -> int:
        """Return how many parcels may be sent now.

        A worker without any may have one; one that keeps delivering, that is, has done so in this
        call and was not silent for `patience_s`, up to `depth`.
        """
        fresh_s = time.monotonic() - patience_s
        room = 0
        for link in self._alive():
            under_way = len(link.parcels)
            link.room = max(0, (depth if link.heard_s > fresh_s else 1) - under_way)
            room += link.room
        return room

    def send(self, parcel: Parcel) -> None:
        """Give a parcel to the worker with the least to do."""
        open_links = [link for link in self._alive() if link.room] or self._alive()
        link = min(open_links, key=lambda link: len(link.parcels))
        link.room -= 1
        link.send(parcel, must_copy=self._keeps_items)
        self._rewatch(link)

    def step(self, timeout_s: float | None) -> list[Event]:
        """Wait for something to happen, or for `wake`, and return it."""
        events = []
        for fd, _ in self._poll.poll(None if timeout_s is None else timeout_s * 1000.0):
            handler = self._watched.get(fd)
            event = handler() if handler is not None else None
            if event is not None:
                events.append(event)
        return events

    def wake(self) -> None:
        """End a wait in `step`."""
        self._wake.wake()

    def replace(self, worker: int) -> None:
        """Start a worker where there is none."""
        plan = self._plan
        role = f"worker {worker} of {plan.hooks.__qualname__}"
        check_descriptors(role)
        self._board.reset(worker)
        board, arena = self._board, self._arena
        try:
            link = Link(
                worker,
                plan.hooks,
                plan.devices[worker],
                plan.cfg,
                board,
                arena,
                self._context,
                self._free,
            )
        except OSError as error:
            raise WorkerDiedError(
                f"{role} could not be started: {error}; use fewer workers, or raise the system's "
                "limits",
                role=f"worker {worker}",
            ) from error
        self._links[worker] = link
        self._watch(link.channel.fileno(), lambda: self._message_came(link))
        self._watch(link.stderr.fileno(), lambda: self._output_came(link))
        self._watch(link.sentinel_fd, lambda: self._has_ended(link))

    def abandon_busy(self) -> None:
        """End the workers that are still at something; others take their place in the next call."""
        for link in self._alive():
            if link.parcels:
                self._end_now(link, [])

    # -- the end

    def end(self, grace_s: float) -> list[BaseException]:
        """Stop all workers; kill those that take longer. Return failures of their last hooks."""
        self.is_closing = True
        self._board.set_call(0)
        links = list(self._alive())
        for link in links:
            link.tell((int(Kind.STOP),))
            self._rewatch(link)
        deadline = Deadline(grace_s)
        while any(self._alive()) and deadline.left_s():
            self.step(deadline.left_s())
        for link in list(self._alive()):
            if grace_s:
                log.warning("%s did not end within %g s and was killed", link.role, grace_s)
            link.kill()  # all first, then wait for each
        for link in list(self._alive()):
            self._end_now(link, [])
        return [
            rebuild(link.last_words, f"{link.role}, process {link.pid}")
            for link in links
            if link.last_words is not None
        ]

    def release(self) -> None:
        """Let go of all memory and descriptors; no worker is left. Safe to call twice."""
        if self._is_released:
            return
        self._is_released = True
        self._plan.cfg.close()
        self._arena.close()
        self._board.slab.close()
        self._wake.close()

    # -- what happened

    def _message_came(self, link: Link) -> Event | None:
        if link.wants_to_write:
            link.write()
            self._rewatch(link)
        try:
            _, event = link.receive()
        except PeerGoneError:
            self._unwatch(link.channel.fileno())  # the sentinel tells the rest
            return None
        if isinstance(event, NotBegun):
            self._end_now(link, [])
        return event

    def _output_came(self, link: Link) -> None:
        if not link.stderr.relay():
            self._unwatch(link.stderr.fileno())

    def _wake_came(self) -> None:
        self._wake.clear()

    def _has_ended(self, link: Link) -> Event | None:
        """Tell of the end of a worker, after everything it had sent."""
        with contextlib.suppress(PeerGoneError):
            had_message = True
            while had_message:
                had_message, event = link.receive()
                if event is not None:
                    return event  # the sentinel stays readable; the rest comes in the next step
        call, stage = self._board.call, self._board.stage_of(link.number)
        rest = [pair for parcel in link.parcels if parcel.call == call for pair in parcel.rest()]
        self._end_now(link, rest)
        if self.is_closing or stage is Stage.ENDING:
            return None
        item = self._board.item_of(link.number)
        culprit = item if item in {number for number, _ in rest} else None
        return Lost(link.number, link.died(), culprit, rest, stage is not Stage.STARTING)

    def _end_now(self, link: Link, rest: Sequence[tuple[int, Entry]]) -> None:
        """Take in the end of a worker, killing it if need be; the memory of `rest` stays in use."""
        link.kill()
        link.collect()
        for fd in (link.channel.fileno(), link.stderr.fileno(), link.sentinel_fd):
            self._unwatch(fd)
        self._links[link.number] = None
        for span in link.spans.difference(span_of(entry) for _, entry in rest):
            self._kept.discard(span)
            self._arena.freed.append(span)
        link.close()

    def _free(self, span: Span) -> None:
        if span not in self._kept:
            self._arena.freed.append(span)

    # -- watching

    def _alive(self) -> "list[Link]":
        return [link for link in self._links if link is not None]

    def _watch(self, fd: int, handler: Callable[[], Event | None]) -> None:
        self._watched[fd] = handler
        self._masks[fd] = select.POLLIN
        self._poll.register(fd, select.POLLIN)

    def _unwatch(self, fd: int) -> None:
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _rewatch(self, link: Link) -> None:
        """Wait for room in a worker's queue only while something is to be sent."""
        fd = link.channel.fileno()
        mask = select.POLLIN | (select.POLLOUT if link.wants_to_write else 0)
        if fd in self._watched and self._masks[fd] != mask:
            self._masks[fd] = mask
            self._poll.modify(fd, mask)


def _method_of_the_program() -> str | None:
    return multiprocessing.get_start_method(allow_none=True)


def _context(start_method: str | None) -> Any:  # noqa: ANN401 - each kind has its own class
    method = start_method or _method_of_the_program()
    if method is None:
        method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    try:
        return multiprocessing.get_context(method)
    except ValueError:
        known = ", ".join(multiprocessing.get_all_start_methods())
        raise InvalidArgumentError(
            f"start_method {method!r} is not known here; choose one of {known}"
        ) from None
