"""Where the results of a call go: what a run needs of whoever takes them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.runner._codec import Entry
from engine.runner._crew_api import Arrived

__all__ = ("Batch", "Settle", "Sink")

Settle = Callable[[int, int], None]
"""Tells a run how many results are done with, and how many of them were skipped failures."""


class Batch:
    """Results that may be delivered: plain values, or entries with their own ways to decode."""

    __slots__ = ("arrived", "first", "results")

    def __init__(self, first: int, results: Sequence[Entry], arrived: Arrived) -> None:
        self.first = first
        self.results = results
        self.arrived = arrived

    @property
    def is_plain(self) -> bool:
        """Whether the results are values as they are."""
        return self.arrived.is_plain

    def __len__(self) -> int:
        return len(self.results)


class Sink(Protocol):
    """Takes results: the consumer's hooks, or a stream somebody reads."""

    raises_in_place: bool
    """Whether a failed item's exception comes in the place of its result."""

    def begin(self) -> None:
        """Before the first result."""

    def deliver(self, batch: Batch, is_stopped: Callable[[], bool], settle: Settle) -> None:
        """Take results, unless the call is to be given up, and tell which are done with."""

    def end(self) -> None:
        """After the last result."""

    def over(self) -> None:
        """Nothing more will come, for whatever reason."""
