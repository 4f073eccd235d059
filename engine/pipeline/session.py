"""One life of a stream's driver: frames go from its ring through the device lanes to the sinks.

Two threads share the work: the stream's own thread takes frames and prepares tensors (`pump`), a
result thread turns outputs into results (`_deliver_results`).
"""

import logging
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.config import StreamSettings
from engine.drivers import DriverProcess, Ended, Failed, FrameReady
from engine.errors import (
    ClosedError,
    DriverTimeoutError,
    EndOfStreamError,
    EngineBugError,
    EngineError,
)
from engine.lanes import Completed, LaneChannel
from engine.pipeline.flight import Flight, stage_durations_ns, stage_times
from engine.pipeline.intake import IntakeQueue
from engine.pipeline.post import Postprocessor
from engine.pipeline.pre import Preprocessor
from engine.process import WakePipe
from engine.protocol import FrameFormat, Result

__all__ = ("SPARE_SLOTS", "Machinery", "SessionEnd", "StreamSession")

log = logging.getLogger(__name__)

SPARE_SLOTS = 5
"""Slots beyond those under way: one being written, some waiting to be taken."""

_STALL_S = 5.0
_STALL_PERIODS = 20


@dataclass(frozen=True, slots=True)
class Machinery:
    """What a session works with; handed in, owned by others."""

    settings: StreamSettings
    driver: DriverProcess
    frame_format: FrameFormat
    channel: LaneChannel
    pre: Preprocessor
    post: Postprocessor
    deliver: Callable[[Flight, Result, tuple[int, ...]], None]
    count_in: Callable[[int], None]
    count_dropped: Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session ended: `error` is None when the source ended or the stream was stopped."""

    error: EngineError | None = None
    is_finished: bool = False


class StreamSession:
    """Carries the frames of one driver process until it ends or `stop` is called."""

    def __init__(self, machinery: Machinery, wake: WakePipe) -> None:
        self._m = machinery
        self._wake = wake
        settings = machinery.settings
        self._queue: IntakeQueue[FrameReady] = IntakeQueue(settings.policy, SPARE_SLOTS - 1)
        self._tensors = deque(machinery.pre.new_tensor() for _ in range(settings.queue_depth + 1))
        self._post = machinery.post
        self._is_stopping = False
        self._is_starved = False
        self._lost_frames = 0
        self._device_error: EngineError | None = None

    def stop(self) -> None:
        """Ask `run` to return soon; from any thread."""
        self._is_stopping = True
        self._wake.wake()

    def use_post(self, post: Postprocessor) -> None:
        """Post-process with other settings from the next result on; from any thread."""
        self._post = post

    def run(self) -> SessionEnd:
        """Carry frames until the source ends, its process dies, or `stop` is called."""
        results = threading.Thread(
            target=self._deliver_results, name=f"results-{self._m.settings.name}"
        )
        self._m.channel.set_on_room(self._wake.wake)
        results.start()
        end = SessionEnd()
        try:
            end = self._pump()
            return end
        finally:
            self._finish(results, drain=end.is_finished or end.error is not None)

    def _pump(self) -> SessionEnd:
        with selectors.DefaultSelector() as selector:
            selector.register(self._m.driver.fileno(), selectors.EVENT_READ)
            selector.register(self._wake.fileno(), selectors.EVENT_READ)
            last_arrival = time.monotonic()
            while not self._is_stopping:
                events = selector.select(self._stall_after_s())
                self._wake.clear()
                if any(key.fd == self._m.driver.fileno() for key, _ in events):
                    last_arrival = time.monotonic()
                    end = self._receive()
                    if end is not None:
                        self._drain(selector)
                        return end
                if self._device_error is not None:
                    return SessionEnd(self._device_error)
                self._submit_waiting()
                if self._is_stalled(last_arrival):
                    return SessionEnd(self._stall_error())
        return SessionEnd()

    def _receive(self) -> SessionEnd | None:
        """Take in everything the driver sent; return how the session ends, or None."""
        try:
            while (message := self._m.driver.receive()) is not None:
                match message:
                    case FrameReady():
                        self._arrived(message)
                    case Ended():
                        self._count_skipped(self._queue.skipped_before(message.frame_count))
                        return SessionEnd(is_finished=True)
                    case Failed():
                        return SessionEnd(message.to_error())
        except EngineError as error:
            return SessionEnd(error)
        finally:
            self._count_lost()
        return None

    def _count_lost(self) -> None:
        """Count frames that the device, or the way from it, has lost."""
        lost = self._m.driver.lost_frames - self._lost_frames
        if lost:
            self._lost_frames += lost
            self._m.count_in(lost)
            self._m.count_dropped("lost_by_device", lost)

    def _arrived(self, message: FrameReady) -> None:
        skipped, dropped = self._queue.arrived(message)
        self._m.count_in(1)
        self._count_skipped(skipped)
        for frame, reason in dropped:
            self._m.count_dropped(reason, 1)
            self._m.driver.ring.take(frame.slot)
            self._m.driver.free(frame.slot)

    def _count_skipped(self, skipped: int) -> None:
        """Count frames that the source had to skip because no slot was free."""
        if skipped:
            self._m.count_in(skipped)
            self._m.count_dropped("no_free_slot", skipped)

    def _drain(self, selector: selectors.BaseSelector) -> None:
        """Submit what still waits after the driver's last frame."""
        selector.unregister(self._m.driver.fileno())
        deadline = time.monotonic() + _STALL_S
        while len(self._queue) and not self._is_stopping and time.monotonic() < deadline:
            self._submit_waiting()
            if len(self._queue):
                selector.select(deadline - time.monotonic())
                self._wake.clear()

    def _submit_waiting(self) -> None:
        """Submit what waits while there are tensors and room; both wake this thread again."""
        while len(self._queue):
            if not self._tensors:
                self._is_starved = True
                if not self._tensors:  # one may have come back before the flag stood
                    return
            self._is_starved = False
            if not self._m.channel.has_room():
                return
            self._submit(self._queue.take())

    def _submit(self, ready: FrameReady) -> None:
        taken_at_ns = time.monotonic_ns()
        frame = self._m.driver.frame(ready.slot)
        tensor = self._tensors.popleft()
        try:
            geometry = self._m.pre(frame, tensor)
            flight = Flight(
                frame_id=ready.frame_id,
                slot=ready.slot,
                frame=frame,
                tensor=tensor,
                geometry=geometry,
                captured_at_ns=ready.captured_at_ns,
                ready_at_ns=ready.ready_at_ns,
                truth=ready.truth,
                taken_at_ns=taken_at_ns,
                prepared_at_ns=time.monotonic_ns(),
            )
            self._m.channel.submit([tensor], flight, timeout_s=_STALL_S)
        except BaseException:
            self._m.count_dropped("stopped", 1)
            raise

    def _deliver_results(self) -> None:
        try:
            while True:
                self._deliver(self._m.channel.receive())
        except (EndOfStreamError, ClosedError):
            return
        except Exception as error:
            # Outermost function of the thread: whatever post-processing raised ends the session.
            log.exception("post-processing failed", extra={"stream": self._m.settings.name})
            self._m.count_dropped("post_error", 1)
            self._device_error = EngineBugError(
                f"post-processing of stream {self._m.settings.name!r} failed: {error!r}"
            )
            self._wake.wake()

    def _deliver(self, completed: Completed) -> None:
        delivered_ns = time.monotonic_ns()
        flight = completed.tag
        if not isinstance(flight, Flight):
            raise EngineBugError(f"a lane returned {type(flight).__name__} instead of a flight")
        if completed.outputs is None:
            self._m.count_dropped("device_error", 1)
            if self._device_error is None:
                self._device_error = _as_engine_error(completed.error)
        else:
            findings = self._post(completed.outputs, flight.geometry)
            complete_ns = time.monotonic_ns()
            durations = stage_durations_ns(
                flight, completed.started_ns, completed.finished_ns, delivered_ns, complete_ns
            )
            result = Result(
                stream=self._m.settings.name,
                frame_id=flight.frame_id,
                captured_at_ns=flight.captured_at_ns,
                finished_at_ns=complete_ns,
                classes=findings.classes,
                boxes=findings.boxes,
                mask=findings.mask,
                line=findings.line,
                stages=stage_times(durations),
                truth=flight.truth,
            )
            self._m.deliver(flight, result, durations)
        self._give_back(flight)

    def _give_back(self, flight: Flight) -> None:
        self._tensors.append(flight.tensor)
        slot, flight.frame = flight.slot, _NOTHING
        self._m.driver.free(slot)
        if self._is_starved:
            self._wake.wake()

    def _finish(self, results: threading.Thread, *, drain: bool) -> None:
        """End the result thread; frames that will not get a result are counted as stopped."""
        self._m.channel.set_on_room(None)
        if drain:
            self._m.channel.finish()
            results.join(_STALL_S)
        undelivered = self._m.channel.close()
        results.join(_STALL_S)
        waiting = self._queue.clear()
        lost = len(undelivered) + len(waiting)
        if lost:
            self._m.count_dropped("stopped", lost)

    def _stall_after_s(self) -> float:
        rate_hz = self._m.frame_format.rate_hz
        return max(_STALL_S, _STALL_PERIODS / rate_hz) if rate_hz > 0 else 60.0

    def _is_stalled(self, last_arrival: float) -> bool:
        is_waiting_for_us = len(self._queue) > 0 or not self._tensors
        silent_s = time.monotonic() - last_arrival
        return not is_waiting_for_us and silent_s >= self._stall_after_s()

    def _stall_error(self) -> EngineError:
        name = self._m.settings.name
        return DriverTimeoutError(
            f"the source of stream {name!r} delivered nothing for {self._stall_after_s():.0f} s",
            stream=name,
        )


def _as_engine_error(error: BaseException | None) -> EngineError:
    if isinstance(error, EngineError):
        return error
    return EngineError(f"the device lane failed: {error!r}")


_NOTHING = np.empty(0, np.uint8)
