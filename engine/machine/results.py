"""What a pool's calls return: results that will be there once a worker has made them."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar

from engine.machine.errors import ResultPendingError, ResultTimeoutError

__all__ = ("AsyncResult", "IMapIterator", "Job", "MapResult", "Waiter")

T = TypeVar("T")

log = logging.getLogger(__name__)


class Waiter(Protocol):
    """What results need of their pool."""

    def check_may_wait(self) -> None:
        """Raise when waiting in this thread would never end."""
        ...


class Job:
    """The parts of one call, as the pool sees them.

    Attributes
    ----------
    is_over : nothing more is wanted; parts that were not begun need not be.
    on_over : called once when it becomes true, outside of locks.
    epoch : as of which its parts read the global storage.
    """

    def __init__(self, parts: int | None) -> None:
        self.is_over = False
        self.epoch = 0
        self.on_over: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._left = parts

    def accept(self, part: int, value: Any) -> None:  # noqa: ANN401 - the user's
        """Take the value of a part. Called by the pool."""
        raise NotImplementedError

    def refuse(self, part: int, error: BaseException) -> None:
        """Take the error of a part. Called by the pool."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Say that nobody wants the result any more."""
        self._end()

    def _end(self) -> bool:
        with self._lock:
            if self.is_over:
                return False
            self.is_over = True
        if self.on_over is not None:
            self.on_over()
        return True


class AsyncResult(Job, Generic[T]):
    """The result of one call that runs elsewhere."""

    def __init__(
        self,
        pool: Waiter,
        callback: Callable[[T], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        *,
        parts: int = 1,
    ) -> None:
        super().__init__(parts)
        self._pool = pool
        self._callback = callback
        self._error_callback = error_callback
        self._event = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None
        self._callback_error: BaseException | None = None

    def ready(self) -> bool:
        """Say whether the call has ended."""
        return self._event.is_set()

    def successful(self) -> bool:
        """Say whether the call ended without an exception.

        Raises
        ------
        ResultPendingError : it has not ended; also a `ValueError`.
        """
        if not self.ready():
            raise ResultPendingError("the result is not there yet; wait for it first")
        return self._error is None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the call has ended, at most `timeout` seconds.

        What a callback raised is raised here and by `get`.
        """
        if not self._event.is_set():
            self._pool.check_may_wait()
            self._event.wait(timeout)
        if self._callback_error is not None and self._event.is_set():
            raise self._callback_error

    def get(self, timeout: float | None = None) -> T:
        """Return what the call returned, or raise what it raised.

        Raises
        ------
        ResultTimeoutError : it had not ended after `timeout` seconds.
        WorkerDiedError : the worker ended before the call did.
        """
        self.wait(timeout)
        if not self._event.is_set():
            raise ResultTimeoutError(f"the result was not there within {timeout:g} s")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[no-any-return]

    def accept(self, part: int, value: Any) -> None:  # noqa: ANN401 - the user's
        """Take the value. Called by the pool."""
        self._finish(value, None)

    def refuse(self, part: int, error: BaseException) -> None:
        """Take the error. Called by the pool."""
        self._finish(None, error)

    def _finish(self, value: Any, error: BaseException | None) -> None:  # noqa: ANN401 - the user's
        if not self._end():
            return
        self._value, self._error = value, error
        try:
            if error is not None and self._error_callback is not None:
                self._error_callback(error)
            elif error is None and self._callback is not None:
                self._callback(value)
        except BaseException as raised:
            log.error("a callback of a pool raised %s", type(raised).__name__, exc_info=raised)
            self._callback_error = raised
        finally:
            self._callback = self._error_callback = None
            self._event.set()


class MapResult(AsyncResult[list[T]]):
    """The results of one call for each of many items, in the items' order.

    The first error is the result; items that were not begun by then are left out.
    """

    def __init__(
        self,
        pool: Waiter,
        parts: int,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> None:
        super().__init__(pool, callback, error_callback, parts=parts)
        self._chunks: list[list[T]] = [[]] * parts
        if not parts:
            self._finish([], None)

    def accept(self, part: int, value: Any) -> None:  # noqa: ANN401 - the user's
        """Take the values of one chunk. Called by the pool."""
        with self._lock:
            self._chunks[part] = value
            assert self._left is not None  # noqa: S101 - it was given
            self._left -= 1
            is_last = not self._left
        if is_last:
            self._finish([item for chunk in self._chunks for item in chunk], None)


class IMapIterator(Job, Generic[T]):
    """Results as they come: in the items' order, or in the order in which they are made."""

    def __init__(self, pool: Waiter, *, is_ordered: bool, parts: int | None = None) -> None:
        super().__init__(parts)
        self._pool = pool
        self._is_ordered = is_ordered
        self._changed = threading.Condition()
        self._early: dict[int, tuple[Any, BaseException | None]] = {}
        self._chunks: deque[tuple[Any, BaseException | None]] = deque()
        self._items: deque[T] = deque()
        self._next_part = 0
        self._total = parts
        self._done = 0
        if parts == 0:
            self._end()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return self.next()

    def next(self, timeout: float | None = None) -> T:
        """Return the next result, or raise what its call raised.

        Raises
        ------
        StopIteration : there are no more.
        ResultTimeoutError : it was not there after `timeout` seconds.
        """
        while not self._items:
            with self._changed:
                if not self._has_news():
                    self._pool.check_may_wait()
                    if not self._changed.wait_for(self._has_news, timeout):
                        raise ResultTimeoutError(f"no result was there within {timeout:g} s")
                if not self._chunks:
                    raise StopIteration
                values, error = self._chunks.popleft()
            if error is not None:
                raise error
            self._items.extend(values)
        return self._items.popleft()

    def accept(self, part: int, value: Any) -> None:  # noqa: ANN401 - the user's
        """Take the values of one chunk. Called by the pool."""
        self._put(part, value, None)

    def refuse(self, part: int, error: BaseException) -> None:
        """Take the error of one chunk. Called by the pool."""
        self._put(part, (), error)

    def limit(self, parts: int) -> None:
        """Note how many parts there are in all. Called by the pool."""
        with self._changed:
            self._total = parts
            is_over = self._done >= parts
            self._changed.notify_all()
        if is_over:
            self._end()

    def cut(self, error: BaseException) -> None:
        """End with an error: the pool is gone, and with it all parts not made. Called by it."""
        with self._changed:
            if self.is_over:
                return
            self._chunks.append(((), error))
            self._total = self._next_part
            self._changed.notify_all()
        self._end()

    def wait_for_room(self, part: int, ahead: int) -> bool:
        """Wait until fewer than `ahead` parts before `part` are under way; False when over."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_over or part - self._done < ahead)
        return not self.is_over

    def abandon(self) -> None:
        """Say that nobody wants the results any more."""
        super().abandon()
        with self._changed:
            self._changed.notify_all()

    def _has_news(self) -> bool:
        return bool(self._chunks) or (self._total is not None and self._next_part >= self._total)

    def _put(self, part: int, values: Any, error: BaseException | None) -> None:  # noqa: ANN401
        with self._changed:
            if self.is_over:
                return
            self._done += 1
            if self._is_ordered:
                self._early[part] = (values, error)
                while self._next_part in self._early:
                    self._chunks.append(self._early.pop(self._next_part))
                    self._next_part += 1
            else:
                self._chunks.append((values, error))
                self._next_part += 1
            is_last = self._total is not None and self._done >= self._total
            self._changed.notify_all()
        if is_last:
            self._end()
