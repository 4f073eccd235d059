"""What a network client's questions to the manager need time for, in a thread per client."""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence

from engine.errors import BrokenError, EngineBugError, EngineError, WrongStateError, to_wire
from engine.manager.address import ManagerAddress
from engine.manager.control import Control
from engine.manager.errors import ManagerLostError
from engine.manager.network.messages import (
    NETWORK_VERSION,
    PIECE_BYTES,
    Answer,
    AskStatus,
    AskWhyLost,
    Bye,
    Greet,
    Leave,
    Left,
    OpenPlace,
    Refused,
    Status,
    Took,
    Upload,
    UploadWanted,
    Welcome,
)
from engine.manager.network.program_store import Arriving, ProgramFile, ProgramStore
from engine.manager.place import LocalPlace

__all__ = ("Errand", "Errands", "Outcome")

Errand = Greet | OpenPlace | Upload | AskWhyLost | AskStatus | Leave
Outcome = Answer | tuple[int, LocalPlace]
"""What to answer; for a place, the question's number and the place, which the loop takes over."""

_MOST_WAITING = 32


class Errands:
    """Asks the manager on behalf of one client of the network, one thing after the other.

    Parameters
    ----------
    peer : what the manager's status calls the client.
    done : called with each outcome, in the thread.
    """

    def __init__(
        self,
        peer: str,
        address: ManagerAddress,
        store: ProgramStore,
        done: Callable[[Outcome], None],
    ) -> None:
        self._peer = peer
        self._address = address
        self._store = store
        self._done = done
        self._questions: queue.SimpleQueue[tuple[Errand, Sequence[memoryview]] | None]
        self._questions = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._control: Control | None = None
        self._arriving: Arriving | None = None
        self._file: ProgramFile | None = None
        # A daemon: the gateway ends in time, whatever the manager is at.
        self._thread = threading.Thread(target=self._work, name=f"errands-{peer}", daemon=True)
        self._thread.start()

    def put(self, question: Errand, parts: Sequence[memoryview]) -> None:
        """Have a question answered.

        Raises
        ------
        BrokenError
            When more come than any client has reason for.
        """
        if self._questions.qsize() >= _MOST_WAITING:
            raise BrokenError(f"more than {_MOST_WAITING} questions wait for an answer")
        if sum(len(part) for part in parts) > PIECE_BYTES:
            raise BrokenError(f"more than {PIECE_BYTES} bytes came with one question")
        self._questions.put((question, parts))

    def close(self) -> None:
        """End; wakes the thread, which frees what the client had. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            control = self._control
        if control is not None:
            control.close()
        self._questions.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait until everything is freed."""
        self._thread.join(timeout_s)

    def _work(self) -> None:
        """Answer questions until the end (a thread's outermost function)."""
        try:
            while (item := self._questions.get()) is not None:
                question, parts = item
                try:
                    outcome: Outcome = self._answer(question, parts)
                except EngineError as error:
                    outcome = Refused(question.number, to_wire(error))
                self._done(outcome)
        finally:
            self._free()
            if not self._is_closed:
                story = "the gateway of the device manager failed; its log says how"
                self._done(Bye(to_wire(EngineBugError(story))))

    def _answer(self, question: Errand, parts: Sequence[memoryview]) -> Outcome:
        if isinstance(question, Greet):
            return self._greet(question)
        control = self._control
        if control is None:
            raise BrokenError("the device manager was asked before it was greeted")
        match question:
            case OpenPlace():
                return self._open(control, question)
            case Upload():
                return self._take(question, parts)
            case AskWhyLost(number=number, worker_pid=pid):
                return Refused(number, to_wire(control.why_lost(pid)))
            case AskStatus(number=number):
                return Status(number, control.status())
            case Leave(number=number):
                control.leave()
                return Left(number)

    def _greet(self, question: Greet) -> Welcome:
        if question.version != NETWORK_VERSION:
            raise WrongStateError(
                f"the device manager on the other machine speaks version {NETWORK_VERSION} and "
                f"this program version {question.version}; install the same version of Penstock "
                "on both"
            )
        control = Control.find(self._address, peer=self._peer)
        if control is None:
            raise ManagerLostError("the device manager behind the network's gateway has ended")
        with self._lock:
            before, self._control = self._control, control
            is_closed = self._is_closed
        if before is not None or is_closed:
            control.close()
            raise BrokenError("the device manager was greeted twice")
        return Welcome(question.number, NETWORK_VERSION, control.pid, control.devices)

    def _open(self, control: Control, question: OpenPlace) -> Outcome:
        file = self._file
        if file is None or file.key != question.program:
            file = self._use(self._store.use(question.program))
        if file is None:
            self._give_up()
            self._arriving = self._store.expect(question.program, question.size_bytes)
            return UploadWanted(question.number)
        place = control.open_file(
            question.device, file.fd, file.key, question.name, question.settings
        )
        return question.number, place

    def _take(self, question: Upload, parts: Sequence[memoryview]) -> Took:
        arriving = self._arriving
        if arriving is None or arriving.key != question.program:
            raise BrokenError("a piece of a program came that was not asked for")
        try:
            arriving.add(question.offset, parts)
        except (BrokenError, OSError) as error:
            self._give_up()
            if isinstance(error, EngineError):
                raise
            raise EngineError(f"there is no room for a program: {error.strerror}") from error
        if arriving.is_complete:
            self._arriving = None
            self._use(self._store.keep(arriving))
        return Took(question.number)

    def _use(self, file: ProgramFile | None) -> ProgramFile | None:
        """Hold a program for this client instead of the one before."""
        if file is not None:
            before, self._file = self._file, file
            if before is not None:
                self._store.give_back(before)
        return file

    def _give_up(self) -> None:
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            self._store.give_up(arriving)

    def _free(self) -> None:
        self._give_up()
        file, self._file = self._file, None
        if file is not None:
            self._store.give_back(file)
        with self._lock:
            control = self._control
        if control is not None:
            with contextlib.suppress(EngineError):
                control.close()
