"""What a buffer has done so far, in numbers."""

from collections.abc import Mapping

import msgspec

from engine.buffer.state import BufferState

__all__ = ("BufferStatistics", "ProducerStatistics")


class ProducerStatistics(msgspec.Struct, frozen=True):
    """One producer process.

    Attributes
    ----------
    made : data made.
    busy_s : seconds spent making them.
    waiting_s : seconds spent waiting for work: the consumer, or the commander, was slower.
    """

    made: int
    busy_s: float
    waiting_s: float


class BufferStatistics(msgspec.Struct, frozen=True):
    """A buffer at one moment.

    Attributes
    ----------
    commanded, delivered : messages given out, and data handed to the consumer.
    buffers : number of buffers in each state; they add up to the number of buffers.
    waits, waited_s : how often, and how many seconds in all, the consumer had to wait.
    producers : figures of each producer, in their order.
    """

    commanded: int
    delivered: int
    buffers: Mapping[BufferState, int]
    waits: int
    waited_s: float
    producers: tuple[ProducerStatistics, ...]

    @property
    def fill_level(self) -> float:
        """Return the part of the buffers that wait for the consumer, 0 to 1.

        Near 1 the producers are faster than the consumer, near 0 it waits for them.
        """
        return self.buffers[BufferState.AVAILABLE] / sum(self.buffers.values())
