"""The functions of the global storage."""

from typing import Any

from engine.machine._context import in_worker
from engine.machine._storage import storage

__all__ = ("glob_read", "glob_remove", "glob_store", "glob_update")


def glob_store(obj: object) -> int:
    """Keep an object where workers can read it without its being pickled into each task.

    Workers of every pool see it, also of pools started earlier, whichever way they were started.
    Arrays (inside any object) lie once in memory that all workers share; everything else is
    pickled once, when the first worker reads it.

    Returns
    -------
    key : int, for the other functions. Never handed out twice, nor by two processes.
    """
    return storage.store.add(obj)


def glob_read(key: int) -> Any:  # noqa: ANN401 - whatever was stored
    """Return a stored object.

    Where it was stored this is the object itself. In a worker it is the worker's own copy, made
    at the first read, and its arrays are read-only views of shared memory. A task reads what was
    stored when the task was handed to the pool, so that one `map` never mixes old and new.

    Raises
    ------
    GlobKeyError : nothing is stored under `key`; also a `KeyError`.
    """
    return storage.read(key)


def glob_update(key: int, obj: object) -> None:
    """Replace a stored object; tasks handed to pools from now on read the new one.

    In a worker, the parent's object is replaced for that worker only.

    Raises
    ------
    GlobKeyError : nothing is stored under `key`; also a `KeyError`.
    """
    storage.update(key, obj)


def glob_remove(key: int) -> None:
    """Forget a stored object. Tasks already handed to a pool can still read it.

    Does nothing in a process other than the one that stored it.

    Raises
    ------
    GlobKeyError : nothing is stored under `key`; also a `KeyError`.
    """
    if not _belongs_elsewhere(key):
        storage.store.remove(key)


def _belongs_elsewhere(key: object) -> bool:
    store = storage.store
    is_foreign = isinstance(key, int) and not store.owns(key)
    return is_foreign and (in_worker() or store.has(key))
