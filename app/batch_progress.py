"""How far a batch run is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from engine.batch import BatchProgress

__all__ = ("batch_progress", "progress_line")

_REFRESH_S = 0.1
_LINE_EVERY_S = 5.0


@contextmanager
def batch_progress(
    console: Console, *, is_quiet: bool
) -> Iterator[Callable[[BatchProgress], None]]:
    """Yield what a run tells its progress to."""
    if is_quiet:
        yield lambda _: None
    elif console.is_terminal:
        with _bar(console) as show:
            yield show
    else:
        yield _Lines(console)


def progress_line(progress: BatchProgress, seconds: float) -> str:
    """Return counts, rate and the time that is left, in words.

    Parameters
    ----------
    seconds : since the first input was given out.
    """
    if progress.is_planning:
        return f"looking for inputs: {progress.total}"
    finished = progress.done + progress.failed
    waiting = progress.total - progress.already - finished
    parts = [f"{finished + progress.already} of {progress.total} inputs"]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    parts.append(f"{progress.frames} frames")
    if finished and seconds > 0:
        parts.append(f"{progress.frames / seconds:.1f} frames/s")
        if waiting:
            parts.append(f"{waiting * seconds / finished:.0f} s left")
    return ", ".join(parts)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = self._next = time.monotonic()
        self._next += _LINE_EVERY_S

    def __call__(self, progress: BatchProgress) -> None:
        now = time.monotonic()
        if progress.is_planning:
            self._begin = now
        if now >= self._next:
            self._next = now + _LINE_EVERY_S
            self._console.print(progress_line(progress, now - self._begin), highlight=False)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[BatchProgress], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking for inputs", total=None, told="")
        begin = shown = 0.0

        def show(progress: BatchProgress) -> None:
            nonlocal begin, shown
            now = time.monotonic()
            if progress.is_planning:
                bar.update(task, completed=progress.total)
                return
            finished = progress.already + progress.done + progress.failed
            if not begin:
                begin = now
                bar.reset(task, total=progress.total, completed=finished, description="inputs")
            if now - shown < _REFRESH_S and finished < progress.total:
                return
            shown = now
            rate = progress.frames / (now - begin) if now > begin else 0.0
            told = f"{progress.frames} frames, {rate:.1f}/s"
            if progress.failed:
                told += f", {progress.failed} failed"
            bar.update(task, completed=finished, told=told)

        yield show
