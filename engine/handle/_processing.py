"""What every processing context does, whatever it was made for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine.handle._epoch import Epoch
from engine.handle._feed import Feed
from engine.handle._job import Job
from engine.handle._queue import QueueCore
from engine.handle._sinks import Sinks
from engine.handle._step import SessionStep
from engine.handle.errors import ContextBusyError, NoSourceDataError

__all__ = ("Parts", "Processing")


def _always() -> None:
    """Allow processing at any time."""


@dataclass
class Parts:
    """What a context is made of.

    Attributes
    ----------
    step : executes the model; None hands the standardized data on.
    keep_alive : what must live as long as the context, for example its model.
    may_run : raises when processing is not allowed now.
    """

    queue: QueueCore
    epoch: Epoch
    feed: Feed
    sinks: Sinks
    step: SessionStep | None
    keep_alive: object = None
    may_run: Callable[[], None] = _always


class Processing:
    """Runs the blocks of a context's data through its model, and knows whether it may."""

    def __init__(self, parts: Parts) -> None:
        self.sinks = parts.sinks
        self.epoch = parts.epoch
        self._queue = parts.queue
        self._feed = parts.feed
        self._step = parts.step
        self._keep_alive = parts.keep_alive
        self._may_run = parts.may_run
        self._use = threading.Lock()
        self._job: Job | None = None
        self._has_source = False

    def check(self) -> None:
        """Raise when the context is no longer valid, or used from an initialization function."""
        self._queue.guard.check()
        self.epoch.check()

    def set_source(self, source: object) -> None:
        """Take over a reference to the data."""
        with self._alone("given other data"):
            self._feed.accept(source)
            self._has_source = True

    def run(self) -> None:
        """Process the data; returns when all of it is done."""
        self._may_run()
        with self._alone("used for processing"):
            if not self._has_source:
                raise NoSourceDataError(
                    "there is nothing to process; call setSourceData before processNext"
                )
            self.sinks.begin(self._feed.lines)
            step = self._step
            is_ordered = step is not None and step.is_ordered
            if step is not None:
                step.keep()
            job = Job(self._feed.block_count, self._do_block, is_ordered=is_ordered)
            self._job = job
            try:
                self._queue.process(self.epoch, job)
            except BaseException:
                if step is not None:
                    step.restore()
                raise
            finally:
                self._job = None
            self.sinks.complete()

    def abort(self) -> None:
        """Abort what is running, if anything; does not wait."""
        job = self._job
        if job is not None:
            job.cancel("abort()")

    def reset(self) -> None:
        """Go back to the state after creation; the source data stays."""
        with self._alone("reset"):
            self.sinks.clear()
            if self._step is not None:
                self._step.reset()

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        if not self._use.acquire(blocking=False):
            raise ContextBusyError(
                f"another thread is using this processing context, which cannot be {what} "
                "meanwhile; make one context per thread"
            )
        try:
            yield
        finally:
            self._use.release()

    def _do_block(self, block: int, thread_id: int) -> None:
        feed = self._feed
        values = feed.inputs(block, thread_id)
        if self._step is not None:
            values = feed.results(block, self._step(values))
        self.sinks.put(feed.place(block), values)
