"""Whether work may run in parallel here: asked per context, and never inside a worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = (
    "become_pool_thread",
    "become_worker",
    "in_pool_thread",
    "in_worker",
    "no_parallel",
    "parallel_enabled",
)

_is_enabled: ContextVar[bool] = ContextVar("engine_machine_parallel", default=True)
_is_pool_thread: ContextVar[bool] = ContextVar("engine_machine_pool_thread", default=False)
_process = {"is_worker": False}


def parallel_enabled() -> bool:
    """Say whether `process_pool` and `thread_pool` return real pools in this context.

    They do unless `no_parallel` is in force or this process is itself a pool's worker.
    """
    return _is_enabled.get() and not in_worker()


@contextmanager
def no_parallel() -> Iterator[None]:
    """Let `process_pool` and `thread_pool` return a `FakePool` while the block runs.

    The setting belongs to the context (thread or asyncio task) that enters the block: others keep
    theirs. It ends with the block, also when that raises, and blocks may be nested.
    """
    before = _is_enabled.get()
    _is_enabled.set(False)
    try:
        yield
    finally:
        _is_enabled.set(before)


def in_worker() -> bool:
    """Say whether this process is a worker of a process pool."""
    return _process["is_worker"]


def become_worker() -> None:
    """Note that this process is a worker."""
    _process["is_worker"] = True


def in_pool_thread() -> bool:
    """Say whether this thread is a worker of a thread pool."""
    return _is_pool_thread.get()


def become_pool_thread() -> None:
    """Note that this thread is a worker."""
    _is_pool_thread.set(True)
