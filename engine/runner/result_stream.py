"""Results one after the other, while the work goes on."""

import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Self

from engine.errors import ClosedError, EngineTimeoutError
from engine.runner._failures import rebuild
from engine.runner._progress import Reporter
from engine.runner._run import Run
from engine.runner._sink_api import Batch, Settle
from engine.runner._sinks import value_of

__all__ = ("ResultStream", "StreamSink")

_LEAVE_S = 1.0


class StreamSink:
    """Keeps results until they are read."""

    raises_in_place = True

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.changed = threading.Condition()
        self.is_over = False

    def begin(self) -> None:
        """Nothing is to be done."""

    def deliver(self, batch: Batch, is_stopped: Callable[[], bool], settle: Settle) -> None:
        """Keep results."""
        with self.changed:
            self.batches.append(batch)
            self.changed.notify()

    def end(self) -> None:
        """Nothing is to be done."""

    def over(self) -> None:
        """Wake whoever waits for more."""
        with self.changed:
            self.is_over = True
            self.changed.notify_all()


class ResultStream:
    """An iterator over results. Close it, or leave its ``with`` block, to give up the rest.

    One thread reads it. The runner is busy until the stream is at its end or closed.
    """

    def __init__(
        self,
        run: Run,
        sink: StreamSink,
        data_iter: Iterable[Any],
        timeout: float | None,
        reporter: contextlib.AbstractContextManager[Reporter],
        owner: object,
    ) -> None:
        self._run = run
        self._sink = sink
        self._timeout = timeout
        self._owner = owner  # keeps the runner, and with it the workers, alive
        self._batch: Batch | None = None
        self._index = 0
        self._progress = contextlib.ExitStack()
        self._reporter = self._progress.enter_context(reporter)
        # Daemons: they may wait in the user's input, or for a reader that never comes again.
        self._taker = threading.Thread(target=run.take_in, name="runner-results", daemon=True)
        self._feeder = threading.Thread(
            target=_feed, args=(run, data_iter), name="runner-input", daemon=True
        )
        self._finalizer = weakref.finalize(self, run.abort, _left())
        self._finalizer.atexit = False
        self._taker.start()
        self._feeder.start()

    def __iter__(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __next__(self) -> Any:  # noqa: ANN401 - whatever producer_work returns
        while True:
            batch = self._batch or self._next_batch()
            index, self._index = self._index, self._index + 1
            if self._index >= len(batch):
                self._batch, self._index = None, 0
            is_failure = type(batch.results[index]) is list
            try:
                value = self._failure(batch, index) if is_failure else value_of(batch, index)
            except BaseException:
                self.close()
                raise
            self._run.settle(1, int(is_failure))
            self._reporter.reached(self._run.settled)
            if not is_failure:
                return value

    def close(self) -> None:
        """Give up what is not done; returns within a second. Safe to call twice."""
        self._run.abort(_left())
        self._batch = None
        self._sink.batches.clear()
        for thread in (self._taker, self._feeder):
            if thread is not threading.current_thread():
                thread.join(_LEAVE_S / 2)
        self._finalizer.detach()
        self._progress.close()

    def _next_batch(self) -> Batch:
        sink = self._sink
        with sink.changed:
            is_there = sink.changed.wait_for(lambda: sink.batches or sink.is_over, self._timeout)
            if sink.batches:
                self._batch, self._index = sink.batches.popleft(), 0
                return self._batch
        if not is_there:
            error = EngineTimeoutError(
                f"no further result came within {self._timeout:g} s: {self._run.settled} of "
                f"{self._run.pulled} items taken from the input are finished; the workers still "
                "at one were ended, give a longer timeout or find out what holds them"
            )
            self._run.abort(error)
        failure = self._run.error
        if failure is None:
            self._reporter.reached(self._run.settled, is_last=True)
        self.close()
        if failure is None or isinstance(failure, _LeftError):
            raise StopIteration
        raise failure

    def _failure(self, batch: Batch, index: int) -> Any:  # noqa: ANN401 - skipped or raised
        if not self._run.skips:
            item = batch.first + index
            raise rebuild(batch.results[index], batch.arrived.place(item), item=item)
        return None


class _LeftError(ClosedError):
    """The reader has closed the stream."""

    code = "runner_left"


def _left() -> _LeftError:
    return _LeftError("the stream of results was closed; ask the runner for another")


def _feed(run: Run, data_iter: Iterable[Any]) -> None:
    """Outermost function of the feeding thread."""
    try:
        run.feed(data_iter)
    except BaseException as error:  # noqa: BLE001 - the user's input; the reader raises it
        run.abort(error)
    finally:
        if run.stopped:
            run.forget()
