"""The calls that make up a job, and how one is run where no process boundary lies between."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from engine.errors import WorkerDiedError

__all__ = ("Call", "chunks_of", "each_call", "run_chunk", "run_here", "star_chunk")


class Call(NamedTuple):
    """A function and what to call it with.

    Attributes
    ----------
    first : for a chunk of items, the index of the first.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    first: int | None = None

    @property
    def words(self) -> str:
        """The call as the end of a sentence."""
        if self.first is None:
            return f"in {_name(self.function)}"
        function, items = self.args
        last = self.first + len(items) - 1
        which = f"item {self.first}" if last == self.first else f"items {self.first} to {last}"
        return f"in {_name(function)}, {which}"


def run_chunk(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Call `function` with each item."""
    return [function(item) for item in items]


def star_chunk(function: Callable[..., Any], items: Sequence[Iterable[Any]]) -> list[Any]:
    """Call `function` with the elements of each item as arguments."""
    return [function(*item) for item in items]


def chunks_of(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """Cut items into tuples of `size`, the last may be shorter."""
    source = iter(items)
    while chunk := tuple(islice(source, size)):
        yield chunk


def each_call(
    function: Callable[..., Any], items: Iterable[Any], size: int, *, is_star: bool
) -> Iterator[Call]:
    """Return one call per chunk."""
    runner = star_chunk if is_star else run_chunk
    return (
        Call(runner, (function, chunk), {}, index * size)
        for index, chunk in enumerate(chunks_of(items, size))
    )


def run_here(call: Call) -> tuple[Any, BaseException | None]:
    """Run a call in this thread, and return its value or its exception.

    Leaving by ``sys.exit`` is told as in a worker process, where it ends the worker. Ctrl-C is
    not the call's affair and passes.
    """
    try:
        return call.function(*call.args, **call.kwargs), None
    except SystemExit as error:
        died = WorkerDiedError(
            f"a task left its worker by sys.exit({error.code!r}); return from it instead",
            role="pool worker",
            exit_code=error.code if isinstance(error.code, int) else int(error.code is not None),
        )
        died.__cause__ = error
        return None, died
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _is_main():
            raise
        return None, error


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
