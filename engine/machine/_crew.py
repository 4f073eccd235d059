"""The worker processes of a pool, and the one thread that gives them work and hears from them."""

import contextlib
import logging
import os
import pickle
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import count
from typing import Any

from engine.errors import BrokenError, EngineBugError, RemoteError, WorkerDiedError
from engine.machine._base import closed
from engine.machine._calls import Call
from engine.machine._packing import Parcel, pack, unpack_parcel
from engine.machine._publishing import Publication
from engine.machine._storage import storage
from engine.machine._store import Version
from engine.machine._wire import Kind, Message, key_of
from engine.machine._worker import Task, Worker
from engine.machine.errors import WorkerTraceback
from engine.machine.results import Job
from engine.process import WakePipe, check_descriptors

__all__ = ("Crew", "State")

log = logging.getLogger(__name__)

_AT_ONCE = 64
_MOST_FAILED_STARTS = 3
_LEAVE_S = 2.0
_TERMINATE_S = 0.3
_KILL_S = 2.0
_crews = count(1)


class State(Enum):
    """How far a crew is from its end."""

    OPEN = "open"
    CLOSING = "closed"  # takes no more work
    STOPPING = "terminated"
    ENDED = "ended"


class Crew:
    """Gives calls to worker processes, each to the one with the least to do.

    Tasks lie in the workers' own lines, so that a worker never waits for us between two; when one
    has nothing left, tasks that others have not begun are taken back for it. A worker that dies
    takes down the one task it had begun: that fails, and another worker takes its place. When
    workers cannot start, the crew ends, since the next would do the same.
    """

    def __init__(
        self, workers: int, method: str, first_call: bytes = b"", most_tasks: int = 0
    ) -> None:
        check_descriptors("the pool's workers")
        self.state = State.OPEN
        self.broken: WorkerDiedError | None = None
        self.on_end: Callable[[BaseException], None] = lambda error: None
        self._method = method
        self._first_call = first_call
        self._most_tasks = most_tasks
        self._pid = os.getpid()
        self._lock = threading.RLock()  # the garbage collector may call `close` anywhere
        self._waiting: deque[Task] = deque()
        self._numbers = count(1)
        self._held = 0
        self._failed_starts = 0
        self._wake = WakePipe()
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._workers: list[Worker] = []
        self._indexes = count(1)
        self._listen(self._wake.fileno(), self._wake.clear)
        storage.attach()
        try:
            for _ in range(workers):
                self._add_worker()
        except BaseException:
            self._finish(is_patient=False)
            raise
        name = f"pool-{next(_crews)}"
        self.thread = threading.Thread(target=self._main, name=name)
        self.thread.start()

    # -- from any thread

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [worker.pid for worker in list(self._workers)]

    def submit(self, job: Job, calls: Iterable[tuple[int, Call]]) -> None:
        """Take calls as parts of a job; raises when nobody will run them.

        One step makes the work known, so that Ctrl-C in between loses nothing.
        """
        tasks = [Task(next(self._numbers), job, part, call) for part, call in calls]
        with self._lock:
            self.check_working()
            self._waiting.extend(tasks)
        self._wake.wake()

    def hold(self, change: int) -> None:
        """Note that more work will come, or that it has."""
        with self._lock:
            self._held += change
        self._wake.wake()

    def finish(self) -> None:
        """Take no more work from callers, and end when all is done. Safe to call twice."""
        with self._lock:
            if self.state is State.OPEN:
                self.state = State.CLOSING
        self._wake.wake()

    def close(self) -> None:
        """End now, and wait for it; safe to call twice, from any thread."""
        if os.getpid() != self._pid:
            return  # a fork's copy: the processes are not its own
        with self._lock:
            if self.state in (State.OPEN, State.CLOSING):
                self.state = State.STOPPING
        self._wake.wake()
        if threading.current_thread() is not self.thread:
            self.thread.join()

    # -- the crew's thread

    def _main(self) -> None:
        error: BaseException = closed()
        try:
            while not self._is_done():
                self._feed()
                for fd, _ in self._poll.poll():
                    handler = self._handlers.get(fd)
                    if handler is not None:
                        handler()
        except BaseException as bug:
            log.critical("a process pool failed", exc_info=True)
            error = EngineBugError(f"the process pool failed: {type(bug).__name__}: {bug}")
        is_patient = self.state is State.CLOSING and self.broken is None
        self._give_up(self.broken or error)
        self._finish(is_patient=is_patient)

    def _is_done(self) -> bool:
        with self._lock:
            if self.broken is not None or self.state is State.STOPPING:
                return True
            is_busy = self._held or self._waiting or any(w.in_flight for w in self._workers)
            return self.state is State.CLOSING and not is_busy

    def _feed(self) -> None:
        """Send waiting tasks while there is room, and share out what lies in the lines."""
        while True:
            with self._lock:
                tasks = self._next_tasks()
                if not tasks and self._share_out():
                    tasks = self._next_tasks()
            if not tasks or not self._send(tasks):
                return

    def _next_tasks(self) -> list[Task]:
        """Take some waiting tasks for one worker; few when that leaves none for the others."""
        if not self._waiting or not any(worker.has_room for worker in self._workers):
            return []
        count = min(_AT_ONCE, -(-len(self._waiting) // (4 * len(self._workers))))
        return [self._waiting.popleft() for _ in range(count)]

    def _send(self, tasks: Sequence[Task]) -> bool:
        """Pack tasks and give them to the worker with the least to do; False when it was full."""
        tasks = [task for task in tasks if self._pack(task)]
        with self._lock:
            worker = min(self._workers, key=_load, default=None)
            sent = 0
            while worker is not None and sent < len(tasks) and worker.has_room:
                if not worker.give(tasks[sent]):
                    break
                sent += 1
            self._waiting.extendleft(reversed(tasks[sent:]))
        return sent == len(tasks)

    def _pack(self, task: Task) -> bool:
        """Make a task ready to be sent; False when it ends here."""
        if task.job.is_over:
            self._settle(task, None, closed())
            return False
        if task.parcel is None:
            try:
                task.parcel = _packed(task)
            except BaseException as error:  # noqa: BLE001 - the user's code: pickling runs it
                self._settle(task, None, error)
                return False
        return True

    def _share_out(self) -> bool:
        """Take work back from the busiest for those who have none."""
        if self._waiting:
            return False
        idle = sum(1 for worker in self._workers if worker.is_ready and not worker.in_flight)
        if not idle:
            return False
        busiest = max(self._workers, key=_unbegun)
        surplus = _unbegun(busiest)
        if not surplus:
            return False
        self._waiting.extend(busiest.take_back(-(-surplus * idle // (idle + 1))))
        return bool(self._waiting)

    @staticmethod
    def _settle(task: Task, value: Any, error: BaseException | None) -> None:  # noqa: ANN401
        task.discard()
        if error is None:
            task.job.accept(task.part, value)
        else:
            task.job.refuse(task.part, error)

    def _hear(self, worker: Worker) -> None:
        """Take what a worker has sent."""
        for _ in range(_AT_ONCE):
            try:
                message = worker.results.receive(may_wait=False)
            except BlockingIOError:
                return
            except OSError:
                message = None
            if message is None:
                self._forget(worker.results.fileno())  # it is ending; its sentinel tells
                return
            self._take(worker, message)

    def _take(self, worker: Worker, message: Message) -> None:
        if message.kind == Kind.READY:
            worker.is_ready = True
            self._failed_starts = 0
        elif message.kind == Kind.NOT_BEGUN:
            _, error = _opened(message)
            self.broken = WorkerDiedError(
                f"the initializer failed in {worker.role}: {type(error).__name__}: {error}",
                role=worker.role,
                pid=worker.pid,
            )
            self.broken.__cause__ = error
        elif message.kind == Kind.ASK:
            self._tell_value(worker, message)
        elif message.kind == Kind.RELEASED:
            worker.publications.pop(message.number, None)
            storage.publisher.released(message.number, worker)
        else:
            self._take_result(worker, message)

    def _take_result(self, worker: Worker, message: Message) -> None:
        with self._lock:
            task = worker.answered(message.number)
        value, error = _opened(message)
        if task is None:
            return
        if message.kind == Kind.UNREADABLE and not task.is_by_value:
            task.is_by_value = True  # it may be that only the function's name is unknown there
            with self._lock:
                self._waiting.appendleft(task)
            return
        self._settle(task, value, error)

    def _tell_value(self, worker: Worker, message: Message) -> None:
        """Answer a worker that reads the global storage."""
        version = storage.store.version_at(key_of(message.body), message.epoch)
        if version is None:
            self._answer(worker, Kind.MISSING)
            return
        if version.number == message.number:
            self._answer(worker, Kind.SAME)
            return
        try:
            publication = _published(version)
        except Exception as error:  # noqa: BLE001 - the user's code: pickling runs it
            kind = type(version.value).__name__
            words = f"the stored {kind} cannot be sent to workers: {type(error).__name__}: {error}"
            self._answer(worker, Kind.ERROR, body=words.encode()[:8000])
            return
        if not storage.publisher.add_reader(publication, worker):
            self._answer(worker, Kind.MISSING)  # asked for by a call that nobody waits for any more
            return
        worker.publications[publication.number] = publication
        fd = publication.block.fd if publication.block is not None else -1
        self._answer(worker, Kind.VALUE, version.number, publication.number, publication.body, fd)

    @staticmethod
    def _answer(
        worker: Worker, kind: Kind, number: int = 0, epoch: int = 0, body: bytes = b"", fd: int = -1
    ) -> None:
        with contextlib.suppress(OSError):  # it has just ended
            worker.results.send(kind, number, epoch, body, fd, may_wait=False)

    # -- workers come and go

    def _add_worker(self) -> None:
        worker = Worker(next(self._indexes), self._method, self._first_call, self._most_tasks)
        with self._lock:
            self._workers.append(worker)
        self._listen(worker.results.fileno(), lambda: self._hear(worker))
        self._listen(worker.stderr.fileno(), lambda: self._relay(worker))
        self._listen(worker.sentinel_fd, lambda: self._bury(worker))

    def _relay(self, worker: Worker) -> None:
        if not worker.stderr.relay():
            self._forget(worker.stderr.fileno())

    def _bury(self, worker: Worker) -> None:
        """Tell whose work is lost when a worker has died, and put another in its place."""
        while worker.results.fileno() in self._handlers:
            before = len(worker.in_flight)
            self._hear(worker)
            if len(worker.in_flight) == before:
                break
        with self._lock:
            self._workers.remove(worker)
            unbegun = worker.take_back(len(worker.in_flight))
            lost = worker.in_flight.pop(worker.begun, None)
            # What it had received, but not begun, is as good as new.
            unbegun = [*worker.in_flight.values(), *unbegun]
            self._waiting.extendleft(reversed(unbegun))
        self._dismiss(worker)
        if lost is not None:
            self._settle(lost, None, worker.died(lost.call.words, item=lost.call.first))
        if self.broken is not None:
            return
        if not worker.is_ready and self._is_hopeless(worker):
            self.broken = worker.died("while it started; is the main program importable?")
            return
        try:
            self._add_worker()
        except (WorkerDiedError, OSError) as error:
            if not self._workers:
                self.broken = WorkerDiedError(f"no new worker could be started: {error}")

    def _is_hopeless(self, worker: Worker) -> bool:
        """Say whether the next worker would not start either: it is the program's own doing."""
        self._failed_starts += 1
        outcome = worker.poll()
        has_given_up = outcome is not None and outcome.exit_code is not None
        return has_given_up or self._failed_starts >= _MOST_FAILED_STARTS

    def _dismiss(self, worker: Worker) -> None:
        for fd in (worker.results.fileno(), worker.stderr.fileno(), worker.sentinel_fd):
            self._forget(fd)
        worker.poll()
        worker.close()
        storage.publisher.reader_gone(worker, list(worker.publications.values()))

    def _give_up(self, error: BaseException) -> None:
        """End everything that is not done with an error."""
        with self._lock:
            self.state = State.ENDED
            tasks = [*self._waiting, *(t for w in self._workers for t in w.in_flight.values())]
            self._waiting.clear()
            for worker in self._workers:
                worker.in_flight.clear()
        for task in tasks:
            self._settle(task, None, error)
        self.on_end(error)

    def _finish(self, *, is_patient: bool) -> None:
        """Let the workers leave, or make them, and release everything."""
        for worker in self._workers:
            worker.let_go()
        if is_patient:
            self._wait_for_ends(_LEAVE_S)
        for number, wait_s in ((signal.SIGTERM, _TERMINATE_S), (signal.SIGKILL, _KILL_S)):
            for worker in self._workers:
                worker.kill(number)
            self._wait_for_ends(wait_s)
        for worker in self._workers:
            log.error("%s (process %d) cannot be ended", worker.role, worker.pid)
            self._dismiss(worker)
        self._workers.clear()
        self._wake.close()
        storage.detach()

    def _wait_for_ends(self, seconds: float) -> None:
        poll, deadline = select.poll(), time.monotonic() + seconds
        for worker in self._workers:
            poll.register(worker.sentinel_fd, select.POLLIN)
            poll.register(worker.stderr.fileno(), select.POLLIN)
        while self._workers and (left_s := deadline - time.monotonic()) > 0:
            ready = {fd for fd, _ in poll.poll(left_s * 1000)}
            for worker in list(self._workers):
                if worker.stderr.fileno() in ready and not worker.stderr.relay():
                    poll.unregister(worker.stderr.fileno())
                if worker.sentinel_fd in ready:
                    poll.unregister(worker.sentinel_fd)
                    with contextlib.suppress(KeyError):
                        poll.unregister(worker.stderr.fileno())
                    self._workers.remove(worker)
                    self._dismiss(worker)

    def _listen(self, fd: int, handler: Callable[[], None]) -> None:
        self._handlers[fd] = handler
        self._poll.register(fd, select.POLLIN)

    def _forget(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def check_working(self) -> None:
        """Raise unless there is somebody to do the work."""
        if self.broken is not None:
            raise BrokenError(f"the pool's workers cannot work: {self.broken}") from self.broken
        if self.state in (State.STOPPING, State.ENDED):
            raise closed()


def _published(version: Version) -> Publication:
    """Return what workers get of a version; another pool may have been first."""
    if isinstance(version.publication, Publication):
        return version.publication
    made = storage.publisher.publish(version)
    kept = storage.store.publish(version, made)
    if kept is not made and made.block is not None:
        made.block.close()
    return kept if isinstance(kept, Publication) else made


def _packed(task: Task) -> Parcel:
    """Pack a call, by names where possible."""
    what = tuple(task.call[:3])
    if not task.is_by_value:
        try:
            return pack(what)
        except (pickle.PicklingError, AttributeError, TypeError):
            task.is_by_value = True
    return pack(what, by_value=True)


def _opened(message: Message) -> tuple[Any, BaseException | None]:
    """Return the value or the error in a worker's answer."""
    try:
        content = unpack_parcel(message.body, message.fd)
    except BaseException as error:  # noqa: BLE001 - the user's code: unpickling runs it
        told = RemoteError(f"what a worker sent back cannot be read here: {error}")
        told.__cause__ = error
        return None, told
    finally:
        if message.fd >= 0:
            os.close(message.fd)
    if message.kind == Kind.DONE:
        return content, None
    raised, story = content
    raised.__cause__ = WorkerTraceback(story)
    return None, raised


def _load(worker: Worker) -> int:
    """Return how long a task would wait at a worker, roughly."""
    return len(worker.in_flight) + (not worker.is_ready)


def _unbegun(worker: Worker) -> int:
    """Return how many tasks lie in a worker's line."""
    return max(0, len(worker.in_flight) - worker.is_ready)
