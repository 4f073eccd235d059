"""Frames of one model on their way: threads that feed, a thread that delivers, and how it ends.

A flow is one run of a model from the first connected callback to the end of its streams. Callbacks
run in threads that do not keep the program alive: one that blocks for ever must not keep Python
from ending.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ContextManager

import numpy as np

from engine.accelerator._model import Model
from engine.accelerator._pacer import Pacer
from engine.errors import ClosedError, EndOfStreamError, WrongStateError
from engine.lanes import Completed, DeviceLanes

__all__ = ("Deliver", "Feeder", "Flow", "Pull")

log = logging.getLogger(__name__)

Pull = Callable[[], object]
"""Returns the next frame, or None at the end of the stream."""
Deliver = Callable[[int, list[np.ndarray[Any, Any]]], object]
"""Takes a stream's number and the outputs of one of its frames."""

_STOP_S = 0.9
_flow_numbers = itertools.count()


class Feeder:
    """One stream's way into the model."""

    def __init__(self, stream_idx: int, pull: Pull) -> None:
        self.stream_idx = stream_idx
        self.pull = pull
        self.is_over = False  # no more frames are taken from it
        self.is_failed = False  # no more results are delivered to it
        self.thread: threading.Thread | None = None
        self.follows: Feeder | None = None


class Flow:
    """One run of a model.

    Parameters
    ----------
    depth : frames that may be under way at once; then feeding waits.
    keep_alive : kept until the run has ended.
    workers : streams whose frames are checked and copied at the same time; 0 is all.
    """

    def __init__(
        self,
        lanes: DeviceLanes,
        model: Model,
        *,
        depth: int,
        pacer: Pacer,
        keep_alive: object = None,
        workers: int = 0,
    ) -> None:
        self.model = model
        self.errors: list[BaseException] = []
        self.feeders: list[Feeder] = []
        self._pacer = pacer
        self._keep_alive = keep_alive
        self._number = next(_flow_numbers)
        self._channel = lanes.open_channel(model.session, name=model.name, depth=depth)
        self._lock = threading.Lock()
        self._between_callbacks = threading.Condition(self._lock)
        self._deliver: Deliver | None = None
        self._drain: threading.Thread | None = None
        self._is_delivering = False
        self._feeding = 0
        self._is_finished = False
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._preparing: ContextManager[object] = (
            threading.BoundedSemaphore(workers) if workers else nullcontext()
        )

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    @property
    def has_input(self) -> bool:
        """Whether a stream was ever fed in."""
        return bool(self.feeders)

    @property
    def has_output(self) -> bool:
        """Whether results are delivered to somebody."""
        return self._drain is not None

    @property
    def is_open(self) -> bool:
        """Whether further streams can join: it was not stopped and its streams have not ended."""
        return not (self._is_finished or self.is_stopped)

    def feed(self, stream_idx: int, pull: Pull, *, instead_of: Feeder | None = None) -> bool:
        """Start a stream; False when the run has ended and takes no more streams.

        With `instead_of` the other stream ends after the frame it is at, and this one goes on.
        """
        feeder = Feeder(stream_idx, pull)
        feeder.follows = instead_of
        with self._lock:
            if not self.is_open:
                return False
            self._feeding += 1
            self.feeders.append(feeder)
            feeder.thread = threading.Thread(
                target=self._feed,
                args=(feeder,),
                name=f"accl-input-{self._number}-{stream_idx}",
                daemon=True,
            )
            if instead_of is not None:
                instead_of.is_over = True
            feeder.thread.start()
        return True

    def drain(self, deliver: Deliver) -> None:
        """Deliver results to `deliver` from now on; the one before gets no more after this."""
        with self._lock:
            self._deliver = deliver
            if self._drain is None:
                self._drain = threading.Thread(
                    target=self._deliver_all, name=f"accl-output-{self._number}", daemon=True
                )
                self._drain.start()
            elif threading.current_thread() is not self._drain:
                self._between_callbacks.wait_for(lambda: not self._is_delivering)

    def stop(self) -> None:
        """End at once: frames under way are dropped, no callback begins after this.

        Waits for callbacks that are running, less than a second, except for the caller's own.
        """
        with self._lock:
            self._stopping.set()
            threads = self._threads()
        self._channel.close()
        self._ended.set()
        end = time.monotonic() + _STOP_S
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        slow = [t.name for t in threads if t.is_alive() and t is not threading.current_thread()]
        if slow:
            log.info("a callback in %s goes on after stop; its result is ignored", ", ".join(slow))
        self._keep_alive = None

    def wait(self) -> None:
        """Wait until every frame was delivered and the threads have ended, or until `stop`."""
        with self._lock:
            threads = self._threads()
        if threading.current_thread() in threads:
            raise WrongStateError(
                "wait was called from a callback, which it would wait for; call it from elsewhere"
            )
        self._ended.wait()
        end = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _threads(self) -> list[threading.Thread]:
        threads = [feeder.thread for feeder in self.feeders if feeder.thread is not None]
        return threads if self._drain is None else [*threads, self._drain]

    def _feed(self, feeder: Feeder) -> None:
        """Take frames from one stream until it ends (thread's outermost function)."""
        try:
            if feeder.follows is not None and feeder.follows.thread is not None:
                feeder.follows.thread.join()
                feeder.follows = None
            self._feed_frames(feeder)
        except BaseException as error:  # noqa: BLE001 - the caller's callback; wait raises it
            self._fail(feeder, error, "input")
        finally:
            self._end_of(feeder)

    def _feed_frames(self, feeder: Feeder) -> None:
        while not (feeder.is_over or self.is_stopped):
            frame = feeder.pull()
            if frame is None or self.is_stopped or feeder.is_failed:
                return
            with self._preparing:
                inputs = self.model.take(frame)
            frame = None
            try:
                self._channel.submit(inputs, feeder)
            except ClosedError:
                return

    def _end_of(self, feeder: Feeder) -> None:
        """Note that a stream has ended; after the last one the channel runs empty and ends."""
        with self._lock:
            if feeder.pull is _ended_pull:
                return
            feeder.pull = _ended_pull
            feeder.is_over = True
            self._feeding -= 1
            if self._feeding:
                return
            self._is_finished = True
        self._channel.finish()

    def _deliver_all(self) -> None:
        """Deliver results until the last one (thread's outermost function)."""
        try:
            while self._deliver_next():
                pass
        finally:
            self._channel.close()
            self._keep_alive = None
            self._ended.set()

    def _deliver_next(self) -> bool:
        try:
            completed = self._channel.receive()
        except (EndOfStreamError, ClosedError):
            return False
        feeder = completed.tag
        if not isinstance(feeder, Feeder):
            raise TypeError(f"a frame came back with the tag {feeder!r}")
        try:
            self._deliver_one(feeder, completed)
        except BaseException as error:  # noqa: BLE001 - the caller's callback; wait raises it
            feeder.is_failed = True
            self._fail(feeder, error, "output")
            self._end_of(feeder)
        return True

    def _deliver_one(self, feeder: Feeder, completed: Completed) -> None:
        if feeder.is_failed or self.is_stopped:
            return
        if completed.outputs is None:
            raise completed.error or AssertionError("a job ended with neither outputs nor error")
        outputs = self.model.give(completed.outputs)
        self._stopping.wait(self._pacer.delay_s())
        with self._lock:
            deliver = self._deliver
            if self._stopping.is_set() or deliver is None:
                return
            self._is_delivering = True
        try:
            deliver(feeder.stream_idx, outputs)
        finally:
            with self._lock:
                self._is_delivering = False
                self._between_callbacks.notify_all()

    def _fail(self, feeder: Feeder, error: BaseException, side: str) -> None:
        if self.is_stopped:
            return
        with self._lock:
            self.errors.append(error)
        log.error(
            "%s of stream %d of model %r ended with %s: %s; wait() raises it",
            side,
            feeder.stream_idx,
            self.model.name,
            type(error).__name__,
            error,
        )


def _ended_pull() -> None:
    return None
