"""A pool of worker processes."""

import multiprocessing.pool
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import process
from typing import Any

from engine.errors import BusyError, InvalidArgumentError, WrongStateError
from engine.lanes.exit_guard import close_at_exit
from engine.machine._base import PoolBase, closed
from engine.machine._by_value import dumps_by_value
from engine.machine._calls import Call
from engine.machine._crew import Crew, State
from engine.machine._storage import storage
from engine.machine.errors import PoolOpenError
from engine.machine.results import Job

__all__ = ("ProcessPool", "check_may_start", "cpu_count")


def cpu_count() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ProcessPool(PoolBase, multiprocessing.pool.Pool):  # type: ignore[misc] # same interface, own types
    """Worker processes that run calls, each on one CPU.

    Native libraries (BLAS, OpenMP, OpenCV) use one thread in the workers; here they are left
    alone. When a worker dies, the call it had begun raises `WorkerDiedError` and another worker
    takes its place. Arguments and results are pickled, big arrays in them are copied as they are;
    functions that workers cannot import (lambdas, those of an interactive session) travel as code.
    The workers leave when this process ends, however it ends.

    Parameters
    ----------
    processes : how many; None is as many as CPUs.
    initializer, initargs : a function that each worker calls before its first task, and its
        arguments. When it raises, the pool ends: every call raises `WorkerDiedError`, its cause
        the exception.
    maxtasksperchild : after so many tasks (of `map`: chunks) a worker leaves and another takes its
        place; None is never. Stored objects are up to date without this.
    start_method : "spawn", "forkserver" or "fork"; None is what `multiprocessing` was set to by
        ``set_start_method``, else "spawn".

    Raises
    ------
    WorkerDiedError : a worker could not be started.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        *,
        start_method: str | None = None,
    ) -> None:
        PoolBase.__init__(self)
        check_may_start()
        self.workers = cpu_count() if processes is None else processes
        if self.workers < 1:
            raise InvalidArgumentError(f"a pool needs at least 1 process, not {processes}")
        method = start_method or multiprocessing.get_start_method(allow_none=True) or "spawn"
        if method not in multiprocessing.get_all_start_methods():
            known = ", ".join(multiprocessing.get_all_start_methods())
            raise InvalidArgumentError(f"start method {method!r} is not one of {known}")
        if maxtasksperchild is not None and maxtasksperchild < 1:
            raise InvalidArgumentError(
                f"maxtasksperchild must be 1 or more, not {maxtasksperchild}"
            )
        self.start_method = method
        first_call = _packed_initializer(initializer, tuple(initargs)) if initializer else b""
        self._crew = Crew(self.workers, method, first_call, maxtasksperchild or 0)
        self._crew.on_end = partial(_cut_streams, weakref.ref(self))
        weakref.finalize(self, self._crew.close).atexit = False
        close_at_exit(self._crew)

    def __del__(self) -> None:
        """Do nothing: the base class would look for what is not here."""

    def __repr__(self) -> str:
        state = "broken" if self._crew.broken else self._crew.state.value
        return f"<ProcessPool of {self.workers} workers ({self.start_method}), {state}>"

    @property
    def is_closed(self) -> bool:
        """Whether the pool takes no more work: it was closed, or its workers cannot work."""
        return self._crew.state is not State.OPEN or self._crew.broken is not None

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return self._crew.pids

    def close(self) -> None:
        """Take no more work; what was handed over is still done. Safe to call twice."""
        self._crew.finish()

    def terminate(self) -> None:
        """Stop at once. What is not done ends with `PoolClosedError`. Safe to call twice."""
        self._crew.close()

    def join(self) -> None:
        """Wait until all work is done and the workers are gone.

        Raises
        ------
        PoolOpenError : the pool was not closed; also a `ValueError`.
        """
        if not self.is_closed:
            raise PoolOpenError("the pool is still open; close it before joining")
        self.check_may_wait()
        self._crew.thread.join()

    def check_may_wait(self) -> None:
        """Raise `BusyError` in the thread that takes results: it cannot wait for one."""
        if threading.current_thread() is self._crew.thread:
            raise BusyError(
                "a callback waits for a result of the same pool, which would never come; "
                "hand the value to another thread and wait there"
            )

    def _check_open(self) -> None:
        self._crew.check_working()
        if self.is_closed:
            raise closed()

    def _begin(self, job: Job) -> None:
        if not job.is_over:
            job.epoch = storage.store.pin()
            job.on_over = partial(storage.store.unpin, job.epoch)

    def _submit(self, job: Job, calls: Iterable[tuple[int, Call]]) -> None:
        try:
            self._crew.submit(job, calls)
        except BaseException:
            job.abandon()
            raise

    def _hold(self) -> None:
        self._crew.hold(1)

    def _release(self) -> None:
        self._crew.hold(-1)


def _cut_streams(pool: "weakref.ref[ProcessPool]", error: BaseException) -> None:
    living = pool()
    if living is not None:
        living._cut_streams(error)  # noqa: SLF001 - our own


def _packed_initializer(initializer: Callable[..., object], initargs: tuple[Any, ...]) -> bytes:
    """Pickle the first call, by names where possible.

    Raises
    ------
    InvalidArgumentError : it is nothing to call, or cannot be pickled.
    """
    if not callable(initializer):
        raise InvalidArgumentError(f"initializer must be a function, not {initializer!r}")
    try:
        return dumps_by_value((initializer, initargs), None)
    except Exception as error:
        raise InvalidArgumentError(
            f"initializer or initargs cannot be sent to workers: {error}; "
            "make in the function what cannot be pickled"
        ) from error


def check_may_start() -> None:
    """Raise `WrongStateError` while a worker imports the main program, which would start again."""
    current: Any = process.current_process()
    if getattr(current, "_inheriting", False):
        raise WrongStateError(
            "a worker imports the main program, and that makes a process pool while it is "
            'imported; put what is to run once under: if __name__ == "__main__":'
        )
