"""A pool of threads."""

import contextlib
import multiprocessing.pool
import os
import threading
import weakref
from collections.abc import Iterable
from itertools import count
from queue import Empty, SimpleQueue
from typing import NamedTuple

from engine.errors import BusyError, InvalidArgumentError
from engine.lanes.exit_guard import close_at_exit
from engine.machine._base import PoolBase, closed
from engine.machine._calls import Call, run_here
from engine.machine._context import become_pool_thread
from engine.machine.errors import PoolOpenError
from engine.machine.results import Job

__all__ = ("ThreadPool",)

_pools = count(1)


class _Task(NamedTuple):
    job: Job
    part: int
    call: Call


class _Crew:
    """The threads, and what they work on. They keep this alive, but not the pool."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.RLock()  # the garbage collector may call `close` anywhere
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._running: dict[int, _Task] = {}
        self._held = 0
        self.is_closed = False
        self.is_terminated = False
        name = f"thread-pool-{next(_pools)}"
        self.threads = [
            threading.Thread(target=self._work, name=f"{name}-{index}") for index in range(threads)
        ]
        for thread in self.threads:
            thread.start()

    def put(self, job: Job, part: int, call: Call) -> None:
        with self._lock:
            if not self.is_terminated:
                self._queue.put(_Task(job, part, call))
                return
        raise closed()

    def hold(self, change: int) -> None:
        with self._lock:
            self._held += change
            self._let_go_if_done()

    def finish(self) -> None:
        """Let the threads end once all is done."""
        with self._lock:
            if not self.is_closed:
                self.is_closed = True
                self._let_go_if_done()

    def close(self) -> None:
        """Let the threads end after what they are doing; give up the rest."""
        with self._lock:
            if self.is_terminated:
                return
            self.is_closed = self.is_terminated = True
            given_up = list(self._running.values())
            with contextlib.suppress(Empty):
                while True:
                    given_up += filter(None, [self._queue.get_nowait()])
            self._let_go()
        for task in given_up:
            task.job.refuse(task.part, closed())

    def _let_go_if_done(self) -> None:
        if self.is_closed and not self._held and not self.is_terminated:
            self._let_go()

    def _let_go(self) -> None:
        for _ in self.threads:
            self._queue.put(None)

    def _work(self) -> None:
        become_pool_thread()
        while (task := self._queue.get()) is not None:
            with self._lock:
                is_wanted = not (self.is_terminated or task.job.is_over)
                if is_wanted:
                    self._running[id(task)] = task
            if not is_wanted:
                task.job.refuse(task.part, closed())  # taken while the pool was terminated
                continue
            value, error = run_here(task.call)
            with self._lock:
                self._running.pop(id(task), None)
            if error is None:
                task.job.accept(task.part, value)
            else:
                task.job.refuse(task.part, error)
            del task, value, error  # while waiting, nothing of the last call is kept


class ThreadPool(PoolBase, multiprocessing.pool.Pool):  # type: ignore[misc] # same interface, own types
    """Threads that run calls; they share the caller's objects, and Python's lock.

    Parameters
    ----------
    threads : how many; None is as many as CPUs.
    """

    def __init__(self, threads: int | None = None) -> None:
        PoolBase.__init__(self)
        self.workers = (os.cpu_count() or 1) if threads is None else threads
        if self.workers < 1:
            raise InvalidArgumentError(f"a pool needs at least 1 thread, not {threads}")
        self._crew = _Crew(self.workers)
        weakref.finalize(self, self._crew.close).atexit = False
        close_at_exit(self._crew)

    def __del__(self) -> None:
        """Do nothing: the base class would look for what is not here."""

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        return f"<ThreadPool of {self.workers} threads, {state}>"

    @property
    def is_closed(self) -> bool:
        """Whether the pool takes no more work."""
        return self._crew.is_closed

    def close(self) -> None:
        """Take no more work; what was handed over is still done. Safe to call twice."""
        self._crew.finish()

    def terminate(self) -> None:
        """Give up what was not begun; calls under way run on, their results are not wanted."""
        self._crew.close()
        self._cut_streams(closed())

    def join(self) -> None:
        """Wait until all work is done and the threads have ended.

        Raises
        ------
        PoolOpenError : the pool was not closed; also a `ValueError`.
        """
        if not self.is_closed:
            raise PoolOpenError("the pool is still open; close it before joining")
        for thread in self._crew.threads:
            thread.join()

    def check_may_wait(self) -> None:
        """Raise `BusyError` in the pool's own thread when no other is there to do the work."""
        threads = self._crew.threads
        if len(threads) == 1 and threading.current_thread() is threads[0]:
            raise BusyError(
                "the only thread of this pool waits for a result of the same pool, which would "
                "never come; use a pool of more threads, or call the function directly"
            )

    def _check_open(self) -> None:
        if self.is_closed:
            raise closed()

    def _submit(self, job: Job, calls: Iterable[tuple[int, Call]]) -> None:
        for part, call in calls:
            self._crew.put(job, part, call)

    def _hold(self) -> None:
        self._crew.hold(1)

    def _release(self) -> None:
        self._crew.hold(-1)
