"""The threads of one processing queue set, and the rule that it processes one thing at a time."""

import threading
from collections.abc import Callable

from engine.handle._access import AccessGuard
from engine.handle._epoch import Epoch
from engine.handle._job import Job
from engine.handle._worker import Worker
from engine.handle.errors import (
    HandleNoLongerValidError,
    ProcessingAbortedError,
    ThreadsExistError,
)

__all__ = ("InitFunction", "QueueCore")

InitFunction = Callable[[int, int], object]
"""Called with a thread's number and the number of threads."""


class QueueCore:
    """What is behind a `ProcessingQueueSet`, and behind a handle's own queue set.

    Parameters
    ----------
    guard : shared by all queue sets of a handle.
    name : how sentences call the queue set, for example "the handle".
    """

    def __init__(self, guard: AccessGuard, name: str) -> None:
        self.name = name
        self.guard = guard
        self.epoch = Epoch()
        self._turn = threading.Lock()  # whoever processes, creates or ends threads
        self._turn_owner = 0
        # Reentrant: a collected queue set may be stopped while this very thread holds the lock.
        self._state = threading.RLock()
        self._workers: tuple[Worker, ...] = ()
        self._job: Job | None = None
        self._is_creating = False
        self._is_creation_cancelled = False
        self._closed_by = ""

    @property
    def thread_count(self) -> int:
        """Number of threads that process, the caller's included."""
        return len(self._workers) + 1

    def create(self, count: int, init: InitFunction | None) -> None:
        """Start `count` - 1 threads, one after the other.

        Raises
        ------
        ThreadsExistError
            When there are threads already, or another thread is creating some.
        BaseException
            Whatever `init` raised; no thread is left then.
        """
        with self._state:
            self.check_open()
            if self._workers or self._is_creating:
                raise ThreadsExistError(
                    f"{self.name} has {len(self._workers)} background threads already; "
                    "call stopProcessingThreads first",
                    threads=len(self._workers),
                )
            self._is_creating = True
            self._is_creation_cancelled = False
            self._begin_epoch(f"the threads of {self.name} were created after it")
        try:
            with self._turn:
                self._start_workers(count, init)
        finally:
            with self._state:
                self._is_creating = False

    def stop(self, reason: str) -> None:
        """Abort what is being processed, wait for that, and end all background threads.

        Never fails. Does not wait when called by a thread that it would wait for.

        Parameters
        ----------
        reason : why contexts made before are no longer valid, part of a sentence.
        """
        with self._state:
            self._begin_epoch(reason)
            self._is_creation_cancelled = True
            if self._job is not None:
                self._job.cancel("stopping the processing threads")
            is_own = self._turn_owner == threading.get_ident() or any(
                worker.is_current for worker in self._workers
            )
        if is_own or self.guard.is_initializing:
            self._end_workers(wait=False)
            return
        with self._turn:
            self._end_workers(wait=True)

    def close(self, reason: str) -> None:
        """Stop for good."""
        with self._state:
            self._closed_by = self._closed_by or reason
        self.stop(reason)

    def process(self, epoch: Epoch, job: Job) -> None:
        """Do a job on all threads, the calling one being number 0; waits for its turn.

        Raises
        ------
        ProcessingContextNoLongerValidError
            When `epoch` has ended.
        ProcessingAbortedError
            When the job was cancelled.
        BaseException
            The first error of a block.
        """
        with self._turn:
            with self._state:
                epoch.check()
                self._job = job
                self._turn_owner = threading.get_ident()
            helpers = self._workers if job.is_parallel else ()
            try:
                for worker in helpers:
                    worker.give(job)
                job.run(0)
            except BaseException:
                job.cancel("an interruption")  # of this thread, between two blocks
                raise
            finally:
                job.close()
                with self._state:
                    self._job = None
                    self._turn_owner = 0
        job.finish()

    def check_open(self) -> None:
        """Raise `HandleNoLongerValidError` after `close`."""
        if self._closed_by:
            raise HandleNoLongerValidError(
                f"this queue set cannot be used any more because {self._closed_by}; make a new one"
            )

    def _begin_epoch(self, reason: str) -> None:
        self.epoch.end(reason)
        self.epoch = Epoch()
        if self._closed_by:
            self.epoch.end(reason)

    def _start_workers(self, count: int, init: InitFunction | None) -> None:
        """Start the threads; all of them, or none."""
        workers: list[Worker] = []
        try:
            for thread_id in range(1, count):
                worker = Worker(thread_id, count, init, self.guard)
                workers.append(worker)
                worker.start()
                with self._state:
                    if self._is_creation_cancelled:
                        break
        except BaseException:
            _end(workers, wait=True)
            raise
        with self._state:
            is_cancelled = self._is_creation_cancelled
            if not is_cancelled:
                # once more: a context made meanwhile does not know how many threads there are
                self._begin_epoch(f"the threads of {self.name} were being created when it was made")
                self._workers = tuple(workers)
        if is_cancelled:
            _end(workers, wait=True)
            self.epoch.check()
            raise ProcessingAbortedError(
                f"stopProcessingThreads of {self.name} was called while its threads were being "
                "created; there are none, create them again"
            )

    def _end_workers(self, *, wait: bool) -> None:
        with self._state:
            workers, self._workers = self._workers, ()
        _end(workers, wait=wait)


def _end(workers: "list[Worker] | tuple[Worker, ...]", *, wait: bool) -> None:
    for worker in workers:
        worker.leave()
    if wait:
        for worker in workers:
            worker.join()
