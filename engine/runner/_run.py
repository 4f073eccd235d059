"""One call: the input is fed to the workers by one thread, results are taken in by another."""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from engine.errors import EngineTimeoutError
from engine.runner._codec import Entry
from engine.runner._crew_api import Arrived, Crew, Event, Lost, NotBegun, Parcel
from engine.runner._failures import describe, rebuild
from engine.runner._feed import Feed
from engine.runner._options import RunOptions
from engine.runner._pace import Pace, parcels_ahead
from engine.runner._reorder import Arrivals, ReorderWindow
from engine.runner._sink_api import Batch, Sink
from engine.runner.statistics import Tally

__all__ = ("Run",)

log = logging.getLogger(__name__)

_GATHER_S = 0.001
_MAX_IDLE_LOSSES = 3


class Run:
    """The life of one call.

    Two threads work on it: one calls `feed`, the other `take_in`. Whatever goes wrong ends up in
    `error`, and both leave.

    Attributes
    ----------
    error : what ended the call early.
    has_begun, is_over : whether `take_in` has come, and has left.
    """

    def __init__(
        self, crew: Crew, call: int, options: RunOptions, sink: Sink, tally: Tally, *, ordered: bool
    ) -> None:
        self.error: BaseException | None = None
        self.is_over = threading.Event()
        self.has_begun = False
        self.call = call
        self._crew = crew
        self._options = options
        self._sink = sink
        self._tally = tally
        self._pace = Pace(parcel_s=crew.parcel_s)
        self._window: Arrivals[Entry] = ReorderWindow() if ordered else Arrivals()
        self._origin: dict[int, Arrived] = {}
        self._feed = Feed(crew, tally, parcels_ahead(crew.size, options.queue_scale))
        self.feed = self._feed.feed
        self.forget = self._feed.forget
        self._deadline_s: float | None = None
        # All below belongs to the thread that takes in.
        self._sent = 0
        self._arrived = 0
        self._again: deque[tuple[int, Entry]] = deque()
        self._tries: dict[int, int] = {}
        self._idle_losses = 0
        self._ready: list[Batch] = []
        self._failure: BaseException | None = None
        self._gather_until_s: float | None = None

    def begin(self) -> None:
        """Make the workers ready, before both threads.

        Raises
        ------
        WorkerDiedError : a worker has ended before its first hook returned.
        """
        with self._crew.guard:
            self._crew.begin(self.call, keeps_items=self._options.on_error != "raise")
        self._tally.begin()

    # -- any thread

    def abort(self, error: BaseException) -> None:
        """Give the call up; the first reason counts."""
        if self.error is None:
            self.error = error
        self._feed.stop()
        self._crew.wake()

    def leave(self, error: BaseException, wait_s: float) -> None:
        """Give the call up and wait until the other thread has noticed, or was never there."""
        self.abort(error)
        if not self.is_over.wait(wait_s) and not self.has_begun:
            self.is_over.set()
        self.forget()

    def settle(self, count: int, skipped: int = 0) -> None:
        """Count results the consumer is done with, `skipped` of them failures left out."""
        self._tally.count(results=count - skipped, skipped=skipped)
        self._feed.settle(count)

    @property
    def stopped(self) -> bool:
        """Whether everything is to be given up."""
        return self._feed.stopped

    def _is_stopped(self) -> bool:
        return self._feed.stopped

    @property
    def settled(self) -> int:
        """How many results the consumer is done with, skipped items included."""
        return self._feed.settled

    @property
    def pulled(self) -> int:
        """How many items were taken from the input, as far as this is known to all threads."""
        return max(self._feed.pulled, self._sent + len(self._feed))

    @property
    def skips(self) -> bool:
        """Whether failed items are left out."""
        return self._options.on_error == "skip"

    # -- the thread that takes in

    def take_in(self) -> None:
        """Hand out items and deliver results until all are done. Outermost function."""
        self.has_begun = True
        timeout = self._options.timeout
        if timeout is not None and not self._sink.raises_in_place:
            self._deadline_s = time.monotonic() + timeout
        try:
            self._sink.begin()
            while not self.stopped and not self._is_done():
                self._turn()
            if not self.stopped:
                self._sink.end()
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self.abort(error)
        finally:
            self._leave()

    def _is_done(self) -> bool:
        return self._feed.is_fed and self._arrived == self._feed.pulled

    def _leave(self) -> None:
        self._feed.stop()
        self._tally.count(items=self._feed.pulled)
        self._tally.end()
        try:
            if self.error is not None:
                self._give_up()
        finally:
            self._sink.over()
            self.is_over.set()

    def _give_up(self) -> None:
        with self._crew.guard:
            for _, entry in self._again:
                self._crew.drop(entry)
            self.forget()
            self._crew.cancel()
            if isinstance(self.error, EngineTimeoutError):
                self._crew.abandon_busy()

    def _turn(self) -> None:
        """Wait for news and deal with it, handing out work before and after."""
        with self._crew.guard:
            if self.stopped:
                return
            self._hand_out()
            events = self._crew.step(self._wait_s())
        self._handle_all(events)
        ready, self._ready = self._ready, []
        for batch in ready:
            self._deliver(batch)
        if self._failure is not None:
            raise self._failure
        self._check_deadline()

    def _handle_all(self, events: Sequence[Event]) -> None:
        with self._crew.guard:
            if not self.stopped:
                for event in events:
                    self._handle(event)
                self._hand_out()

    def _deliver(self, batch: Batch) -> None:
        if self.stopped:
            return
        since = time.perf_counter()
        self._sink.deliver(batch, self._is_stopped, self.settle)
        spent = time.perf_counter() - since
        self._pace.consumed(len(batch), spent)
        self._tally.spend(consumer_s=spent)

    def _wait_s(self) -> float | None:
        ends = [end for end in (self._deadline_s, self._gather_until_s) if end is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _check_deadline(self) -> None:
        if self._deadline_s is not None and time.monotonic() >= self._deadline_s:
            raise EngineTimeoutError(
                f"the call was not done after {self._options.timeout:g} s: {self._arrived} of "
                f"{self.pulled} items taken from the input are finished; the workers still at "
                "one were ended, give a longer timeout or find out what holds them",
                items=self.pulled,
                finished=self._arrived,
            )

    # -- handing out

    def _hand_out(self) -> None:
        """Send parcels while workers have room for them."""
        room = self._crew.room(self._pace.depth, self._pace.patience_s)
        while room and self._again:
            item, entry = self._again.popleft()
            self._send([entry], item)
            room -= 1
        while room and self._feed and not self._is_gathering():
            entries = self._feed.take(self._share())
            self._send(entries, self._sent)
            self._sent += len(entries)
            room -= 1
        if not room:
            self._gather_until_s = None
        elif not self._feed.is_fed:
            self._feed.want()

    def _share(self) -> int:
        """Return how many items to send together now; the last ones are shared out evenly."""
        if not self._feed.is_fed:
            return self._pace.items
        return min(self._pace.items, -(-len(self._feed) // self._crew.size))

    def _is_gathering(self) -> bool:
        """Whether to wait a moment for more items, so that tiny ones travel together."""
        if self._feed.is_fed or len(self._feed) >= self._pace.items:
            self._gather_until_s = None
            return False
        now = time.monotonic()
        if self._gather_until_s is None:
            self._gather_until_s = now + _GATHER_S
        if now < self._gather_until_s:
            return True
        self._gather_until_s = None
        return False

    def _send(self, entries: list[Entry], first: int) -> None:
        self._crew.send(Parcel(self.call, first, entries))
        self._tally.count(parcels=1)

    # -- taking in

    def _handle(self, event: Event) -> None:
        if isinstance(event, Arrived):
            if event.call == self.call:
                self._take(event)
        elif isinstance(event, Lost):
            self._replace(event)
        elif isinstance(event, NotBegun):
            raise rebuild(event.failure, event.place)

    def _take(self, event: Arrived) -> None:
        self._pace.worked(len(event.results), event.seconds, event.size_bytes)
        self._feed.set_pace(self._pace.items)
        self._tally.count(moved_bytes=event.size_bytes)
        self._tally.spend(work_s=event.seconds)
        self._idle_losses = 0
        if event.is_plain and (self._options.on_error == "raise" or not event.size_bytes):
            self._pass_on(event.first, event.results, event)
            return
        begin = 0
        for index, (result, entry) in enumerate(zip(event.results, event.items, strict=True)):
            if type(result) is not list or self._is_final(event, index):
                self._crew.settled(entry)
                continue
            if self._failure is None:
                self._again.append((event.first + index, entry))
            self._pass_on(event.first + begin, event.results[begin:index], event)
            begin = index + 1
        if self._failure is None:
            self._pass_on(event.first + begin, event.results[begin:], event)

    def _pass_on(self, first: int, results: Sequence[Entry], event: Arrived) -> None:
        if not results:
            return
        self._arrived += len(results)
        self._origin[first] = event
        for begin, values in self._window.add(first, results):
            self._ready.append(Batch(begin, values, self._origin.pop(begin)))

    def _is_final(self, event: Arrived, index: int) -> bool:
        """Whether a failure takes the place of its item's result, to be skipped or raised there.

        Otherwise the item is done again, or the call ends with this failure.
        """
        item, options = event.first + index, self._options
        if self._failure is not None or options.on_error == "skip":
            return True
        if options.on_error == "retry" and self._may_try(item):
            return False
        if self._sink.raises_in_place:
            return True
        self._failure = rebuild(event.results[index], event.place(item), item=item)
        return False

    def _replace(self, lost: Lost) -> None:
        """Carry on after the death of a worker, or raise."""
        self._tally.count(workers_lost=1)
        self._again.extend(lost.rest)
        item, on_error = lost.culprit, self._options.on_error
        is_moved = lost.is_movable and (
            lost.has_begun if item is None else on_error != "retry" and self._may_try(item)
        )
        if is_moved:
            may_go_on = True
        elif item is not None:
            may_go_on = on_error == "skip" or (on_error == "retry" and self._may_try(item))
        else:
            self._idle_losses += 1
            is_harmless = lost.has_begun or lost.is_movable or on_error != "raise"
            most = _MAX_IDLE_LOSSES + (self._crew.size if lost.is_movable else 0)
            may_go_on = is_harmless and self._idle_losses <= most
        if not may_go_on:
            raise lost.error
        log.warning("%s; another takes its place", lost.error)
        if item is not None and on_error == "skip" and not is_moved:
            self._skip(item, lost.error)
        self._crew.replace(lost.worker)

    def _skip(self, item: int, error: BaseException) -> None:
        """Let a failure take the place of an item that ended its worker."""
        entry = next(entry for number, entry in self._again if number == item)
        self._again.remove((item, entry))
        parts = describe(error, "producer_work")
        self._take(Arrived(self.call, item, [entry], [parts], 0.0, 0, False, lambda e: e, str))

    def _may_try(self, item: int) -> bool:
        tries = self._tries[item] = self._tries.get(item, 0) + 1
        if tries > self._options.retries:
            return False
        self._tally.count(retried=1)
        return True
