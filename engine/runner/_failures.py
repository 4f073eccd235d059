"""Exceptions on their way from a worker: the object itself if it survives that, else words."""

import pickle
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from engine.errors import EngineError, RemoteError
from engine.runner.errors import ItemError, WorkerTracebackError

__all__ = ("FailureParts", "describe", "rebuild")

_MOST_BYTES = 8 * 1024
FailureParts = list[bytes | str | None]


class _Failure(NamedTuple):
    stage: str
    pickled: bytes | None
    kind: str
    message: str
    story: str


def describe(
    error: BaseException, stage: str, dumps: Callable[[Any], bytes] = pickle.dumps
) -> FailureParts:
    """Return an exception as plain values; a list, so that it is no other kind of entry.

    Parameters
    ----------
    stage : which step failed: the name of a hook, or "input" or "result".
    dumps : pickles the exception.
    """
    story = "".join(traceback.format_exception(error))
    return [
        stage,
        _pickled(error, dumps),
        type(error).__name__,
        _safe_text(error)[-_MOST_BYTES:],
        story[-_MOST_BYTES:],
    ]


def rebuild(parts: FailureParts, place: str, **details: str | int) -> BaseException:
    """Return the exception to raise in the caller, with the worker's traceback as its cause.

    Parameters
    ----------
    place : where it happened, for example "item 3 in worker 1 (device 'cpu', process 812)".
    details : item, device and pid for an error of our own.
    """
    failure = _Failure(*parts)  # type: ignore[arg-type] # made by `describe` only
    error = _exception(failure, place, **details)
    error.__cause__ = WorkerTracebackError(f"\n{failure.story}")
    error.add_note(f"raised by {failure.stage} for {place}")
    return error


def _exception(failure: _Failure, place: str, **details: str | int) -> BaseException:
    said = f"{failure.kind}: {failure.message}"
    if failure.stage == "input":
        return ItemError(
            f"{place} cannot be unpickled: {said}; give the class a picklable state", **details
        )
    if failure.stage == "result":
        return ItemError(
            f"the result of {place} cannot be sent back: {said}; return plain data or arrays",
            **details,
        )
    if failure.pickled is not None:
        try:
            return pickle.loads(failure.pickled)  # type: ignore[no-any-return]  # noqa: S301
        except Exception:  # noqa: BLE001 - the user's class; words are left
            failure = failure._replace(pickled=None)
    return RemoteError(f"{failure.stage} failed for {place}: {said}", **details)


def _pickled(error: BaseException, dumps: Callable[[Any], bytes]) -> bytes | None:
    """Return the pickle of an exception, None when it cannot be rebuilt from it."""
    if isinstance(error, EngineError) and error.__cause__ is None:
        return pickle.dumps(error)
    try:
        data = dumps(error)
        is_same = type(pickle.loads(data)) is type(error)  # noqa: S301 - just made
    except Exception:  # noqa: BLE001 - the user's class
        return None
    return data if is_same and len(data) <= _MOST_BYTES else None


def _safe_text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's class
        return "(it cannot be shown)"
