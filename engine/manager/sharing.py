"""Who shares a device: clients with their queues, and the programs they have in common.

Pure state without a clock, a lock or I/O; `Scheduler` decides with it.
"""

import math
from collections import deque

import msgspec

from engine.errors import BusyError, InvalidArgumentError

__all__ = ("Member", "Order", "ShareSettings", "SharedProgram")

_MOST_WEIGHT = 1e6


class ShareSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one client asks for.

    Attributes
    ----------
    frame_limit : frames of a turn while another program waits; 0 is no limit.
    time_limit_ms : length of a turn while another program waits; 0 is no limit.
    stop_on_empty : the turn ends as soon as no frame waits.
    queue_size : frames that may wait at once.
    weight : share of the device beside other weights.
    priority : the higher one goes first; who waits longer rises, so that nobody starves.
    fps_limit : frames per second that may begin; 0 is no limit.
    """

    frame_limit: int = 600
    time_limit_ms: float = 0.0
    stop_on_empty: bool = False
    queue_size: int = 16
    weight: float = 1.0
    priority: int = 0
    fps_limit: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        limits = (self.frame_limit, self.time_limit_ms, self.fps_limit)
        if not all(math.isfinite(value) and value >= 0 for value in limits):
            raise InvalidArgumentError(
                f"frame_limit, time_limit and fps_target are 0 or more, not {limits}"
            )
        if self.queue_size < 1:
            raise InvalidArgumentError(f"a queue holds 1 frame or more, not {self.queue_size}")
        if not 0 < self.weight <= _MOST_WEIGHT:
            raise InvalidArgumentError(
                f"weight is above 0 and at most {_MOST_WEIGHT:g}, not {self.weight!r}"
            )

    @property
    def spacing_ns(self) -> int:
        """Shortest time between the beginnings of two frames."""
        return round(1e9 / self.fps_limit) if self.fps_limit else 0


class Member:
    """One client's place at a device: its queue, and what it has had.

    Attributes
    ----------
    progress : frames begun divided by the weight; who has the least is next.
    """

    def __init__(self, key: int, program: "SharedProgram", settings: ShareSettings) -> None:
        self.key = key
        self.program = program
        self.settings = settings
        self.queue: deque[tuple[object, int]] = deque()
        self.executing = 0
        self.progress = 0.0
        self.served_at = 0
        self.not_before_ns = 0
        self.frames = 0
        self.busy_ns = 0
        self.waited_ns = 0

    def put(self, tag: object, now_ns: int) -> None:
        """Queue a frame; raises `BusyError` when the queue is full."""
        if len(self.queue) >= self.settings.queue_size:
            raise BusyError(
                f"the queue of client {self.key} is full ({self.settings.queue_size} frames); "
                "wait for a result before sending more",
                client=self.key,
            )
        if not self.queue and not self.executing:  # no credit for the time it was away
            self.progress = max(self.progress, self.program.progress)
        self.queue.append((tag, now_ns))

    def is_ready(self, now_ns: int) -> bool:
        """Whether a frame waits and may begin."""
        return bool(self.queue) and now_ns >= self.not_before_ns

    def rank(self, now_ns: int, top: int, aging_ns: int) -> int:
        """Return the priority, risen by waiting up to that of the highest that is here."""
        waited_ns = now_ns - self.queue[0][1] if self.queue else 0
        return min(max(top, self.settings.priority), self.settings.priority + waited_ns // aging_ns)

    def take(self, now_ns: int, served_at: int) -> "Order":
        """Begin the oldest frame."""
        tag, queued_at_ns = self.queue.popleft()
        self.program.progress = self.progress
        self.progress += 1.0 / self.settings.weight
        self.served_at = served_at
        self.not_before_ns = now_ns + self.settings.spacing_ns
        self.executing += 1
        self.frames += 1
        self.waited_ns += now_ns - queued_at_ns
        return Order(self, tag, now_ns - queued_at_ns)


class Order:
    """One frame to execute now.

    Attributes
    ----------
    client : whose frame it is.
    tag : the frame, as it was offered.
    waited_ns : how long it waited.
    """

    __slots__ = ("is_contested", "member", "tag", "waited_ns")

    def __init__(self, member: Member, tag: object, waited_ns: int) -> None:
        self.member = member
        self.tag = tag
        self.waited_ns = waited_ns
        self.is_contested = False

    @property
    def client(self) -> int:
        """Whose frame it is."""
        return self.member.key


class SharedProgram:
    """A program and the clients that use it; identical programs are one.

    Attributes
    ----------
    progress : that of the client served last; newcomers start there.
    credit_ns : device time it may still have in turns of different weights.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.members: list[Member] = []
        self.executing = 0
        self.progress = 0.0
        self.credit_ns = 0.0
        self.turns = 0

    @property
    def settings(self) -> ShareSettings:
        """The limits of its turns: those of the client that is here longest."""
        return self.members[0].settings if self.members else ShareSettings()

    @property
    def weight(self) -> float:
        """The largest weight of its clients."""
        return max((member.settings.weight for member in self.members), default=1.0)

    def priority(self) -> int | None:
        """Return the highest priority that has frames here, None without frames."""
        working = [m.settings.priority for m in self.members if m.queue or m.executing]
        return max(working, default=None)

    def is_ready(self, now_ns: int) -> bool:
        """Whether one of its frames may begin."""
        return any(member.is_ready(now_ns) for member in self.members)

    def rank(self, now_ns: int, top: int, aging_ns: int) -> int:
        """Return the highest rank of its frames that may begin."""
        ready = [member for member in self.members if member.is_ready(now_ns)]
        return max(member.rank(now_ns, top, aging_ns) for member in ready)

    def next_member(self, now_ns: int, aging_ns: int) -> Member | None:
        """Return whose frame is next: highest rank, least progress, longest not served."""
        ready = [member for member in self.members if member.is_ready(now_ns)]
        if len(ready) < 2:
            return ready[0] if ready else None
        top = max(member.settings.priority for member in ready)
        return min(ready, key=lambda m: (-m.rank(now_ns, top, aging_ns), m.progress, m.served_at))
