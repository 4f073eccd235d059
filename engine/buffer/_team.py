"""All processes of one buffer: started together, watched, and stopped within a second."""

import contextlib
import os
import select
import signal
import threading
from collections.abc import Sequence
from multiprocessing import process

import msgspec

from engine.buffer._forked import run_forked
from engine.buffer._guard import guard, let_go
from engine.buffer._layout import Layout, Word, WorkerWord
from engine.buffer._pipes import Pipes
from engine.buffer._process import WorkerProcess
from engine.buffer._report import Report
from engine.buffer._slab import Slab
from engine.buffer._starting import (
    PickledUser,
    fork_worker,
    pickle_user,
    spawn_worker,
    without_ctrl_c,
)
from engine.buffer._tokens import Kind, packed, token
from engine.buffer._worker import Phase, Plan
from engine.buffer.info import BufferInfo
from engine.buffer.system import BufferSystem
from engine.errors import EngineError, WorkerDiedError, WrongStateError
from engine.process import Deadline, ErrorPipe, ProcessHandle, WakePipe, check_descriptors

__all__ = ("Team",)

_GRACE_S = 0.25
_TERMINATE_S = 0.25
_KILL_S = 2.0


class Team:
    """The commander, the producers, their memory and their pipes.

    `stop` may be called from every thread and from a signal handler.

    Attributes
    ----------
    slab, layout, words, arrays, notes, pipes : for the consumer.
    workers : all processes, the commander first.
    is_used : the consumer is at work; what `stop` leaves open then, `close` closes after it.
    is_stopping : no more data are handed out from here on.
    is_ended : all processes have ended.
    failure : why it was stopped, None when the user did.
    """

    def __init__(
        self, system: BufferSystem, info: BufferInfo, commander: object, producer: object
    ) -> None:
        self.is_stopping = False
        self.failure: EngineError | None = None
        self.workers: list[WorkerProcess] = []
        self.has_seen_end: set[int] = set()
        self._info = info
        self._pid = os.getpid()
        _check_main_guard()
        self.is_used = False
        self.is_ended = False
        self._depth = 0
        self._stop_lock = threading.RLock()
        self.layout = Layout.of(info, system.cpus)
        is_forking = system.context.get_start_method() == "fork"
        users: Sequence[object] = (commander, producer)
        if not is_forking:  # before anything exists that would have to be released
            users = (pickle_user(commander, "commander"), pickle_user(producer, "producer"))
        check_descriptors("the workers of the buffer")
        self.slab = Slab.create(self.layout.size_bytes)
        self.words = self.layout.words(self.slab.memory)
        slots, memory = range(info.count), self.slab.memory
        self.arrays = [self.layout.arrays(memory, slot) for slot in slots]
        self.notes = [self.layout.note(memory, slot) for slot in slots]
        self.wake = WakePipe()
        try:
            self.pipes = Pipes()
        except BaseException:
            self._release()
            raise
        try:
            for worker in range(self.layout.workers):
                self._start(worker, users[min(worker, 1)], system if is_forking else None)
            self.pipes.close_workers_ends()
            self.poll = self._make_poll()
        except BaseException:
            self.stop()
            raise
        guard(self)

    def _start(self, worker: int, user: object, forking: BufferSystem | None) -> None:
        plan = self._plan(worker)
        check_descriptors(plan.role)
        stderr = ErrorPipe()
        try:
            handle: ProcessHandle
            with without_ctrl_c():
                if forking is not None:
                    arguments = (plan, user, stderr.theirs, self._foreign(plan, stderr))
                    handle = fork_worker(forking.context, plan.role, run_forked, arguments)
                else:
                    assert isinstance(user, PickledUser)  # noqa: S101 - made above
                    handle = spawn_worker(plan, user, stderr)
                self.workers.append(WorkerProcess(plan.role, worker, handle, stderr))
        except BaseException:
            stderr.close()
            raise
        stderr.close_theirs()

    def _plan(self, worker: int) -> Plan:
        pipes = self.pipes
        return Plan(
            role=f"producer {worker}" if worker else "commander",
            worker=worker,
            parent_pid=self._pid,
            layout=self.layout,
            casting=self._info.casting,
            slab_fd=self.slab.fd,
            reads=pipes.work_reads if worker else pipes.free_reads,
            writes=pipes.done_writes if worker else pipes.work_writes,
            tells=pipes.done_writes,
        )

    def _foreign(self, plan: Plan, stderr: ErrorPipe) -> list[int]:
        """Return what a forked worker has to close."""
        ours = [*self.pipes.all, self.wake.fileno(), stderr.fileno(), stderr.theirs]
        for worker in self.workers:
            ours += [worker.sentinel_fd, worker.stderr.fileno()]
        return [fd for fd in ours if fd not in (plan.reads, plan.writes, plan.tells) and fd >= 0]

    def _make_poll(self) -> "select.poll":
        poll = select.poll()
        poll.register(self.pipes.done_reads, select.POLLIN)
        poll.register(self.wake.fileno(), select.POLLIN)
        for worker in self.workers:
            poll.register(worker.sentinel_fd, select.POLLIN)
            poll.register(worker.stderr.fileno(), select.POLLIN)
        return poll

    # -- watching

    def attend(self, timeout_ms: float | None) -> bool:
        """Wait until something happens; show what was printed, note who ended.

        Returns whether a process has ended of which that was not known.
        """
        events = {fd for fd, _ in self.poll.poll(timeout_ms)}
        has_news = False
        for worker in self.workers:
            if (fd := worker.stderr.fileno()) in events and not worker.stderr.relay():
                self.poll.unregister(fd)
                worker.stderr.close()
            if (fd := worker.sentinel_fd) in events and worker.poll() is not None:
                has_news = True
                self.has_seen_end.add(worker.worker)
                self.poll.unregister(fd)
        return has_news

    def report_of(self, worker: int) -> EngineError:
        """Return the error that a worker wrote down before it gave up."""
        place = self.layout.count + worker
        size = int.from_bytes(self.slab.read_note(place, 8), "little")
        packed_report = self.slab.read_note(place, 8 + size)[8:]
        return msgspec.msgpack.decode(packed_report, type=Report).as_error()

    def death_of(self, worker: int) -> WorkerDiedError:
        """Return the error for a worker that ended without a word."""
        words, line = self.words, self.layout.worker_word(worker, 0)
        phase = Phase(words[line + WorkerWord.PHASE])
        frame = words[line + WorkerWord.FRAME] - 1 if phase is Phase.WORKING else -1
        return self.workers[worker].died(phase.words, frame)

    # -- stopping

    def stop(self, failure: EngineError | None = None) -> None:
        """End all processes and release everything. Safe to call twice, and within itself."""
        if os.getpid() != self._pid:
            self.disown()
            return
        self.failure = self.failure or failure
        self.is_stopping = True
        self.wake.wake()
        with self._stop_lock:
            self._depth += 1  # a signal handler may stop what is being stopped
            try:
                self._end_workers()
            finally:
                self._depth -= 1
            if not self._depth:
                self.is_ended = True
                let_go(self)
                if not self.is_used:
                    self.close()

    def disown(self) -> None:
        """Forget everything: this is a forked copy of the process it belongs to."""
        self.is_stopping = True
        for worker in self.workers:
            worker.stderr.close()
            if worker.sentinel_fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(worker.sentinel_fd)
        self.workers = []
        self._release()

    def _end_workers(self) -> None:
        running = [worker for worker in self.workers if worker.poll() is None]
        if running:
            self.words[Word.STOPPING] = 1
            with contextlib.suppress(OSError):  # the commander is gone, or has plenty to read
                os.write(self.pipes.free_writes, packed(token(Kind.STOP, 1, 0)))
            for worker in running:  # who has not begun to work does not look up either
                word = self.layout.worker_word(worker.worker, WorkerWord.PHASE)
                if self.words[word] < Phase.WORKING:
                    worker.send_signal(signal.SIGTERM)
        running = self._wait_for(running, _GRACE_S)
        for number, wait_s in ((signal.SIGTERM, _TERMINATE_S), (signal.SIGKILL, _KILL_S)):
            for worker in running:
                worker.send_signal(number)
            running = self._wait_for(running, wait_s)

    def _wait_for(self, workers: list[WorkerProcess], timeout_s: float) -> list[WorkerProcess]:
        """Wait until the workers have ended; return those that have not in time."""
        deadline = Deadline(timeout_s)
        silent = {worker.worker for worker in workers if worker.stderr.fileno() < 0}
        running = [worker for worker in workers if worker.poll() is None]
        while running:
            poll = select.poll()
            for worker in running:
                poll.register(worker.sentinel_fd, select.POLLIN)
                if worker.worker not in silent:
                    poll.register(worker.stderr.fileno(), select.POLLIN)
            left_s = deadline.left_s() or 0.0
            if not poll.poll(left_s * 1000.0) and not left_s:
                break
            silent |= {worker.worker for worker in running if not worker.stderr.relay()}
            running = [worker for worker in running if worker.poll() is None]
        return running

    def close(self) -> None:
        """Release everything, after `stop`. Safe to call twice."""
        for worker in self.workers:
            if worker.poll() is not None:
                worker.close()
        self._release()

    def _release(self) -> None:
        if hasattr(self, "pipes"):
            self.pipes.close()
        self.wake.close()
        if not self.slab.is_closed:
            self.words = memoryview(bytes(self.words)).cast("Q")  # the figures stay, the rest goes
        self.arrays, self.notes = [], []
        self.slab.close()


def _check_main_guard() -> None:
    if getattr(process.current_process(), "_inheriting", False):
        raise WrongStateError(
            "a worker that imports the main program would start a buffer of its own; put what the "
            "program does under if __name__ == '__main__':"
        )
