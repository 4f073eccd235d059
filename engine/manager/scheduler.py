"""Decides which frame a device executes next. Pure: time is told, nothing is awaited."""

from collections import deque

from engine.errors import InvalidArgumentError, WrongStateError
from engine.manager.sharing import Member, Order, SharedProgram, ShareSettings

__all__ = ("Scheduler",)

_MOST_ROUNDS = 100_000


class Scheduler:
    """Gives one device to programs in turns, and within a program to its clients.

    One program at a time: its frames may run on all lanes, and the last one has ended before a
    frame of another program begins. A program alone keeps the device. While another one waits, a
    turn ends after `frame_limit` frames or `time_limit_ms`, when no frame waits (at once with
    `stop_on_empty`, else after a short grace), or when one of a higher priority waits. Programs
    take turns round robin; where their weights differ, turns are cut to the weights' shares of
    device time instead, which can be several turns in a row. Clients of one program share its
    turns by weight, frame by frame.

    All methods are called by one thread at a time. Times are monotonic, in nanoseconds.

    Parameters
    ----------
    lanes : frames that are executed at once.
    idle_grace_ns : how long a program without frames keeps the device.
    quantum_ns : turn of the largest weight, where weights differ.
    aging_ns : waiting time after which a frame counts as one priority higher.
    """

    def __init__(
        self,
        lanes: int,
        *,
        idle_grace_ns: int = 2_000_000,
        quantum_ns: int = 100_000_000,
        aging_ns: int = 1_000_000_000,
    ) -> None:
        if lanes < 1:
            raise InvalidArgumentError(f"a device has 1 lane or more, not {lanes}")
        self.lanes = lanes
        self.swaps = 0
        self._idle_grace_ns = idle_grace_ns
        self._quantum_ns = quantum_ns * lanes
        self._aging_ns = aging_ns
        self._members: dict[int, Member] = {}
        self._line: deque[SharedProgram] = deque()  # in the order of their turns
        self._active: SharedProgram | None = None
        self._executing = 0
        self._served = 0
        self._turn_frames = 0  # of this turn
        self._contested_frames = 0  # of this turn, begun while others waited
        self._contested_since_ns: int | None = None
        self._idle_since_ns = 0
        self._is_over = False

    @property
    def executing(self) -> int:
        """Frames that are being executed."""
        return self._executing

    @property
    def active(self) -> str:
        """The program that has the device, empty when none had it yet."""
        return self._active.key if self._active is not None else ""

    @property
    def members(self) -> tuple[Member, ...]:
        """The clients, longest here first, for reading."""
        return tuple(self._members.values())

    def join(self, client: int, program: str, settings: ShareSettings) -> None:
        """Add a client of a program."""
        if client in self._members:
            raise WrongStateError(f"client {client} uses the device already")
        shared = next((known for known in self._line if known.key == program), None)
        if shared is None:
            shared = SharedProgram(program)
            self._line.append(shared)
        member = Member(client, shared, settings)
        member.progress = shared.progress
        shared.members.append(member)
        self._members[client] = member

    def leave(self, client: int) -> list[object]:
        """Remove a client; returns its frames that did not begin. Harmless when it is gone."""
        member = self._members.pop(client, None)
        if member is None:
            return []
        program = member.program
        program.members.remove(member)
        if not program.members:
            self._line.remove(program)
        dropped = [tag for tag, _ in member.queue]
        member.queue.clear()
        return dropped

    def has_room(self, client: int) -> bool:
        """Say whether a frame of the client would be taken."""
        member = self._members[client]
        return len(member.queue) < member.settings.queue_size

    def offer(self, client: int, tag: object, now_ns: int) -> None:
        """Queue a frame of a client; `start` returns it when it is its turn.

        Raises
        ------
        BusyError
            When the client's queue is full.
        """
        self._members[client].put(tag, now_ns)

    def start(self, now_ns: int) -> Order | None:
        """Return the next frame to execute, or None when none may begin now.

        Ask again after `offer`, `finish` or `leave`, and after `wake_in_ns`.
        """
        if self._executing >= self.lanes:
            return None
        self._look(now_ns)
        if self._active is None or self._is_over:
            if self._executing:
                return None  # the turn's last frames come first
            self._hand_over(now_ns)
        if self._active is None or self._is_over:
            return None
        member = self._active.next_member(now_ns, self._aging_ns)
        return None if member is None else self._begin(member, now_ns)

    def finish(self, order: Order, now_ns: int, spent_ns: int) -> None:
        """Note that a frame was executed, which took `spent_ns` of one lane."""
        member = order.member
        member.executing -= 1
        member.busy_ns += spent_ns
        member.program.executing -= 1
        if order.is_contested:
            member.program.credit_ns -= spent_ns
        self._executing -= 1
        self._idle_since_ns = now_ns

    def wake_in_ns(self, now_ns: int) -> int | None:
        """Return when to ask `start` again though nothing happens; None for never."""
        if self._executing >= self.lanes:
            return None
        moments = [m.not_before_ns for m in self._members.values() if m.queue]
        moments = [moment for moment in moments if moment > now_ns]
        active = self._active
        if active is not None and not self._is_over and self._rivals(now_ns):
            moments.append(self._idle_since_ns + self._idle_grace_ns)
            if self._contested_since_ns is not None and active.settings.time_limit_ms:
                moments.append(self._contested_since_ns + _ns(active.settings.time_limit_ms))
        moments = [moment for moment in moments if moment > now_ns]
        return min(moments) - now_ns if moments else None

    def _rivals(self, now_ns: int) -> list[SharedProgram]:
        """Programs other than the active one that could begin a frame, in the order of turns."""
        if len(self._line) == 1 and self._line[0] is self._active:
            return []
        return [p for p in self._line if p is not self._active and p.is_ready(now_ns)]

    def _look(self, now_ns: int) -> None:
        """See whether the turn is over; once over it stays so while somebody waits."""
        rivals = self._rivals(now_ns)
        if not rivals:
            self._is_over = False
            self._contested_since_ns = None
            self._contested_frames = 0
            return
        if self._contested_since_ns is None:
            self._contested_since_ns = now_ns
        if self._active is not None and not self._is_over:
            self._is_over = self._must_end(self._active, rivals, now_ns)

    def _must_end(self, active: SharedProgram, rivals: list[SharedProgram], now_ns: int) -> bool:
        limits = active.settings
        since_ns = 0 if self._contested_since_ns is None else now_ns - self._contested_since_ns
        if not active.members:
            return True
        if not active.is_ready(now_ns):
            idle_ns = 0 if self._executing else now_ns - self._idle_since_ns
            is_paced = any(member.queue for member in active.members)
            if limits.stop_on_empty or is_paced or idle_ns >= self._idle_grace_ns:
                return True
        if limits.frame_limit and self._contested_frames >= limits.frame_limit:
            return True
        if limits.time_limit_ms and since_ns >= _ns(limits.time_limit_ms):
            return True
        if not self._turn_frames:
            return False
        if _are_uneven([active, *rivals]) and active.credit_ns <= 0:
            return True
        return self._is_outranked(active, rivals, now_ns)

    def _is_outranked(
        self, active: SharedProgram, rivals: list[SharedProgram], now_ns: int
    ) -> bool:
        own = active.priority()
        if own is None:
            return False
        top = self._top_priority()
        return any(rival.rank(now_ns, top, self._aging_ns) > own for rival in rivals)

    def _top_priority(self) -> int:
        return max((p for known in self._line if (p := known.priority()) is not None), default=0)

    def _hand_over(self, now_ns: int) -> None:
        """Give the device to the next program, if one waits."""
        before = self._active
        if before is not None and before in self._line:
            self._line.remove(before)
            self._line.append(before)
            if not before.is_ready(now_ns):
                before.credit_ns = min(0.0, before.credit_ns)
        ready = [program for program in self._line if program.is_ready(now_ns)]
        if not ready:
            return
        top = self._top_priority()
        ranks = [program.rank(now_ns, top, self._aging_ns) for program in ready]
        highest = [p for p, rank in zip(ready, ranks, strict=True) if rank == max(ranks)]
        following = self._next_by_share(highest)
        if before is not None and following is not before:
            self.swaps += 1
        following.turns += 1
        self._active = following
        self._is_over = False
        self._turn_frames = self._contested_frames = 0
        self._idle_since_ns = now_ns
        is_contested = any(program is not following for program in ready)
        self._contested_since_ns = now_ns if is_contested else None

    def _next_by_share(self, ready: list[SharedProgram]) -> SharedProgram:
        if not _are_uneven(ready):
            for program in ready:
                program.credit_ns = 0.0
            return ready[0]
        largest = max(program.weight for program in ready)
        for _ in range(_MOST_ROUNDS):
            for program in ready:
                program.credit_ns += self._quantum_ns * program.weight / largest
                if program.credit_ns > 0:
                    return program
        return max(ready, key=lambda program: program.credit_ns)

    def _begin(self, member: Member, now_ns: int) -> Order:
        self._served += 1
        order = member.take(now_ns, self._served)
        member.program.executing += 1
        self._executing += 1
        self._turn_frames += 1
        if self._contested_since_ns is not None:
            self._contested_frames += 1
            order.is_contested = True
        return order


def _are_uneven(programs: list[SharedProgram]) -> bool:
    weights = {program.weight for program in programs}
    return len(weights) > 1


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
