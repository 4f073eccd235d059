"""Arrays made in parallel by other processes, in shared memory, taken one after the other."""

from engine.buffer.commander import Commander
from engine.buffer.factory import BufferFactory, create_buffer_factory
from engine.buffer.info import BufferInfo
from engine.buffer.iterator import BufferIterator, buffer_iterator_factory
from engine.buffer.producer import Producer
from engine.buffer.state import BufferState
from engine.buffer.statistics import BufferStatistics, ProducerStatistics
from engine.buffer.system import BufferSystem

__all__ = (
    "BufferFactory",
    "BufferInfo",
    "BufferIterator",
    "BufferState",
    "BufferStatistics",
    "BufferSystem",
    "Commander",
    "Producer",
    "ProducerStatistics",
    "buffer_iterator_factory",
    "create_buffer_factory",
)
