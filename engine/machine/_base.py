"""The interface of a pool, the same whether processes, threads or nobody else does the work."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, islice
from typing import Any, Self, TypeVar
from weakref import WeakSet

from engine.errors import InvalidArgumentError
from engine.machine._calls import Call, each_call
from engine.machine.errors import PoolClosedError
from engine.machine.results import AsyncResult, IMapIterator, Job, MapResult

__all__ = ("PoolBase",)

S = TypeVar("S")
T = TypeVar("T")

_CHUNKS_PER_WORKER = 4
_AHEAD_PER_WORKER = 64
_MOST_AT_ONCE = 4096
"""Calls of more parts are made as work proceeds, so that memory does not grow with the input."""
_FEW = 16
_feeders = count(1)

Callback = Callable[[Any], object]


class PoolBase:
    """What `multiprocessing.pool.Pool` offers, on top of one way to run calls.

    A call's exception is raised where its result is asked for, with the worker's traceback as
    ``__cause__``. What a callback raises is logged, raised by ``wait`` and ``get`` of that
    result, and harms nothing else. Leaving a ``with`` block terminates the pool.
    """

    workers: int
    """How many calls may run at a time."""

    def __init__(self) -> None:
        self._streams: WeakSet[IMapIterator[Any]] = WeakSet()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()

    # -- what the kinds of pool differ in

    def close(self) -> None:
        """Take no more work; what was handed over is still done. Safe to call twice."""
        raise NotImplementedError

    def terminate(self) -> None:
        """Stop at once. What is not done ends with `PoolClosedError`. Safe to call twice."""
        raise NotImplementedError

    def join(self) -> None:
        """Wait until a closed or terminated pool has done its work and its workers are gone.

        Raises
        ------
        PoolOpenError : it was not closed; also a `ValueError`.
        """
        raise NotImplementedError

    def check_may_wait(self) -> None:
        """Raise `BusyError` in a thread whose waiting would keep the results from coming."""

    def _check_open(self) -> None:
        raise NotImplementedError

    def _submit(self, job: Job, calls: Iterable[tuple[int, Call]]) -> None:
        """Run calls as parts of a job; raise `PoolClosedError` when there is nobody to."""
        raise NotImplementedError

    def _begin(self, job: Job) -> None:
        """Note a job before its first part."""

    def _hold(self) -> None:
        """Note that more parts will come."""

    def _release(self) -> None:
        """Undo one `_hold`."""

    # -- the interface

    def apply(
        self,
        func: Callable[..., T],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = {},
    ) -> T:
        """Call ``func(*args, **kwds)`` in a worker and return its result."""
        return self._get(self.apply_async(func, args, kwds))

    def apply_async(
        self,
        func: Callable[..., T],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = {},
        callback: Callable[[T], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult[T]:
        """Begin ``func(*args, **kwds)`` in a worker, and return a result to wait for.

        Parameters
        ----------
        callback, error_callback : called with the result or the exception, in a thread of the
            pool, before the result counts as ready. They must not wait for results of this pool.
        """
        self._check_open()
        result = AsyncResult(self, callback, error_callback)
        self._begin(result)
        self._submit(result, [(0, Call(func, tuple(args), dict(kwds)))])
        return result

    def map(
        self, func: Callable[[S], T], iterable: Iterable[S], chunksize: int | None = None
    ) -> list[T]:
        """Call `func` with each item, and return the results in the items' order.

        Items travel `chunksize` at a time; None chooses. The first exception is raised at once,
        and items not begun by then are left out.
        """
        return self._get(self.map_async(func, iterable, chunksize))

    def map_async(
        self,
        func: Callable[[S], T],
        iterable: Iterable[S],
        chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> MapResult[T]:
        """Begin a `map`, and return a result to wait for; see `apply_async`."""
        hooks = (callback, error_callback)
        return self._map(func, iterable, chunksize, hooks, is_star=False)

    def starmap(
        self,
        func: Callable[..., T],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
    ) -> list[T]:
        """Do as `map`, with each item's elements as arguments: ``func(*item)``."""
        return self._get(self.starmap_async(func, iterable, chunksize))

    def starmap_async(
        self,
        func: Callable[..., T],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> MapResult[T]:
        """Begin a `starmap`, and return a result to wait for; see `apply_async`."""
        hooks = (callback, error_callback)
        return self._map(func, iterable, chunksize, hooks, is_star=True)

    def imap(
        self, func: Callable[[S], T], iterable: Iterable[S], chunksize: int = 1
    ) -> IMapIterator[T]:
        """Do as `map`, and return an iterator over the results in the items' order.

        Work goes on whether or not the iterator is asked. An exception is raised in its item's
        place, and the iterator can go on after it. Items are taken as work proceeds, so an
        endless iterable is fine.
        """
        return self._imap(func, iterable, chunksize, is_ordered=True)

    def imap_unordered(
        self, func: Callable[[S], T], iterable: Iterable[S], chunksize: int = 1
    ) -> IMapIterator[T]:
        """Do as `imap`, with the results in the order in which they are made."""
        return self._imap(func, iterable, chunksize, is_ordered=False)

    # -- how it is done

    def _map(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        hooks: tuple[Callback | None, Callback | None],
        *,
        is_star: bool,
    ) -> MapResult[Any]:
        self._check_open()
        items = iterable if isinstance(iterable, list | tuple | range) else list(iterable)
        size = self._chunksize(len(items)) if chunksize is None else _checked(chunksize)
        result: MapResult[Any] = MapResult(self, -(-len(items) // size), *hooks)
        self._begin(result)
        self._submit(result, enumerate(each_call(func, items, size, is_star=is_star)))
        return result

    def _imap(
        self, func: Callable[[Any], T], iterable: Iterable[Any], chunksize: int, *, is_ordered: bool
    ) -> IMapIterator[T]:
        self._check_open()
        calls = each_call(func, iterable, _checked(chunksize), is_star=False)
        if not isinstance(iterable, list | tuple | range):  # taking items runs foreign code
            return self._stream(calls, 1, is_ordered=is_ordered)
        parts = -(-len(iterable) // chunksize)
        if parts > _MOST_AT_ONCE:
            return self._stream(calls, _FEW, is_ordered=is_ordered)
        result: IMapIterator[T] = IMapIterator(self, is_ordered=is_ordered, parts=parts)
        self._begin(result)
        self._streams.add(result)
        self._submit(result, enumerate(calls))
        return result

    def _stream(self, calls: Iterator[Call], most: int, *, is_ordered: bool) -> IMapIterator[Any]:
        """Make calls as work proceeds, up to `most` at once, in a thread of its own."""
        result: IMapIterator[Any] = IMapIterator(self, is_ordered=is_ordered)
        self._begin(result)
        self._streams.add(result)
        self._hold()
        # A daemon: the caller's iterator may keep it waiting for ever, and nothing interrupts that.
        name = f"imap-{next(_feeders)}"
        feeder = threading.Thread(
            target=self._feed, args=(result, calls, most), name=name, daemon=True
        )
        try:
            feeder.start()
        except BaseException:
            self._release()
            raise
        return result

    def _feed(self, result: IMapIterator[Any], calls: Iterator[Call], most: int) -> None:
        part = 0
        try:
            while result.wait_for_room(part, _AHEAD_PER_WORKER * self.workers):
                some = list(enumerate(islice(calls, most), part))
                if some:
                    self._submit(result, some)
                part += len(some)
                if len(some) < most:
                    break
        except BaseException as error:  # noqa: BLE001 - the caller's iterator, in our thread
            result.refuse(part, error)
            part += 1
        finally:
            result.limit(part)
            self._release()

    def _cut_streams(self, error: BaseException) -> None:
        for stream in list(self._streams):
            stream.cut(error)

    def _chunksize(self, items: int) -> int:
        return max(1, -(-items // (self.workers * _CHUNKS_PER_WORKER)))

    @staticmethod
    def _get(result: AsyncResult[T]) -> T:
        try:
            return result.get()
        except BaseException:
            result.abandon()  # Ctrl-C: what was not begun need not be
            raise


def closed() -> PoolClosedError:
    """Return the error for using a pool that was closed."""
    return PoolClosedError("the pool was closed; ask for a new one")


def _checked(chunksize: int) -> int:
    if chunksize < 1:
        raise InvalidArgumentError(f"chunksize must be at least 1, not {chunksize}")
    return chunksize
