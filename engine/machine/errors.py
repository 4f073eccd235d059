"""Errors of pools and of the global storage; each is also the built-in that was promised."""

import multiprocessing

from engine.errors import ClosedError, EngineError, EngineTimeoutError, WrongStateError

__all__ = (
    "GlobKeyError",
    "PoolClosedError",
    "PoolOpenError",
    "ResultPendingError",
    "ResultTimeoutError",
    "WorkerTraceback",
)


class GlobKeyError(EngineError, KeyError):
    """The global storage has nothing under that key."""

    code = "glob_key"


class PoolClosedError(ClosedError, ValueError):
    """The pool was closed or terminated, so that it takes no more work."""

    code = "pool_closed"


class PoolOpenError(WrongStateError, ValueError):
    """The pool must be closed first."""

    code = "pool_open"


class ResultTimeoutError(EngineTimeoutError, multiprocessing.TimeoutError):
    """A result was not there in time."""

    code = "result_timeout"


class ResultPendingError(WrongStateError, ValueError):
    """The question cannot be answered before the result is there."""

    code = "result_pending"


class WorkerTraceback(Exception):  # noqa: N818 - it is no error but the story of one
    """The traceback of an exception in a worker, as text; the ``__cause__`` of what is raised."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}" if self.args else ""
