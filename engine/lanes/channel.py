"""One user's way to a device: bounded, strictly in order, woken by events only."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ClosedError, EndOfStreamError, EngineTimeoutError, WrongStateError
from engine.lanes._board import Board, Completed, Job
from engine.plugins.api import Session

__all__ = ("LaneChannel",)


class _Place:
    """A place in the line of those who wait for room."""

    __slots__ = ("is_granted", "wake")

    def __init__(self) -> None:
        self.is_granted = False
        self.wake = threading.Lock()
        self.wake.acquire()


class LaneChannel:
    """Submits jobs for one session and receives them in the order of submission.

    Made by `DeviceLanes.open_channel`. Any thread may submit, any thread may receive. At most
    `depth` jobs are under way, that is submitted and not yet received.
    """

    def __init__(self, board: Board, session: Session, *, name: str, depth: int) -> None:
        self.name = name
        self.depth = depth
        self._board = board
        self._session = session
        self._lock = board.lock
        self._done = threading.Condition(board.lock)
        self._idle = threading.Condition(board.lock)
        self._queued: deque[Job] = deque()
        self._order: deque[Job] = deque()
        self._executing = 0
        self._line: deque[_Place] = deque()
        self._granted = 0  # places that were woken and did not submit yet
        self._on_room: Callable[[], None] | None = None
        self._is_finished = False
        self._is_closed = False

    def __enter__(self) -> "LaneChannel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def under_way(self) -> int:
        """Jobs submitted and not yet received."""
        return len(self._order)

    @property
    def has_queued(self) -> bool:
        """Whether jobs wait for a lane."""
        return bool(self._queued)

    def has_room(self) -> bool:
        """Say whether a submit would go through at once."""
        with self._lock:
            return len(self._order) < self.depth and not self._is_closed and not self._is_finished

    def set_on_room(self, callback: Callable[[], None] | None) -> None:
        """Have `callback` called whenever a full channel gets room.

        It runs outside all locks, in the thread whose `receive` made the room.
        """
        with self._lock:
            self._on_room = callback

    def submit(
        self,
        inputs: Sequence[np.ndarray[Any, Any]],
        tag: object = None,
        *,
        timeout_s: float | None = None,
    ) -> None:
        """Queue one execution; blocks while `depth` jobs are under way.

        The arrays are used as they are: leave them alone until the job was received.

        Raises
        ------
        EngineTimeoutError
            When there is no room within `timeout_s`; nothing was queued.
        ClosedError
            When the channel or its device was closed, also while waiting.
        WrongStateError
            After `finish`.
        """
        with self._lock:
            if not self._has_room():
                self._await_room(timeout_s)
            job = Job(self, self._session, inputs, tag, time.monotonic_ns())
            self._order.append(job)
            if not self._queued:
                self._board.ready.append(self)
            self._queued.append(job)
            self._board.work.notify()

    def receive(self, timeout_s: float | None = None) -> Completed:
        """Return the oldest job that was not yet received, when it is done.

        Raises
        ------
        EngineTimeoutError
            When it is not done within `timeout_s`; a later call gets it.
        EndOfStreamError
            After `finish`, when every job was received.
        ClosedError
            When the channel or its device was closed, also while waiting.
        """
        with self._lock:
            order = self._order
            if not order or order[0].completed is None:
                self._await_done(timeout_s)
            completed = order.popleft().completed
            if completed is None:  # _await_done returned without a job that is done
                raise AssertionError(f"channel {self.name!r} delivered an unfinished job")
            if order:
                if order[0].completed is not None:
                    self._done.notify()
            elif self._is_finished:
                self._done.notify_all()
            self._grant()
            is_room_new = len(order) + self._granted == self.depth - 1
            callback = self._on_room if is_room_new else None
        if callback is not None:
            callback()
        return completed

    def finish(self) -> None:
        """Accept no more jobs; `receive` ends after the last one. Safe to call twice."""
        with self._lock:
            self._is_finished = True
            self._wake_line()
            self._done.notify_all()

    def reopen(self) -> None:
        """Take `finish` back: accept jobs again."""
        with self._lock:
            self._is_finished = False

    def close(self) -> list[object]:
        """Drop what was not received and wake everybody who waits.

        Does not wait for a job that a lane is executing; `wait_idle` does.

        Returns
        -------
        list
            The tags of the jobs that were not received, oldest first; empty when called again.
        """
        with self._lock:
            dropped = self.close_locked()
        return [job.tag for job in dropped]

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until no lane executes a job of this channel, so that its memory may go away."""
        with self._lock:
            return self._idle.wait_for(lambda: not self._executing, timeout_s)

    # What follows is called by the device's lanes, with the lock held.

    def pop_queued(self) -> Job:
        """Hand the oldest queued job to a lane."""
        self._executing += 1
        return self._queued.popleft()

    def put_back(self, job: Job, completed: Completed) -> None:
        """Take an executed job back; the receiver is woken when it is the next in order."""
        job.completed = completed
        self._executing -= 1
        if not self._executing:
            self._idle.notify_all()
        if self._order and self._order[0] is job:
            self._done.notify()

    def close_locked(self) -> list[Job]:
        """Close, and return the jobs that were dropped; let go of them outside the lock."""
        self._is_closed = True
        dropped = list(self._order)
        self._order.clear()
        if self._queued:
            self._queued.clear()
            self._board.ready.remove(self)
        if self in self._board.channels:
            self._board.channels.remove(self)
        self._on_room = None
        self._wake_line()
        self._done.notify_all()
        return dropped

    def _has_room(self) -> bool:
        """Whether a newcomer may submit: who waits already goes first."""
        is_taking = not (self._is_closed or self._is_finished)
        return is_taking and not self._line and len(self._order) + self._granted < self.depth

    def _await_room(self, timeout_s: float | None) -> None:
        """Wait in line for room."""
        self._check_takes_frames()
        place = _Place()
        self._line.append(place)
        self._lock.release()
        try:
            place.wake.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s))
        except BaseException:
            self._lock.acquire()
            self._leave_line(place)
            self._grant()  # what was granted to us goes to the next
            raise
        self._lock.acquire()
        self._leave_line(place)
        self._check_takes_frames()
        if not place.is_granted:
            raise EngineTimeoutError(
                f"channel {self.name!r} had no room for {timeout_s:g} s; "
                f"{self.depth} frames are under way, receive some or wait longer",
                channel=self.name,
            )

    def _leave_line(self, place: _Place) -> None:
        if place.is_granted:
            self._granted -= 1
        elif place in self._line:
            self._line.remove(place)

    def _grant(self) -> None:
        """Wake as many in the line as there is room for."""
        while self._line and len(self._order) + self._granted < self.depth:
            place = self._line.popleft()
            place.is_granted = True
            self._granted += 1
            place.wake.release()

    def _wake_line(self) -> None:
        for place in self._line:
            place.wake.release()
        self._line.clear()

    def _await_done(self, timeout_s: float | None) -> None:
        """Wait until the oldest job is done."""
        order = self._order
        end = None if timeout_s is None else time.monotonic() + timeout_s
        came = True
        while not order or order[0].completed is None:
            if self._is_closed:
                raise self._closed()
            if self._is_finished and not order:
                raise EndOfStreamError(f"channel {self.name!r} has delivered its last frame")
            if not came:
                raise EngineTimeoutError(
                    f"channel {self.name!r} delivered nothing for {timeout_s:g} s; "
                    f"{len(order)} frames are under way, wait longer",
                    channel=self.name,
                )
            try:
                came = self._done.wait(None if end is None else end - time.monotonic())
            except BaseException:
                self._done.notify()  # a wake-up that was ours is passed on
                raise

    def _check_takes_frames(self) -> None:
        if self._is_closed:
            raise self._closed()
        if self._is_finished:
            raise WrongStateError(
                f"channel {self.name!r} was finished and takes no more frames; open a new one",
                channel=self.name,
            )

    def _closed(self) -> ClosedError:
        return ClosedError(
            f"channel {self.name!r} was closed; open a new one to go on", channel=self.name
        )
