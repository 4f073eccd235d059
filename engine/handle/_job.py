"""One piece of processing, cut into blocks that several threads take one by one."""

import itertools
import threading
from collections.abc import Callable

from engine.handle.errors import ProcessingAbortedError

__all__ = ("Job",)

Work = Callable[[int, int], None]
"""Does one block; called with the block's number and the number of the thread."""


class Job:
    """The blocks 0 to `count` - 1 of one call. Which thread does which block is left to chance.

    Parameters
    ----------
    count : number of blocks.
    work : called once per block, on several threads at once.
    is_ordered : one thread does all blocks, one after the other.
    """

    def __init__(self, count: int, work: Work, *, is_ordered: bool = False) -> None:
        self.count = count
        self.is_parallel = count > 1 and not is_ordered
        self._work = work
        self._next = itertools.count()  # taking the next number is one atomic step
        self._changed = threading.Condition(threading.Lock())
        self._helpers = 0
        self._is_closed = False
        self._error: BaseException | None = None
        self._abort_reason = ""

    @property
    def is_over(self) -> bool:
        """Whether no further block is begun, because of an error or an abort."""
        return bool(self._abort_reason) or self._error is not None

    def cancel(self, reason: str) -> None:
        """Begin no further block; `reason` says who wanted that. Never waits for anything."""
        self._abort_reason = self._abort_reason or reason

    def run(self, thread_id: int) -> None:
        """Do blocks until none is left. An error of a block ends the job, not the thread."""
        while not self.is_over:
            block = next(self._next)
            if block >= self.count:
                return
            try:
                self._work(block, thread_id)
            except BaseException as error:  # noqa: BLE001 - plugin code; `finish` raises it again
                self._fail(error)

    def help(self, thread_id: int) -> None:
        """Do blocks on a further thread, unless the job is closed already."""
        with self._changed:
            if self._is_closed:
                return
            self._helpers += 1
        self.run(thread_id)
        self._leave()

    def close(self) -> None:
        """Let no further thread in, and wait until those that help have left."""
        with self._changed:
            self._is_closed = True
            while self._helpers:
                self._changed.wait()

    def finish(self) -> None:
        """Raise what went wrong, if anything; call it after `close`.

        Raises
        ------
        ProcessingAbortedError
            When it was cancelled.
        BaseException
            The first error of a block.
        """
        try:
            if self._error is not None:
                raise self._error
        finally:
            self._error = None  # the traceback would keep itself alive
        if self._abort_reason:
            raise ProcessingAbortedError(
                f"processing was aborted by {self._abort_reason}; there are no results, "
                "process the data again"
            )

    def _leave(self) -> None:
        with self._changed:
            self._helpers -= 1
            if self._is_closed:
                self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            if self._error is None:
                self._error = error
