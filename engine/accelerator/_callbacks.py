"""What callers' callbacks may look like, and the streams they stand for."""

import inspect
from collections.abc import Callable
from typing import Any

from engine.accelerator._flow import Pull
from engine.accelerator.errors import CallbackTypeError

__all__ = ("call_source", "parameter_count", "stream_source")


def parameter_count(callback: Callable[..., object]) -> int | None:
    """Return how many parameters a callback declares; None when nobody knows."""
    try:
        return len(inspect.signature(callback).parameters)
    except ValueError:
        return None  # a built-in without a signature; a wrong call shows when it is made


def call_source(callback: Callable[[], object]) -> Pull:
    """Return the stream of a callback that is called per frame, or once for an iterator."""
    iterator: Any = None

    def pull() -> object:
        nonlocal iterator
        try:
            if iterator is not None:
                return next(iterator)
            result = callback()
            if hasattr(result, "__next__"):
                iterator = result
                return next(iterator)
        except StopIteration:
            return None
        return result

    return pull


def stream_source(callback: Callable[[int], object], stream_idx: int) -> Pull:
    """Return the stream of a callback that is called with the stream's number per frame."""

    def pull() -> object:
        try:
            result = callback(stream_idx)
            if inspect.isgenerator(result):
                result.close()
                raise CallbackTypeError(
                    "input_callback returned a generator; return one frame per call, "
                    "for example next(generators[stream_idx])"
                )
            if hasattr(result, "__next__"):
                return next(result)
        except StopIteration:
            return None
        return result

    return pull
