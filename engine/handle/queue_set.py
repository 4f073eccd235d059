"""The published class `ProcessingQueueSet`."""
# ruff: noqa: N802, N803 - the published names are camelCase

import weakref
from typing import Self

from engine.handle._arguments import thread_count
from engine.handle._core import HandleCore
from engine.handle._epoch import Epoch
from engine.handle._queue import InitFunction, QueueCore
from engine.handle.errors import ArgumentError, HandleArgumentTypeError
from engine.handle.handle import Handle, check_init_function

__all__ = ("ProcessingQueueSet", "core_of", "queue_of")


class ProcessingQueueSet:
    """A queue set of its own: processes one thing at a time, beside the handle's and all others.

    Its contexts are no longer valid when it is deleted or closed.

    Parameters
    ----------
    handle : Handle
        The handle it belongs to.
    """

    def __init__(self, handle: Handle) -> None:
        self._core = core_of(handle)
        self._core.check()
        self._queue = self._core.new_queue("the queue set")
        self._finalizer = weakref.finalize(self, _close, self._queue)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the queue set as ``del`` does. Safe to call twice."""
        self._core.guard.check()
        _close(self._queue)

    def createProcessingThreads(self, count: int, initFunction: InitFunction | None = None) -> None:
        """Process with `count` threads from now on, as `Handle.createProcessingThreads` does.

        Contexts of this queue set that were made before are no longer valid, those of others are.
        """
        self._core.check()
        init = check_init_function(initFunction)
        self._core.create_threads(self._queue, thread_count(count), init)

    def stopProcessingThreads(self) -> None:
        """Abort what this queue set is processing, and end its background threads."""
        self._core.guard.check()
        self._queue.stop("the threads of the queue set were stopped after it was made")


def core_of(handle: Handle) -> HandleCore:
    """Return what is behind a handle."""
    if not isinstance(handle, Handle):
        raise HandleArgumentTypeError(f"handle is a Handle, not {type(handle).__name__}")
    return handle._core  # noqa: SLF001 - a class of this package


def queue_of(core: HandleCore, queue_set: ProcessingQueueSet | None) -> tuple[QueueCore, Epoch]:
    """Return a queue set that belongs to the handle, by default the handle's own, and its epoch."""
    if queue_set is None:
        queue = core.queue
    elif not isinstance(queue_set, ProcessingQueueSet):
        raise HandleArgumentTypeError(
            f"queueSet is a ProcessingQueueSet or None, not {type(queue_set).__name__}"
        )
    elif queue_set._core is not core:  # noqa: SLF001 - a class of this module
        raise ArgumentError(
            "queueSet belongs to another handle than the model; use one of the same"
        )
    else:
        queue = queue_set._queue  # noqa: SLF001 - a class of this module
    queue.check_open()
    return queue, queue.epoch


def _close(queue: QueueCore) -> None:
    queue.close("its queue set was deleted or closed")
