"""Decides on which of several devices a frame is executed. Pure: time is told, nothing is awaited.

Frames come back to the caller in order, so that a device that is much slower than the others holds
everything up. And a device can be lost: then it is tried again from time to time, with one frame.
"""

from collections.abc import Collection, Sequence

from engine.errors import WrongStateError

__all__ = ("Balance", "Seat")

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 60.0
_NEWEST_PART = 0.2  # of the mean that a new measurement counts for
_FORGETTING = 0.999  # of a slow device's time that is left each time it is passed over


class Seat:
    """One device.

    Attributes
    ----------
    number : of the device, as the caller counts.
    capacity : frames that are executed on it at once.
    seconds : mean time of a frame there, by model; 0 before the first.
    """

    def __init__(self, number: int, capacity: int, models: int) -> None:
        self.number = number
        self.capacity = capacity
        self.seconds = [0.0] * models
        self.in_use = 0
        self.is_lost = False
        self.is_on_trial = False
        self.retry_at_s = 0.0
        self.delay_s = 0.0


class Balance:
    """The devices of one program, and what is known of them.

    All methods are called by one thread at a time.

    Parameters
    ----------
    capacities : frames at once, by number of the device.
    depth : frames of a model that may be under way at once.
    """

    def __init__(self, capacities: dict[int, int], *, models: int, depth: int) -> None:
        self.seats = [Seat(number, count, models) for number, count in capacities.items()]
        self._depth = depth

    def take(self, model: int, tried: Collection[int], now_s: float) -> Seat | None:
        """Return where to execute a frame; None when it has to wait for `give_back` or `lose`.

        Parameters
        ----------
        tried : devices that were lost while they were at this frame; never taken again for it.

        Raises
        ------
        WrongStateError
            When all were tried.
        """
        left = [seat for seat in self.seats if seat.number not in tried]
        if not left:
            raise WrongStateError("a frame was tried on all devices")
        working = [seat for seat in left if not seat.is_lost]
        due = [
            seat
            for seat in left
            if seat.is_lost
            and not seat.is_on_trial
            and seat.retry_at_s <= now_s
            and seat.in_use < seat.capacity
        ]
        # With nothing that works, waiting for the right moment helps nobody.
        free = due[:1] or [
            seat for seat in self._worth_it(model, working) or left if seat.in_use < seat.capacity
        ]
        if not free:
            return None
        seat = min(free, key=lambda seat: seat.in_use / seat.capacity)
        seat.in_use += 1
        seat.is_on_trial = seat.is_lost
        return seat

    def give_back(self, seat: Seat, model: int, spent_s: float | None) -> bool:
        """Note that a frame was executed; True when the device was lost before.

        `spent_s` is None when it failed by its own fault.
        """
        seat.in_use -= 1
        is_back = seat.is_on_trial
        if is_back:
            seat.is_lost = seat.is_on_trial = False
            seat.delay_s = 0.0
        if spent_s is not None:
            before_s = seat.seconds[model]
            part = _NEWEST_PART if before_s else 1.0
            seat.seconds[model] = before_s + part * (spent_s - before_s)
        return is_back

    def lose(self, seat: Seat, now_s: float) -> bool:
        """Note that a device was lost while it was at a frame; it is tried again, ever later.

        False when that is known already, from another frame that was under way there.
        """
        seat.in_use -= 1
        if seat.is_lost and not seat.is_on_trial:
            return False
        seat.is_lost, seat.is_on_trial = True, False
        seat.delay_s = min(_LONGEST_DELAY_S, max(_FIRST_DELAY_S, 2 * seat.delay_s))
        seat.retry_at_s = now_s + seat.delay_s
        return True

    def wait_s(self, now_s: float) -> float | None:
        """Return how long until a lost device may be tried again; None when that is no reason."""
        moments = [s.retry_at_s for s in self.seats if s.is_lost and not s.is_on_trial]
        return min((moment - now_s for moment in moments if moment > now_s), default=None)

    def _worth_it(self, model: int, working: Sequence[Seat]) -> list[Seat]:
        """Leave out devices that would hold up the order.

        While such a device is at one frame, the fastest is done with all the others that may be
        under way, and then has to wait.
        """
        known = [seat for seat in working if seat.seconds[model]]
        if not known:
            return list(working)
        fastest_s = min(seat.seconds[model] for seat in known)
        period_s = min(seat.seconds[model] / seat.capacity for seat in known)
        longest_s = max(fastest_s, period_s * self._depth)
        worth_it = []
        for seat in working:
            if seat.seconds[model] <= longest_s:
                worth_it.append(seat)
            else:
                seat.seconds[model] *= _FORGETTING  # it may have been a bad start
        return worth_it
