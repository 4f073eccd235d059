"""Delivers frame after frame of an open driver into the ring."""

import logging
import time

from engine.drivers.base import BaseDriver, Frame, NoFrameYetError
from engine.drivers.formats import frame_view
from engine.drivers.host_link import HostLink
from engine.drivers.messages import FrameReady, Lost
from engine.drivers.pacing import SourceClock
from engine.drivers.stderr_cap import trim_stderr
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat
from engine.shm import SlotRing

__all__ = ("FrameLoop",)

_FRAMES_PER_TRIM = 256

log = logging.getLogger(__name__)


class FrameLoop:
    """Reads frames at the source's rate; runs on the host's main thread.

    Parameters
    ----------
    is_held_back : wait for a free slot instead of skipping the frame.
    """

    def __init__(
        self,
        driver: BaseDriver,
        link: HostLink,
        ring: SlotRing,
        frame_format: FrameFormat,
        *,
        is_held_back: bool,
    ) -> None:
        self._driver = driver
        self._link = link
        self._ring = ring
        self._format = frame_format
        self._is_held_back = is_held_back
        self._views: dict[int, Frame] = {}
        self._captured_ns = 0
        self._told_lost = 0
        self.frame_count = 0
        """Frames of the source used up so far, skipped ones included."""

    def run(self) -> None:
        """Deliver until the source ends.

        Raises
        ------
        StopRequestedError
            When the engine asked for it.
        EngineError, Exception
            What the driver raises, except `EndOfStreamError`.
        """
        clock = SourceClock(self._format.rate_hz, time.monotonic_ns())
        try:
            while True:
                self._wait_for(clock)
                try:
                    self._deliver(self._acquire())
                except NoFrameYetError:
                    self._tell_losses()
                    continue
                self.frame_count += 1
                if self.frame_count % _FRAMES_PER_TRIM == 0:
                    trim_stderr()
        except EndOfStreamError as end:
            log.info("%s", end)

    def _wait_for(self, clock: SourceClock) -> None:
        self._link.wait(0.0)
        while (left_s := clock.wait_s(time.monotonic_ns())) > 0:
            self._link.wait(left_s)
        clock.tick(time.monotonic_ns())

    def _acquire(self) -> int | None:
        slot = self._ring.acquire()
        while slot is None and self._is_held_back:
            self._link.wait(None)
            slot = self._ring.acquire()
        return slot

    def _deliver(self, slot: int | None) -> None:
        if slot is None:
            self._driver.skip()
            self._tell_losses()
            return
        began_ns = time.monotonic_ns()
        self._driver.captured_at_ns = 0
        try:
            truth = self._driver.read(self._view(slot))
        except BaseException:
            self._ring.abandon(slot)
            raise
        ready_ns = time.monotonic_ns()
        # a driver may know the time better, but not run backwards or ahead
        captured_ns = self._driver.captured_at_ns or began_ns
        self._captured_ns = max(self._captured_ns, min(captured_ns, ready_ns))
        self._tell_losses()
        self._ring.commit(slot, self.frame_count)
        self._link.send(FrameReady(slot, self.frame_count, self._captured_ns, ready_ns, truth))

    def _tell_losses(self) -> None:
        if self._driver.lost_count > self._told_lost:
            self._told_lost = self._driver.lost_count
            self._link.send(Lost(self._told_lost))

    def _view(self, slot: int) -> Frame:
        view = self._views.get(slot)
        if view is None:
            view = self._views[slot] = frame_view(self._ring.buffer(slot), self._format)
        return view
