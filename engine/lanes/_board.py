"""What the lanes and channels of one device share: one lock, and the jobs that wait."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from engine.plugins.api import Session

if TYPE_CHECKING:
    from engine.lanes.channel import LaneChannel

__all__ = ("Board", "Completed", "Job")

Array = np.ndarray[Any, Any]


class Completed(msgspec.Struct):
    """One job that was executed; exactly one of `outputs` and `error` is set.

    `queued_ns`, `started_ns` and `finished_ns` are monotonic times.
    """

    tag: object
    outputs: list[Array] | None
    error: BaseException | None
    queued_ns: int
    started_ns: int
    finished_ns: int


class Job:
    """One execution of a session, from submit until it is received."""

    __slots__ = ("channel", "completed", "inputs", "queued_ns", "session", "tag")

    def __init__(
        self,
        channel: "LaneChannel",
        session: Session,
        inputs: Sequence[Array],
        tag: object,
        queued_ns: int,
    ) -> None:
        self.channel = channel
        self.session = session
        self.inputs = inputs
        self.tag = tag
        self.queued_ns = queued_ns
        self.completed: Completed | None = None


class Board:
    """The one lock of a device, the wake-up of its lanes, and the channels that have work.

    A channel stands in `ready` once while it has queued jobs; a lane takes the first channel,
    one job of it, and puts the channel at the end. That is the whole of the fairness.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.work = threading.Condition(self.lock)
        self.ready: deque[LaneChannel] = deque()
        self.channels: list[LaneChannel] = []
        self.is_closed = False

    def take(self) -> Job:
        """Take the next job in turn; call with the lock held and `ready` not empty."""
        channel = self.ready.popleft()
        job = channel.pop_queued()
        if channel.has_queued:
            self.ready.append(channel)
        return job
