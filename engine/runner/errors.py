"""Errors of the runners."""

from engine.errors import EngineError

__all__ = ("ItemError", "WorkerTracebackError")


class ItemError(EngineError, ValueError, TypeError):
    """An item cannot be sent to a worker, or its result cannot be sent back; details say which."""

    code = "runner_item"


class WorkerTracebackError(EngineError):
    """Where in a worker an exception was raised: the cause of the exception the caller gets."""

    code = "runner_traceback"
