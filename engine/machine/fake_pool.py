"""A pool without workers: everything happens in the caller's thread, one call after the other."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from engine.machine._base import PoolBase, closed
from engine.machine._calls import Call, run_here
from engine.machine.errors import PoolOpenError
from engine.machine.results import IMapIterator, Job

__all__ = ("FakePool",)

T = TypeVar("T")


class FakePool(PoolBase):
    """The interface of a pool, serially: for debugging, and where parallelism is off.

    Results, errors, callbacks and closing behave as with real pools. Arguments are not pickled,
    so calls see the caller's own objects. `imap` makes each result when it is asked for, and
    `join` makes those nobody asked for.
    """

    workers = 1

    def __init__(self) -> None:
        super().__init__()
        self._is_closed = False
        self._lazy: list[_LazyIterator[Any]] = []

    def __repr__(self) -> str:
        return f"<FakePool {'closed' if self._is_closed else 'open'}>"

    def close(self) -> None:
        """Take no more work. Safe to call twice."""
        self._is_closed = True

    def terminate(self) -> None:
        """Take no more work, and give up results nobody asked for yet. Safe to call twice."""
        self._is_closed = True
        lazy, self._lazy = self._lazy, []
        for stream in lazy:
            stream.cut(closed())

    def join(self) -> None:
        """Make the results of `imap` that nobody asked for yet.

        Raises
        ------
        PoolOpenError : the pool was not closed; also a `ValueError`.
        """
        if not self._is_closed:
            raise PoolOpenError("the pool is still open; close it before joining")
        lazy, self._lazy = self._lazy, []
        for stream in lazy:
            while stream.make_next():
                pass

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed()

    def _submit(self, job: Job, calls: Iterable[tuple[int, Call]]) -> None:
        for part, call in calls:
            if job.is_over:
                return
            _run(job, part, call)

    def _imap(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int,
        *,
        is_ordered: bool,
    ) -> IMapIterator[Any]:
        return super()._imap(func, iter(iterable), chunksize, is_ordered=is_ordered)

    def _stream(self, calls: Iterator[Call], most: int, *, is_ordered: bool) -> IMapIterator[Any]:
        result: _LazyIterator[Any] = _LazyIterator(self, calls)
        self._lazy = [stream for stream in self._lazy if not stream.is_over]
        self._lazy.append(result)
        return result


class _LazyIterator(IMapIterator[T]):
    def __init__(self, pool: FakePool, calls: Iterator[Call]) -> None:
        super().__init__(pool, is_ordered=True)
        self._calls = calls

    def next(self, timeout: float | None = None) -> T:
        while not (self._items or self._chunks) and self.make_next():
            pass
        return super().next(timeout)

    def make_next(self) -> bool:
        """Make one more result; False when there are no more."""
        if self.is_over:
            return False
        part = self._done
        try:
            call = next(self._calls, None)
        except Exception as error:  # noqa: BLE001 - the caller's iterator
            self.refuse(part, error)
            self.limit(part + 1)
            return True
        if call is None:
            self.limit(part)
            return False
        _run(self, part, call)
        return True


def _run(job: Job, part: int, call: Call) -> None:
    value, error = run_here(call)
    if error is None:
        job.accept(part, value)
    else:
        job.refuse(part, error)
