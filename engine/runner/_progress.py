"""Tell how far a call is, a few times a second."""

import contextlib
import time
from collections.abc import Iterator

from engine.runner._options import ProgressCallback

__all__ = ("Reporter", "reporting")

_EVERY_S = 0.1


class Reporter:
    """Calls the callback at most ten times a second, and once more at the end."""

    def __init__(self, callback: ProgressCallback | None, total: int | None) -> None:
        self._callback = callback
        self._total = total
        self._next_s = 0.0
        self._told = -1

    def reached(self, done: int, *, is_last: bool = False) -> None:
        """Tell of `done` items, when it is time to."""
        if self._callback is None or done == self._told:
            return
        now = time.monotonic()
        if is_last or now >= self._next_s:
            self._next_s = now + _EVERY_S
            self._told = done
            self._callback(done, self._total)


@contextlib.contextmanager
def reporting(
    progress: bool | ProgressCallback,
    total: int | None,
    title: str,
) -> Iterator[Reporter]:
    """Yield a reporter for what the user asked: a callback, True for a bar, False for nothing."""
    if progress is not True:
        yield Reporter(progress or None, total)
        return
    with _bar(total, title) as callback:
        yield Reporter(callback, total)


@contextlib.contextmanager
def _bar(total: int | None, title: str) -> Iterator[ProgressCallback]:
    from rich.progress import (  # noqa: PLC0415 - only who asks for a bar pays for it
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Without a thread of its own: `reached` is called often enough.
    with Progress(*columns, TimeRemainingColumn(), auto_refresh=False) as bar:
        task = bar.add_task(title, total=total)

        def show(done: int, _total: int | None) -> None:
            bar.update(task, completed=done)
            bar.refresh()

        yield show
