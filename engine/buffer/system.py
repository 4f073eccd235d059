"""How many processes work, how they start, and in which order their data come."""

import multiprocessing
from multiprocessing.context import BaseContext, SpawnContext

from engine.errors import InvalidArgumentError

__all__ = ("BufferSystem", "context_named")

_METHODS = ("spawn", "fork")
_MAX_CPUS = 1024


class BufferSystem:
    """The system's side of a buffer.

    Parameters
    ----------
    cpus : number of producer processes, 1 to 1024. The commander's process comes on top.
    context : how processes start: a multiprocessing context, or its name, ``"spawn"`` or
        ``"fork"``; None is the platform's default where that is one of the two, else spawn.
    deterministic : True gives data in the order of the messages, False in the order in which they
        are finished.
    """

    def __init__(
        self,
        cpus: int,
        context: BaseContext | str | None = SpawnContext(),  # noqa: B008 - a constant
        deterministic: bool = True,
    ) -> None:
        if isinstance(cpus, bool) or not hasattr(cpus, "__index__"):
            raise InvalidArgumentError(f"cpus must be a whole number, not {cpus!r}")
        if not 1 <= cpus <= _MAX_CPUS:
            raise InvalidArgumentError(f"cpus must be 1 to {_MAX_CPUS}, not {cpus}")
        self._cpus = cpus.__index__()
        self._context = context_named(context)
        self._deterministic = bool(deterministic)

    @property
    def cpus(self) -> int:
        """Number of producer processes."""
        return self._cpus

    @property
    def context(self) -> BaseContext:
        """How processes start: a spawn or a fork context."""
        return self._context

    @property
    def deterministic(self) -> bool:
        """Whether data come in the order of the messages."""
        return self._deterministic


def context_named(context: BaseContext | str | None) -> BaseContext:
    """Return a spawn or fork context; `InvalidArgumentError` for anything else."""
    if context is None:
        default = multiprocessing.get_start_method(allow_none=True)
        default = default or multiprocessing.get_all_start_methods()[0]
        context = default if default in _METHODS else "spawn"
    name = context if isinstance(context, str) else _method_of(context)
    if name not in _METHODS:
        raise InvalidArgumentError(
            f"processes of a buffer start by 'spawn' or 'fork', not by {name!r}", context=str(name)
        )
    if isinstance(context, str):
        try:
            return multiprocessing.get_context(name)
        except ValueError as error:
            raise InvalidArgumentError(f"this system cannot start processes by {name!r}") from error
    return context


def _method_of(context: object) -> str:
    if not isinstance(context, BaseContext):
        return type(context).__name__
    return str(context.get_start_method())
