"""What a runner has done so far, in numbers."""

import threading
import time

import msgspec

__all__ = ("RunnerStatistics", "Tally")


class RunnerStatistics(msgspec.Struct, frozen=True):
    """Figures of all calls since the runner was made.

    Attributes
    ----------
    calls : begun.
    items : taken from the inputs.
    results : given to the consumer.
    skipped : items left out under ``on_error="skip"``.
    retried : times an item was done again.
    workers_lost : workers that ended without being told to.
    parcels : messages the items traveled in.
    moved_bytes : about how many bytes of items and results traveled.
    work_s : seconds of work in all workers together.
    consumer_s : seconds in the consumer's hooks.
    input_wait_s : seconds the input was held back because enough was under way.
    elapsed_s : seconds in calls.
    """

    calls: int = 0
    items: int = 0
    results: int = 0
    skipped: int = 0
    retried: int = 0
    workers_lost: int = 0
    parcels: int = 0
    moved_bytes: int = 0
    work_s: float = 0.0
    consumer_s: float = 0.0
    input_wait_s: float = 0.0
    elapsed_s: float = 0.0

    @property
    def items_per_s(self) -> float:
        """Mean results per second of the time in calls."""
        return self.results / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def items_per_parcel(self) -> float:
        """How many items traveled together, on average."""
        return self.items / self.parcels if self.parcels else 0.0


class Tally:
    """Collects the figures; every thread of a call adds its own kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._since: float | None = None

    def count(self, **numbers: int) -> None:
        """Add to counters."""
        with self._lock:
            for name, number in numbers.items():
                self._counts[name] = self._counts.get(name, 0) + number

    def spend(self, **seconds: float) -> None:
        """Add to times."""
        with self._lock:
            for name, value in seconds.items():
                self._seconds[name] = self._seconds.get(name, 0.0) + value

    def begin(self) -> None:
        """Start the clock of a call."""
        self._since = time.monotonic()
        self.count(calls=1)

    def end(self) -> None:
        """Stop the clock of the call. Safe to call twice."""
        since, self._since = self._since, None
        if since is not None:
            self.spend(elapsed_s=time.monotonic() - since)

    def snapshot(self) -> RunnerStatistics:
        """Return the figures of this moment."""
        with self._lock:
            since = self._since
            now = time.monotonic() - since if since is not None else 0.0
            seconds = {**self._seconds, "elapsed_s": self._seconds.get("elapsed_s", 0.0) + now}
            return msgspec.convert({**self._counts, **seconds}, RunnerStatistics)
