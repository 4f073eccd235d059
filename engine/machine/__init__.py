"""Pools of processes and threads, and a storage for big objects that workers share.

Names are loaded on first use: a worker needs few of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.machine._context import no_parallel, parallel_enabled
    from engine.machine.attributes import glob_store_attributes
    from engine.machine.counter import Counter, raiser
    from engine.machine.errors import (
        GlobKeyError,
        PoolClosedError,
        PoolOpenError,
        ResultPendingError,
        ResultTimeoutError,
    )
    from engine.machine.fake_pool import FakePool
    from engine.machine.glob_storage import glob_read, glob_remove, glob_store, glob_update
    from engine.machine.pools import close_pools, process_pool, thread_pool
    from engine.machine.processes import ProcessPool
    from engine.machine.results import AsyncResult, IMapIterator, MapResult
    from engine.machine.threads import ThreadPool

__all__ = (
    "AsyncResult",
    "Counter",
    "FakePool",
    "GlobKeyError",
    "IMapIterator",
    "MapResult",
    "PoolClosedError",
    "PoolOpenError",
    "ProcessPool",
    "ResultPendingError",
    "ResultTimeoutError",
    "ThreadPool",
    "close_pools",
    "glob_read",
    "glob_remove",
    "glob_store",
    "glob_store_attributes",
    "glob_update",
    "no_parallel",
    "parallel_enabled",
    "process_pool",
    "raiser",
    "thread_pool",
)

_MODULES = {
    "_context": ("no_parallel", "parallel_enabled"),
    "attributes": ("glob_store_attributes",),
    "counter": ("Counter", "raiser"),
    "errors": (
        "GlobKeyError",
        "PoolClosedError",
        "PoolOpenError",
        "ResultPendingError",
        "ResultTimeoutError",
    ),
    "fake_pool": ("FakePool",),
    "glob_storage": ("glob_read", "glob_remove", "glob_store", "glob_update"),
    "pools": ("close_pools", "process_pool", "thread_pool"),
    "processes": ("ProcessPool",),
    "results": ("AsyncResult", "IMapIterator", "MapResult"),
    "threads": ("ThreadPool",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type depends on the name
    if name not in _HOMES:
        raise AttributeError(f"module 'engine.machine' has no attribute {name!r}")
    return getattr(import_module(f"engine.machine.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
