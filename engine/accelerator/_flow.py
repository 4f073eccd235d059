"""Frames of one model on their way: threads that feed, a thread that delivers, and how it ends.

A flow is one run of a model from the first connected callback to the end of its streams. Callbacks
run in threads that do not keep the program alive: one that blocks for ever must not keep Python
from ending.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from engine.accelerator._model import Model
from engine.accelerator._pacer import Pacer
from engine.errors import ClosedError, EndOfStreamError, WrongStateError
from engine.lanes import Completed, DeviceLanes

__all__ = ("Deliver", "Feeder", "Flow", "Pull", "stop_flows")

log = logging.getLogger(__name__)

Pull = Callable[[], object]
"""Returns the next frame, or None at the end of the stream."""
Deliver = Callable[[int, list[np.ndarray[Any, Any]]], object]
"""Takes a stream's number and the outputs of one of its frames."""

_STOP_S = 0.8
_flow_numbers = itertools.count()


class Feeder:
    """One stream's way into the model, and perhaps a way out of its own."""

    def __init__(self, stream_idx: int, pull: Pull, deliver: Deliver | None = None) -> None:
        self.stream_idx = stream_idx
        self.pull = pull
        self.deliver = deliver
        self.is_over = False  # no more frames are taken from it
        self.is_failed = False  # no more results are delivered to it
        self.is_counted = False  # the flow waits for its end
        self.thread: threading.Thread | None = None
        self.follows: threading.Thread | None = None


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
        self._is_finished = False  # all streams have ended
        self._is_drained = False  # and their last result was delivered
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._preparing: AbstractContextManager[object] = (
            threading.BoundedSemaphore(workers) if workers else nullcontext()
        )

    @property
    def is_stopped(self) -> bool:
        """Whether `ask_to_stop` was called."""
        return self._stopping.is_set()

    @property
    def has_ended(self) -> bool:
        """Whether the last result was delivered, or it was stopped."""
        return self._ended.is_set()

    @property
    def has_input(self) -> bool:
        """Whether a stream was ever fed in."""
        return bool(self.feeders)

    @property
    def has_output(self) -> bool:
        """Whether results are delivered to somebody."""
        return self._drain is not None

    def feed(self, feeders: Sequence[Feeder], *, instead_of: Feeder | None = None) -> bool:
        """Start streams, all or none; False when the run has ended and takes no more of them.

        With `instead_of` that stream ends after the frame it is at, and the new ones go on.
        """
        with self._lock:
            if self.is_stopped or self._is_drained:
                return False
            if self._is_finished:
                self._is_finished = False
                self._channel.reopen()
            self._feeding += len(feeders)
            if instead_of is not None:
                instead_of.is_over = True
            for feeder in feeders:
                feeder.is_counted = True
                feeder.follows = instead_of.thread if instead_of is not None else None
                feeder.thread = threading.Thread(
                    target=self._feed,
                    args=(feeder,),
                    name=f"accl-input-{self._number}-{feeder.stream_idx}",
                    daemon=True,
                )
                self.feeders.append(feeder)
                feeder.thread.start()
        return True

    def drain(self, deliver: Deliver) -> None:
        """Deliver results to `deliver` from now on; the one before gets no more after this.

        A stream with a way out of its own keeps that.
        """
        with self._lock:
            self._deliver = deliver
            if self._drain is None:
                self._drain = threading.Thread(
                    target=self._deliver_all, name=f"accl-output-{self._number}", daemon=True
                )
                self._drain.start()
            elif threading.current_thread() is not self._drain:
                self._between_callbacks.wait_for(lambda: not self._is_delivering)

    def ask_to_stop(self) -> None:
        """End at once: frames under way are dropped, no callback begins after this."""
        with self._lock:
            self._stopping.set()
        self._channel.close()
        self._ended.set()

    def join(self, end: float) -> None:
        """Wait until the callbacks that run have returned, at most until the time `end`.

        The caller's own callback, when it is one, is not waited for.
        """
        with self._lock:
            threads = [t for t in self._threads() if t is not threading.current_thread()]
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        slow = [thread.name for thread in threads if thread.is_alive()]
        if slow:
            log.info("a callback in %s goes on after stop; its result is ignored", ", ".join(slow))
        self._let_go()

    def wait(self) -> None:
        """Wait until all frames were delivered and the threads have ended, or until it stops."""
        if threading.current_thread() in self._threads():
            raise WrongStateError(
                "wait was called from a callback, which it would wait for; call it from elsewhere"
            )
        self._ended.wait()
        with self._lock:
            threads = self._threads()
        end = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _threads(self) -> list[threading.Thread]:
        threads = [feeder.thread for feeder in self.feeders if feeder.thread is not None]
        return threads if self._drain is None else [*threads, self._drain]

    def _feed(self, feeder: Feeder) -> None:
        """Take frames from one stream until it ends (thread's outermost function)."""
        try:
            if feeder.follows is not None:
                feeder.follows.join()
                feeder.follows = None
            self._feed_frames(feeder)
        except BaseException as error:  # noqa: BLE001 - the caller's callback; wait raises it
            self._fail(feeder, error, "input")
        finally:
            self._end_of(feeder)

    def _feed_frames(self, feeder: Feeder) -> None:
        while not (feeder.is_over or self._stopping.is_set()):
            frame = feeder.pull()
            if frame is None or feeder.is_failed or self._stopping.is_set():
                return
            with self._preparing:
                inputs = self.model.take(frame)
            frame = None
            try:
                self._channel.submit(inputs, feeder)
            except WrongStateError:  # stopped, or ended because a result could not be delivered
                return

    def _end_of(self, feeder: Feeder) -> None:
        """Note that a stream has ended; after the last one the channel runs empty and ends."""
        with self._lock:
            feeder.is_over = True
            if not feeder.is_counted:
                return
            feeder.is_counted = False
            self._feeding -= 1
            if self._feeding == 0:
                self._is_finished = True
                self._channel.finish()

    def _deliver_all(self) -> None:
        """Deliver results until the last one (thread's outermost function)."""
        try:
            while self._deliver_next():
                pass
        finally:
            self._channel.close()
            self._let_go()
            self._ended.set()

    def _let_go(self) -> None:
        """Hold nothing of the caller's any more."""
        self._keep_alive = self._deliver = None
        for feeder in self.feeders:
            feeder.pull, feeder.deliver = _no_frame, None

    def _deliver_next(self) -> bool:
        try:
            completed = self._channel.receive()
        except EndOfStreamError:
            with self._lock:
                self._is_drained = self._is_finished
                return not self._is_drained
        except ClosedError:
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
        if completed.error is not None:
            raise completed.error
        outputs = self.model.give(completed.outputs or [])
        delay_s = self._pacer.delay_s()
        if delay_s:
            self._stopping.wait(delay_s)
        with self._lock:
            deliver = feeder.deliver or self._deliver
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
            exc_info=error,
        )


def stop_flows(flows: Sequence[Flow]) -> None:
    """Stop all flows at once, waiting less than a second for callbacks that run."""
    for flow in flows:
        flow.ask_to_stop()
    end = time.monotonic() + _STOP_S
    for flow in flows:
        flow.join(end)


def _no_frame() -> None:
    return None
