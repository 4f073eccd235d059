"""Make a buffer: its memory, its commander's process and its producers' processes."""

import weakref
from collections.abc import Iterable
from multiprocessing.context import BaseContext
from typing import Any

from engine.buffer._feed import Feed
from engine.buffer._team import Team
from engine.buffer.commander import Commander
from engine.buffer.info import BufferInfo
from engine.buffer.producer import Producer
from engine.buffer.state import BufferState
from engine.buffer.system import BufferSystem

__all__ = ("BufferFactory", "create_buffer_factory")


class BufferFactory:
    """The running parts of a buffer. They start here, and `shutdown` ends them.

    The processes work from now on; a `BufferIterator` takes what they make. A factory that nobody
    refers to any more shuts down by itself, and so does one that is left at the program's end.

    Parameters
    ----------
    buffer_system : processes and order.
    buffer_info : buffers, shapes and dtypes.
    commander, producer : the user's objects; each process gets its own copy.

    Raises
    ------
    InvalidArgumentError : commander or producer cannot be pickled, which spawn needs.
    OutputError : there is not enough memory for the buffers.
    """

    def __init__(
        self,
        buffer_system: BufferSystem,
        buffer_info: BufferInfo,
        commander: Commander,
        producer: Producer,
    ) -> None:
        self._buffer_system = buffer_system
        self._buffer_info = buffer_info
        team = Team(buffer_system, buffer_info, commander, producer)
        self._finalizer = weakref.finalize(self, team.stop)
        self._feed = Feed(team, is_ordered=buffer_system.deterministic)

    @property
    def buffer_system(self) -> BufferSystem:
        """Processes and order."""
        return self._buffer_system

    @property
    def buffer_info(self) -> BufferInfo:
        """Buffers, shapes and dtypes."""
        return self._buffer_info

    @property
    def feed(self) -> Feed:
        """Where an iterator gets its data from."""
        return self._feed

    def shutdown(self) -> None:
        """End all processes and release everything, within a second.

        Safe to call twice, from any thread and from a signal handler.
        """
        self._feed.close()


def create_buffer_factory(
    cpus: int,
    batch_commander: Commander,
    batch_producer: Producer,
    context: BaseContext | str | None,
    deterministic: bool,
    buffer_shapes: Iterable[Iterable[int]],
    buffer_dtype: Any,  # noqa: ANN401 - whatever np.dtype takes
) -> BufferFactory:
    """Make a factory with four buffers for each of `cpus` producers; see `BufferFactory`."""
    system = BufferSystem(cpus, context, deterministic)
    info = BufferInfo(buffer_shapes, system.cpus * len(BufferState), buffer_dtype)
    return BufferFactory(system, info, batch_commander, batch_producer)
