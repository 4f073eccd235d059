"""Put results back into the order of their items. Pure: nothing here waits or talks."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from engine.errors import EngineBugError

__all__ = ("Arrivals", "ReorderWindow")

Value = TypeVar("Value")


class Arrivals(Generic[Value]):
    """Passes runs of results on as they come."""

    def add(self, first: int, values: Sequence[Value]) -> Iterable[tuple[int, Sequence[Value]]]:
        """Take the results of items `first`, `first` + 1, ...; return what may be delivered now."""
        return ((first, values),)

    @property
    def held(self) -> int:
        """How many results wait for earlier ones."""
        return 0


class ReorderWindow(Arrivals[Value]):
    """Holds runs of results back until all earlier ones have come."""

    def __init__(self) -> None:
        self._next = 0
        self._runs: dict[int, Sequence[Value]] = {}
        self._held = 0

    @property
    def held(self) -> int:
        """How many results wait for earlier ones."""
        return self._held

    def add(self, first: int, values: Sequence[Value]) -> Iterable[tuple[int, Sequence[Value]]]:
        """Take the results of items `first`, `first` + 1, ...; return what may be delivered now."""
        if first < self._next or first in self._runs:
            raise EngineBugError(f"the result of item {first} came twice")
        if not values:
            return ()
        self._runs[first] = values
        self._held += len(values)
        return list(self._ready())

    def _ready(self) -> Iterator[tuple[int, Sequence[Value]]]:
        while (values := self._runs.pop(self._next, None)) is not None:
            first = self._next
            self._next += len(values)
            self._held -= len(values)
            yield first, values
