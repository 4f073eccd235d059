"""The threads that execute programs on one device, shared fairly by all its users."""

import logging
import os
import threading
import time

from engine.errors import ClosedError, InvalidArgumentError
from engine.lanes._board import Board, Completed, Job
from engine.lanes.channel import LaneChannel
from engine.lanes.exit_guard import close_at_exit
from engine.plugins.api import Session

__all__ = ("DeviceLanes", "usable_cores")

log = logging.getLogger(__name__)

_MOST_LANES = 256


class _Lane:
    """One thread's place and how long it was busy."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.thread: threading.Thread | None = None
        self.busy_ns = 0
        self.started_ns = 0  # 0 while it waits


class DeviceLanes:
    """`count` threads named ``lane-<i>`` that execute the jobs of all channels of one device.

    Channels take turns job by job, so that a channel with many jobs does not keep others waiting.
    Jobs of one channel may run on several lanes at once; the channel still delivers in order.

    Parameters
    ----------
    count : int
        Number of lanes, 1 to 256; 0 is one per processor core this process may use.
    """

    def __init__(self, count: int = 0) -> None:
        self._board = Board()
        self._lanes: dict[int, _Lane] = {}
        self._leaving: list[threading.Thread] = []
        self._count = 0
        self._retired_busy_ns = 0
        self._reported_busy_ns = 0
        self._reported_at_ns = time.monotonic_ns()
        self.set_count(count)
        close_at_exit(self)

    def __enter__(self) -> "DeviceLanes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def count(self) -> int:
        """How many lanes there are."""
        return self._count

    def set_count(self, count: int) -> None:
        """Change the number of lanes at once; a lane that is too many ends after its job."""
        if not 0 <= count <= _MOST_LANES:
            raise InvalidArgumentError(
                f"the number of lanes is 0 (one per core) to {_MOST_LANES}, not {count}"
            )
        count = count or usable_cores()
        with self._board.lock:
            self._check_open()
            self._count = count
            self._board.work.notify_all()
            # Started with the lock held, so that close() finds only threads that can be joined.
            for index in range(count):
                if index not in self._lanes:
                    lane = _Lane(index)
                    lane.thread = threading.Thread(
                        target=self._serve, args=(lane,), name=f"lane-{index}"
                    )
                    lane.thread.start()
                    self._lanes[index] = lane

    def open_channel(self, session: Session, *, name: str, depth: int = 3) -> LaneChannel:
        """Open a way to execute `session`, with at most `depth` jobs under way.

        Raises
        ------
        InvalidArgumentError
            When `depth` is below 1.
        ClosedError
            After `close`.
        """
        if depth < 1:
            raise InvalidArgumentError(f"depth of channel {name!r} is 1 or more, not {depth}")
        with self._board.lock:
            self._check_open()
            channel = LaneChannel(self._board, session, name=name, depth=depth)
            self._board.channels.append(channel)
            return channel

    def busy_fraction(self) -> float:
        """Return how busy the lanes were since the last call, 0..1."""
        with self._board.lock:
            now = time.monotonic_ns()
            busy_ns = self._retired_busy_ns
            for lane in self._lanes.values():
                busy_ns += lane.busy_ns + (now - lane.started_ns if lane.started_ns else 0)
            spent_ns = busy_ns - self._reported_busy_ns
            available_ns = (now - self._reported_at_ns) * max(1, self._count)
            self._reported_busy_ns, self._reported_at_ns = busy_ns, now
        return min(1.0, max(0.0, spent_ns / available_ns)) if available_ns > 0 else 0.0

    def close(self, deadline_s: float = 2.0) -> None:
        """Close all channels and end the lanes, waiting at most `deadline_s`.

        A job that is being executed cannot be interrupted: its lane ends after it, and a warning
        says so. Safe to call twice and from any thread.
        """
        board = self._board
        with board.lock:
            board.is_closed = True
            dropped = [channel.close_locked() for channel in list(board.channels)]
            board.work.notify_all()
            threads = [lane.thread for lane in self._lanes.values() if lane.thread is not None]
            threads += self._leaving
            self._leaving = []
        del dropped  # only now, outside the lock, what was queued may be destroyed
        end = time.monotonic() + deadline_s
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        slow = [t.name for t in threads if t.is_alive() and t is not threading.current_thread()]
        if slow:
            log.warning(
                "%s still executes a program after %.1f s and ends when it is done",
                ", ".join(slow),
                deadline_s,
            )

    def _check_open(self) -> None:
        if self._board.is_closed:
            raise ClosedError("the device's lanes were closed; make new ones to go on")

    def _serve(self, lane: _Lane) -> None:
        """Execute jobs until the device closes or this lane is one too many."""
        board = self._board
        job: Job | None = None
        completed: Completed | None = None
        while True:
            with board.lock:
                if job is not None and completed is not None:
                    lane.busy_ns += completed.finished_ns - lane.started_ns
                    lane.started_ns = 0
                    job.channel.put_back(job, completed)
            job = completed = None  # keeps nothing alive while waiting, destroys nothing locked
            with board.lock:
                while not board.ready and not self._is_to_end(lane):
                    board.work.wait()
                if self._is_to_end(lane):
                    self._retire(lane)
                    return
                job = board.take()
                lane.started_ns = time.monotonic_ns()
            completed = _execute(job, lane.started_ns)

    def _is_to_end(self, lane: _Lane) -> bool:
        return self._board.is_closed or lane.index >= self._count

    def _retire(self, lane: _Lane) -> None:
        del self._lanes[lane.index]
        self._retired_busy_ns += lane.busy_ns
        self._leaving = [thread for thread in self._leaving if thread.is_alive()]
        if lane.thread is not None:
            self._leaving.append(lane.thread)
        if self._board.ready:
            self._board.work.notify()  # the wake-up that brought us here may have been for a job


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _execute(job: Job, started_ns: int) -> Completed:
    outputs = error = None
    inputs, job.inputs = job.inputs, ()
    try:
        outputs = list(job.session.run(inputs))
    except BaseException as caught:  # noqa: BLE001 - plugin code; whatever it is belongs to this job
        error = caught
    return Completed(job.tag, outputs, error, job.queued_ns, started_ns, time.monotonic_ns())
