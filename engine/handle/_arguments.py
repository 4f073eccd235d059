"""Checks of arguments that several classes take."""

import operator
import os
from pathlib import Path

from engine.handle.errors import ArgumentError, HandleArgumentTypeError

__all__ = ("as_path", "is_text", "milliseconds", "thread_count", "whole_number")


def whole_number(value: object, what: str) -> int:
    """Return an argument that has to be a whole number; ``True`` is none."""
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]  # being checked
        except TypeError:
            pass
    raise HandleArgumentTypeError(f"{what} is a whole number, not {value!r}")


def is_text(value: object) -> bool:
    """Tell whether an argument is a text."""
    return isinstance(value, str)


def milliseconds(value: object, what: str) -> float:
    """Return a time in seconds for an argument in milliseconds, which is 0 or more."""
    if isinstance(value, int | float) and value is not True and 0 <= value < float("inf"):
        return value / 1000
    raise ArgumentError(f"{what} is a number of milliseconds, 0 or more, not {value!r}")


def thread_count(value: object) -> int:
    """Return a number of threads, which is 1 or more."""
    count = whole_number(value, "the number of threads")
    if count < 1:
        raise ArgumentError(
            f"the number of threads is 1 or more, not {count}; 1 is the calling thread alone"
        )
    return count


def as_path(value: object, what: str) -> Path | None:
    """Return a path, made absolute now; None for None and for an empty one."""
    if value is None:
        return None
    if not isinstance(value, str | bytes | os.PathLike):
        raise HandleArgumentTypeError(f"{what} is a path or None, not {type(value).__name__}")
    text = os.fsdecode(value)
    if "\0" in text:
        raise ArgumentError(f"{what} contains a null character, which no path does")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ArgumentError(f"{what} contains a character that no path can have") from error
    return Path(text).expanduser().absolute() if text else None
