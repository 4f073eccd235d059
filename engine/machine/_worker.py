"""A worker process as its pool sees it."""

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import weakref
from functools import partial

from engine.errors import WorkerDiedError
from engine.machine._calls import Call
from engine.machine._memory import BOARD_BYTES, new_file, view_of
from engine.machine._packing import Parcel
from engine.machine._publishing import Publication
from engine.machine._starting import start_by_context, start_new_interpreter
from engine.machine._storage import storage
from engine.machine._wire import Kind, Line
from engine.machine._worker_loop import Plan
from engine.machine.results import Job
from engine.process import (
    ContextProcess,
    ErrorPipe,
    InterpreterProcess,
    Outcome,
    ProcessHandle,
    check_descriptors,
)

__all__ = ("Task", "Worker")

_DEPTH = 192
_DEPTH_BYTES = 64 * 1024  # with one message more, this still fits a socket's room


class Task:
    """One call under way: part of a job, packed as late as possible and only once."""

    __slots__ = ("call", "is_by_value", "job", "number", "parcel", "part")

    def __init__(self, number: int, job: Job, part: int, call: Call) -> None:
        self.number = number
        self.job = job
        self.part = part
        self.call = call
        self.parcel: Parcel | None = None
        self.is_by_value = False

    def discard(self) -> None:
        """Close what the parcel holds. Safe to call twice."""
        parcel, self.parcel = self.parcel, None
        if parcel is not None:
            parcel.close()


class _Alive:
    """The workers of this process, so that a fork can close what belongs to others."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.workers: weakref.WeakSet[Worker] = weakref.WeakSet()
        os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self.lock = threading.Lock()  # whoever holds it is not here


_alive = _Alive()


class Worker:
    """One worker: its process, its lines, and what it was given to do.

    Attributes
    ----------
    in_flight : tasks sent to it and not answered, oldest first. It works on the oldest; the
        others wait in its line, where they can be taken back.
    is_ready : whether it has said that it works.
    """

    def __init__(self, index: int, method: str, first_call: bytes, most_tasks: int) -> None:
        self.index = index
        self.role = f"pool worker {index}"
        check_descriptors(self.role)
        self.in_flight: dict[int, Task] = {}
        self.is_ready = False
        self.publications: dict[int, Publication] = {}
        self._bytes = 0
        self._sizes: dict[int, int] = {}
        self._outcome: Outcome | None = None
        with _alive.lock:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.tasks, self.inbox = Line(ours), Line(theirs)
            ours, their_results = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.results = Line(ours)
            self.stderr = ErrorPipe()
            board_fd = new_file()
            try:
                os.ftruncate(board_fd, BOARD_BYTES)
                self._board = view_of(board_fd, BOARD_BYTES)
                plan = Plan(
                    index,
                    self.inbox.fileno(),
                    their_results.fileno(),
                    board_fd,
                    os.getpid(),
                    first_call,
                    most_tasks,
                    storage.store.epoch,
                )
                self._process = self._start(method, plan)
            except BaseException:
                self._close_lines()
                raise
            finally:
                their_results.close()
                os.close(board_fd)
                self.stderr.close_theirs()
            _alive.workers.add(self)
        self.pid = self._process.pid
        self.sentinel_fd = self._process.fileno()

    @property
    def has_room(self) -> bool:
        """Whether another task may be sent; big ones do not pile up."""
        count = len(self.in_flight)
        return count < 2 or (count < _DEPTH and self._bytes < _DEPTH_BYTES)

    def give(self, task: Task) -> bool:
        """Send a packed task; False when its line is full."""
        parcel = task.parcel
        assert parcel is not None  # noqa: S101 - it was packed
        try:
            self.tasks.send(
                Kind.TASK, task.number, task.job.epoch, parcel.body, parcel.fd, may_wait=False
            )
        except BlockingIOError:
            return False
        except OSError:
            pass  # it has just ended: who buries it finds the task here
        self.in_flight[task.number] = task
        self._sizes[task.number] = parcel.size_bytes
        self._bytes += parcel.size_bytes
        task.discard()  # it is in the line now, or nowhere
        return True

    def answered(self, number: int) -> Task | None:
        """Take a task off the list."""
        self._bytes -= self._sizes.pop(number, 0)
        return self.in_flight.pop(number, None)

    def take_back(self, most: int) -> list[Task]:
        """Take back up to so many tasks that it has not begun, oldest first."""
        tasks: list[Task] = []
        notes = []
        while len(tasks) < most:
            try:
                message = self.inbox.receive(may_wait=False)
            except BlockingIOError:
                break
            if message is None:
                break
            if message.kind != Kind.TASK:
                notes.append(message)
                continue
            task = self.answered(message.number)
            size = os.fstat(message.fd).st_size if message.fd >= 0 else len(message.body)
            parcel = Parcel(message.body, message.fd, size)
            if task is None:
                parcel.close()
                continue
            task.discard()
            task.parcel = parcel
            tasks.append(task)
        for note in notes:
            self.note(note.kind, note.number)
        return tasks

    @property
    def begun(self) -> int:
        """Number of the task it has begun last, 0 before the first."""
        return int.from_bytes(self._board[:], "little")

    def note(self, kind: Kind, number: int) -> None:
        """Send a message that is no task, if that is possible at all."""
        with contextlib.suppress(OSError):
            self.tasks.send(kind, number, may_wait=False)

    def poll(self) -> Outcome | None:
        """Return how the process ended, None while it runs."""
        if self._outcome is None:
            code = self._process.return_code()
            if code is not None:
                self._outcome = Outcome.from_return_code(code)
        return self._outcome

    def kill(self, number: signal.Signals) -> None:
        """Send a signal unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def let_go(self) -> None:
        """Tell the worker that there is no more, so that it leaves after its last task."""
        with contextlib.suppress(OSError):
            self.tasks.end.shutdown(socket.SHUT_WR)

    def drop_publication(self, number: int) -> None:
        """Tell the worker to let go of a publication. Takes no lock, so fits any place."""
        self.note(Kind.DROP, number)

    def died(self, doing: str, item: int | None = None) -> WorkerDiedError:
        """Return the error for an end that nobody asked for. The process has ended."""
        self.stderr.relay()
        outcome = self.poll() or Outcome()
        tail, story = self.stderr.tail(), self.stderr.story()
        hint = ""
        if outcome.signal_name == "SIGKILL":
            hint = " (the system does that when memory runs out)"
        return WorkerDiedError(
            f"{self.role} (process {self.pid}) {outcome.sentence()}{hint} {doing}"
            + (f"; it said: {story}" if story else ""),
            role=self.role,
            pid=self.pid,
            signal=outcome.signal_name,
            exit_code=outcome.exit_code,
            item=item,
            stderr_tail=tail,
        )

    def close(self) -> None:
        """Release everything here; the process has ended. Safe to call twice."""
        _alive.workers.discard(self)
        self.stderr.relay()
        self._close_lines()
        self._process.close()

    def disown(self, keep: int = -1) -> None:
        """In a fork: close what belongs to the parent, but for one descriptor."""
        for line in (self.tasks, self.inbox, self.results):
            fd = line.end.detach()  # so that it is not closed again when the object goes
            if fd >= 0 and fd != keep:
                os.close(fd)
        self.stderr.close()

    def _start(self, method: str, plan: Plan) -> ProcessHandle:
        if method == "spawn":
            return InterpreterProcess(start_new_interpreter(plan, self.stderr.theirs))
        context = multiprocessing.get_context(method)
        disown = partial(_disown_all, self, plan.tasks_fd) if method == "fork" else None
        started = start_by_context(context, plan, self.stderr.theirs, disown)
        return ContextProcess(started, is_forked=method == "fork")

    def _close_lines(self) -> None:
        for line in (self.tasks, self.inbox, self.results, self.stderr):
            line.close()


def _disown_all(mine: Worker, keep: int) -> None:
    for worker in list(_alive.workers):
        worker.disown()
    mine.disown(keep)
