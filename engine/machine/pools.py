"""The pools that a program shares."""

import os
import threading

from engine.machine._base import PoolBase
from engine.machine._context import in_pool_thread, parallel_enabled
from engine.machine.fake_pool import FakePool
from engine.machine.processes import ProcessPool, check_may_start
from engine.machine.threads import ThreadPool

__all__ = ("close_pools", "process_pool", "thread_pool")


class _Shared:
    """The pools of this process; a fork of it starts without."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.processes: ProcessPool | None = None
        self.threads: ThreadPool | None = None
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Start anew: what is here belongs to the process that was forked."""
        self.lock = threading.Lock()
        self.processes = self.threads = None


_shared = _Shared()


def process_pool(new: bool = False) -> PoolBase:
    """Return this program's pool of worker processes, as many as CPUs; made at the first call.

    It is a `multiprocessing.pool.Pool`, and stays the same one until somebody closes it. Where
    parallelism is off (`no_parallel`, or inside a worker) it is a `FakePool`.

    Parameters
    ----------
    new : start new workers. The old ones do what they were given, and leave. What was stored or
        updated in the global storage is seen without this.
    """
    if not parallel_enabled():
        check_may_start()
        return FakePool()
    with _shared.lock:
        old = _shared.processes
        if old is not None and not new and not old.is_closed:
            return old
        _shared.processes = made = ProcessPool()
    if old is not None:
        old.close()
    return made


def thread_pool() -> PoolBase:
    """Return this program's pool of threads, as many as CPUs; made at the first call.

    Where parallelism is off (`no_parallel`, or inside a worker of either kind) it is a `FakePool`.
    """
    if not parallel_enabled() or in_pool_thread():
        return FakePool()
    with _shared.lock:
        if _shared.threads is None or _shared.threads.is_closed:
            _shared.threads = ThreadPool()
        return _shared.threads


def close_pools() -> None:
    """Stop the pools of `process_pool` and `thread_pool`; the next call makes new ones.

    The end of the program does this too.
    """
    with _shared.lock:
        pools = (_shared.processes, _shared.threads)
        _shared.processes = _shared.threads = None
    for pool in pools:
        if pool is not None:
            pool.terminate()
            pool.join()
