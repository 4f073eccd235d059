"""Items on their way in: taken from the input by one thread, handed to workers by another."""

import itertools
import pickle
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from engine.errors import EngineError
from engine.runner._codec import PLAIN, Entry, inline_bytes
from engine.runner._crew_api import Crew
from engine.runner.errors import ItemError
from engine.runner.statistics import Tally

__all__ = ("Feed",)


class Feed:
    """The input of a call, read no further ahead of the consumer than allowed.

    One thread feeds and another takes; each number is written by one of them only.

    Attributes
    ----------
    stopped : whether the call is given up.
    is_fed : whether the input is at its end.
    settled : results the consumer is done with.
    pulled : items taken from the input; exact once `is_fed`.
    """

    def __init__(self, crew: Crew, tally: Tally, parcels: int) -> None:
        self.stopped = False
        self.is_fed = False
        self.settled = 0
        self.pulled = 0
        self._crew = crew
        self._tally = tally
        self._parcels = parcels
        self._parcel_items = 1
        self._box: deque[Entry] = deque()
        self._wake_at = 1
        self._is_hungry = True
        self._room = threading.Event()
        self._is_held_back = False

    def __len__(self) -> int:
        """Return how many items are waiting to be sent."""
        return len(self._box)

    # -- the feeding thread

    def feed(self, data_iter: Iterable[Any]) -> None:
        """Take items from the input, as many as may be under way; raises what the input raises."""
        values = iter(data_iter)
        while not self.stopped:
            room = self._parcels * self._parcel_items - (self.pulled - self.settled)
            if room <= 0:
                self._wait_for_room()
            elif not self._feed_some(values, room):
                self.is_fed = True
                self._crew.wake()
                return

    def _feed_some(self, values: Iterator[Any], most: int) -> bool:
        """Take down up to `most` items; False at the end of the input."""
        encode, box = self._crew.encode, self._box
        count = 0
        try:
            for value in itertools.islice(values, most):
                if type(value) in PLAIN:
                    box.append(value)
                else:
                    box.append(self._taken_down(encode, value, self.pulled + count))
                count += 1
                if self._is_hungry and len(box) >= self._wake_at:
                    self._is_hungry = False
                    self._crew.wake()
        finally:
            self.pulled += count
        return count == most

    def _taken_down(self, encode: Any, value: Any, item: int) -> Entry:  # noqa: ANN401
        try:
            return encode(value)
        except EngineError:
            raise
        except Exception as error:
            if _can_be_pickled(value):  # then it is a signal handler's that came just now
                raise
            raise ItemError.chained(
                f"item {item} cannot be sent to a worker: {error}; "
                "give plain data, arrays or objects that can be pickled",
                error,
                item=item,
            ) from error

    def _wait_for_room(self) -> None:
        """Wait until the consumer has caught up, or the call is given up."""
        since = time.monotonic()
        while not self.stopped:
            self._is_held_back = True
            self._room.clear()
            if self._has_room():
                break
            self._room.wait()
        self._is_held_back = False
        self._tally.spend(input_wait_s=time.monotonic() - since)

    def _has_room(self) -> bool:
        """Whether it pays to go on feeding: there is room for a parcel."""
        room = self._parcels * self._parcel_items - (self.pulled - self.settled)
        return room >= self._parcel_items or self.settled == self.pulled

    # -- any thread

    def stop(self) -> None:
        """Let the feeding thread leave as soon as it can."""
        self.stopped = True
        self._room.set()

    def settle(self, count: int) -> None:
        """Count results the consumer is done with; that makes room."""
        self.settled += count
        if self._is_held_back and self._has_room():
            self._room.set()

    def forget(self) -> None:
        """Free what was taken down and never sent; the feeding thread calls it at its end."""
        while self._box:
            self._crew.drop(self._box.popleft())

    # -- the thread that takes

    def set_pace(self, parcel_items: int) -> None:
        """Say how many items travel together from now on."""
        self._parcel_items = parcel_items

    def take(self, most: int) -> list[Entry]:
        """Return the next items, up to so many and to what fits into a message."""
        box = self._box
        entries = [box.popleft() for _ in range(min(most, len(box)))]
        if PLAIN.issuperset(map(type, entries)):
            return entries
        inline = list(itertools.accumulate(map(inline_bytes, entries)))
        fitting = max(1, bisect_right(inline, self._crew.parcel_bytes))
        box.extendleft(reversed(entries[fitting:]))
        return entries[:fitting]

    def want(self) -> None:
        """Ask to be woken when there is a parcel's worth of items, or the first of one."""
        self._wake_at = self._parcel_items if self._box else 1
        self._is_hungry = True
        if len(self._box) >= self._wake_at:  # came in between
            self._crew.wake()


def _can_be_pickled(value: Any) -> bool:  # noqa: ANN401 - any object of the user
    try:
        pickle.dumps(value, 5)
    except Exception:  # noqa: BLE001 - the user's class
        return False
    return True
