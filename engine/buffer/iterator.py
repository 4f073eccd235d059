"""Iterate over data that other processes make."""

from collections.abc import Iterable, Iterator
from multiprocessing.context import BaseContext
from typing import Any, Self

import numpy as np

from engine.buffer.commander import Commander
from engine.buffer.factory import BufferFactory
from engine.buffer.info import BufferInfo, Casting, default_count
from engine.buffer.producer import Producer
from engine.buffer.statistics import BufferStatistics
from engine.buffer.system import BufferSystem
from engine.errors import InvalidArgumentError

__all__ = ("BufferIterator", "buffer_iterator_factory")

Arrays = list[np.ndarray[Any, Any]]


class BufferIterator(Iterator[Arrays]):
    """Gives the data of one message after the other: a list with one array per buffer shape.

    Use it in one thread; `stop` may be called from any. It is a context manager that stops at the
    end of the block. Once a worker has failed or died, everything is stopped and each `next()`
    raises that error.

    Parameters
    ----------
    buffer_factory : where the data come from.
    auto_free_buffer : True gives a buffer back by itself. False keeps it until `free_buffer`.
    copy : True gives private arrays that are the caller's for ever. False gives views of the
        shared memory instead, which saves a copy: they are valid until the next ``next()``
        (without `auto_free_buffer`: until `free_buffer`), and are overwritten later.
    timeout_s : how long a ``next()`` may take; None waits as long as it takes.
    """

    def __init__(
        self,
        buffer_factory: BufferFactory,
        auto_free_buffer: bool = True,
        *,
        copy: bool = True,
        timeout_s: float | None = None,
    ) -> None:
        if timeout_s is not None and not timeout_s >= 0:
            raise InvalidArgumentError(f"timeout_s must be 0 or more, not {timeout_s!r}")
        self._buffer_factory = buffer_factory
        self._take = buffer_factory.feed.take
        self._copies = bool(copy)
        self._keeps = not auto_free_buffer
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __next__(self) -> Arrays:
        """Return the next data.

        Raises
        ------
        StopIteration : the commander has ended the run, and all data were delivered.
        RemoteError : commander or producer raised; the cause shows the traceback there. An
            `EngineError` raised there keeps its class.
        WorkerDiedError : a worker was killed or ended by itself.
        EngineTimeoutError : nothing came within `timeout_s`; the next call goes on waiting.
        ClosedError : `stop` was called.
        """
        return self._take(self._copies, self._keeps, self._timeout_s)

    @property
    def message(self) -> Any:  # noqa: ANN401 - the user's
        """The message that the newest data were made from."""
        return self._buffer_factory.feed.message

    @property
    def statistics(self) -> BufferStatistics:
        """The figures of this moment; they can be read after `stop`, too."""
        return self._buffer_factory.feed.statistics()

    def free_buffer(self) -> bool:
        """Give the oldest buffer back that is kept because of ``auto_free_buffer=False``.

        Returns False when none is kept.
        """
        return self._buffer_factory.feed.free()

    def stop(self) -> None:
        """End all processes and free the memory, within a second.

        Safe to call twice, from any thread and from a signal handler; a ``next()`` that waits in
        another thread ends with `ClosedError`.
        """
        self._buffer_factory.shutdown()

    def close(self) -> None:
        """Do the same as `stop`."""
        self.stop()


def buffer_iterator_factory(  # noqa: PLR0913 - the published order
    cpus: int,
    buffer_shapes: Iterable[Iterable[int]],
    commander: Commander,
    producer: Producer,
    context: BaseContext | str | None,
    deterministic: bool,
    buffer_dtype: Any = np.uint16,  # noqa: ANN401 - whatever np.dtype takes
    buffer_iterator_class: type[Any] = BufferIterator,
    *args: Any,  # noqa: ANN401 - the class's
    buffer_count: int | None = None,
    casting: Casting = "lossless",
    **kwargs: Any,  # noqa: ANN401 - the class's
) -> Any:  # noqa: ANN401 - an object of the given class
    """Start a commander and `cpus` producers, and return an iterator over what they make.

    Parameters
    ----------
    cpus, context, deterministic : see `BufferSystem`.
    buffer_shapes, casting : see `BufferInfo`.
    buffer_dtype : one dtype, or one per shape.
    buffer_iterator_class : called with the factory, `args` and `kwargs`.
    buffer_count : number of buffers; without it four per producer, and up to 128 small ones.
    args, kwargs : for the iterator: ``auto_free_buffer``, ``copy``, ``timeout_s``.
    """
    system = BufferSystem(cpus, context, deterministic)
    info = BufferInfo(buffer_shapes, buffer_count or 1, buffer_dtype, casting=casting)
    if buffer_count is None:
        count = default_count(system.cpus, info.size_bytes)
        info = BufferInfo(info.shapes, count, buffer_dtype, casting=casting)
    factory = BufferFactory(system, info, commander, producer)
    try:
        return buffer_iterator_class(*args, buffer_factory=factory, **kwargs)
    except BaseException:
        factory.shutdown()
        raise
