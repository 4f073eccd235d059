"""One background thread of a queue set."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from engine.handle._access import AccessGuard
from engine.handle._job import Job
from engine.handle.errors import ThreadStartError

__all__ = ("Worker",)


class Worker:
    """A thread that helps with the jobs it is given.

    Parameters
    ----------
    thread_id : its number, from 1; number 0 is the thread that asks for processing.
    count : number of threads, number 0 included.
    init : called first on the new thread, with these two numbers.
    """

    def __init__(
        self,
        thread_id: int,
        count: int,
        init: Callable[[int, int], object] | None,
        guard: AccessGuard,
    ) -> None:
        self._id = thread_id
        self._count = count
        self._init = init
        self._guard = guard
        self._is_leaving = False
        self._error: BaseException | None = None
        self._was_started = False
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()  # None lets the thread end
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"processing-{thread_id}")

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is this one."""
        return self._thread is threading.current_thread()

    def start(self) -> None:
        """Start the thread and wait until its initialization function has returned.

        Raises
        ------
        ThreadStartError
            When the system gives us no thread.
        BaseException
            What the initialization function raised; the thread has ended then.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            raise ThreadStartError(
                f"processing thread {self._id} of {self._count} could not be started: {error}; "
                "use fewer threads"
            ) from error
        self._was_started = True
        self._is_ready.wait()
        try:
            if self._error is not None:
                raise self._error
        finally:
            self._error = None  # the traceback would keep itself alive

    def give(self, job: Job) -> None:
        """Let the thread help with a job."""
        self._jobs.put(job)

    def leave(self) -> None:
        """Let the thread end, after the job that it is helping with."""
        self._is_leaving = True
        self._jobs.put(None)

    def join(self) -> None:
        """Wait until the thread has ended. Does nothing on the thread itself."""
        if self._was_started and not self.is_current:
            self._thread.join()

    def _serve(self) -> None:
        try:
            self._initialize()
        finally:
            self._is_ready.set()
        while not self._is_leaving:
            job = self._jobs.get()
            if job is not None:
                job.help(self._id)
            del job  # keeps nothing alive while it waits

    def _initialize(self) -> None:
        init, self._init = self._init, None
        if init is None:
            return
        try:
            with self._guard.initializing():
                init(self._id, self._count)
        except BaseException as error:  # noqa: BLE001 - the caller's code; `start` raises it again
            self._error = error
            self._is_leaving = True
