"""What a device's worker counts, and how it is told."""

from collections import deque

from engine.manager.messages import Begin
from engine.manager.programs import Programs
from engine.manager.scheduler import Scheduler
from engine.manager.sharing import Member
from engine.manager.status import ClientFigures, DeviceFigures
from engine.telemetry import now_ns

__all__ = ("BusyTimes", "figures_of")

_BUCKET_NS = 500_000_000
_BUCKETS = 10


class BusyTimes:
    """How long each client's frames were executed in the last five seconds."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, dict[int, int]]] = deque(maxlen=_BUCKETS)
        self._begun_ns = now_ns()

    def add(self, client: int, at_ns: int, spent_ns: int) -> None:
        """Count one frame."""
        number = at_ns // _BUCKET_NS
        if not self._buckets or self._buckets[-1][0] != number:
            self._buckets.append((number, {}))
        spent = self._buckets[-1][1]
        spent[client] = spent.get(client, 0) + spent_ns

    def forget(self, client: int) -> None:
        """Drop a client that is gone."""
        for _, spent in self._buckets:
            spent.pop(client, None)

    def sums(self, at_ns: int) -> tuple[dict[int, int], int]:
        """Return each client's busy time, and the length of the time it was counted over."""
        oldest = at_ns // _BUCKET_NS - _BUCKETS + 1
        sums: dict[int, int] = {}
        for number, spent in self._buckets:
            if number >= oldest:
                for client, spent_ns in spent.items():
                    sums[client] = sums.get(client, 0) + spent_ns
        since_ns = max(oldest * _BUCKET_NS, self._begun_ns)
        return sums, max(1, at_ns - since_ns)


def figures_of(
    begin: Begin, scheduler: Scheduler, busy: BusyTimes, programs: Programs
) -> DeviceFigures:
    """Describe a device at this moment."""
    sums, span_ns = busy.sums(now_ns())
    total_ns = sum(sums.values())
    telemetry = programs.telemetry()
    return DeviceFigures(
        index=begin.device,
        plugin=begin.plugin,
        state="running",
        lanes=scheduler.lanes,
        swaps=scheduler.swaps,
        busy=min(1.0, total_ns / (span_ns * scheduler.lanes)),
        program=programs.name_of(scheduler.active),
        temperature_c=telemetry.temperature_c,
        power_w=telemetry.power_w,
        clients=tuple(
            _client_of(member, programs, sums.get(member.key, 0) / max(1, total_ns))
            for member in scheduler.members
        ),
    )


def _client_of(member: Member, programs: Programs, share: float) -> ClientFigures:
    return ClientFigures(
        client=member.key,
        program=member.program.key,
        name=programs.name_of(member.program.key),
        weight=member.settings.weight,
        priority=member.settings.priority,
        frames=member.frames,
        share=share,
        queued=len(member.queue),
        executing=member.executing,
        mean_wait_ms=member.waited_ns / 1e6 / max(1, member.frames),
    )
