"""What every processing context does, whatever it was made for."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.handle._epoch import Epoch
from engine.handle._feed import Feed
from engine.handle._job import Job
from engine.handle._queue import QueueCore
from engine.handle._sinks import Sinks
from engine.handle.errors import ContextBusyError, NoSourceDataError
from engine.plugins import Session

__all__ = ("Parts", "Processing", "SessionStep")

Array = np.ndarray[Any, Any]


class SessionStep:
    """Executes the model on one block.

    Parameters
    ----------
    input_order, output_order : place of each of the session's inputs among ours, and of each of
        our outputs among the session's.
    """

    def __init__(
        self, session: Session, input_order: Sequence[int], output_order: Sequence[int]
    ) -> None:
        self._session = session
        self._input_order = input_order
        self._output_order = output_order

    def __call__(self, inputs: list[Array]) -> list[Array]:
        """Return the block's outputs."""
        outputs = self._session.run([inputs[place] for place in self._input_order])
        return [outputs[place] for place in self._output_order]


@dataclass
class Parts:
    """What a context is made of.

    Attributes
    ----------
    step : executes the model; None hands the standardized data on.
    keep_alive : what must live as long as the context, for example its model.
    """

    queue: QueueCore
    epoch: Epoch
    feed: Feed
    sinks: Sinks
    step: SessionStep | None
    keep_alive: object = None


class Processing:
    """Runs the blocks of a context's data through its model, and knows whether it may."""

    def __init__(self, parts: Parts) -> None:
        self.sinks = parts.sinks
        self.epoch = parts.epoch
        self._queue = parts.queue
        self._feed = parts.feed
        self._step = parts.step
        self._keep_alive = parts.keep_alive
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
        with self._alone("used for processing"):
            if not self._has_source:
                raise NoSourceDataError(
                    "there is nothing to process; call setSourceData before processNext"
                )
            self.sinks.begin(self._feed.lines)
            job = self._job = Job(self._feed.block_count, self._do_block)
            try:
                self._queue.process(self.epoch, job)
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
