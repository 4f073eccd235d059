"""The process through which other machines use a device manager.

It is a client of the manager like any program of this machine, once per client of the network:
what comes in through an encrypted connection goes on through the manager's socket and shared
memory. So the manager knows nothing of networks, and nothing that comes from one can harm it.

Started by the manager: ``python -m engine.manager.network.gateway FD PARENT FOLDER PORT HOST``.
"""

import contextlib
import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler

import msgspec

from engine.errors import BrokenError, EngineError, from_wire, to_wire
from engine.manager.address import ManagerAddress, NetworkAddress
from engine.manager.errors import ManagerKeyError
from engine.manager.line import UNREADABLE, Line, close_fds
from engine.manager.messages import Ending as ManagerEnding
from engine.manager.messages import Listening
from engine.manager.messages import Refused as ManagerRefused
from engine.manager.network.door import Delivery, Door, Letter
from engine.manager.network.errands import Errands, Outcome
from engine.manager.network.keys import ManagerKeys
from engine.manager.network.messages import (
    Answer,
    Bye,
    Ending,
    PlaceClosed,
    Question,
    RunFrame,
)
from engine.manager.network.program_store import ProgramStore
from engine.manager.network.session import FrameUnderWay, Session
from engine.manager.place import LocalPlace
from engine.process import Deadline, PeerGoneError, WakePipe, leave_with_parent

__all__ = ("Gateway", "main")

log = logging.getLogger(__name__)

_TICK_S = 1.0
_GREET_S = 10.0
_JOIN_S = 1.0
_LINGER_S = 0.5
_MOST_LETTERS = 64  # taken at once, before others get a turn
_MOST_MEMORY_BYTES = 6 * 1024 * 1024 * 1024
_EXIT_USAGE = 2

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Question] = msgspec.msgpack.Decoder(Question)


class Gateway:
    """Serves clients of the network until `end`; one thread moves all frames.

    Parameters
    ----------
    address : the manager's own.
    listen : where clients of the network come in.

    Raises
    ------
    ManagerKeyError
        When there is no key for the manager.
    OutputError
        When it cannot listen there.
    """

    def __init__(self, address: ManagerAddress, listen: NetworkAddress, keys: ManagerKeys) -> None:
        self._address = address
        self._keys = keys
        self._door = Door(listen, keys.manager_pair(), keys)
        self._store = ProgramStore()
        self._sessions: dict[str, Session] = {}  # by connection
        self._frames: dict[int, FrameUnderWay] = {}
        self._outcomes: deque[tuple[str, Outcome]] = deque()
        self._lost: list[tuple[Session, Delivery]] = []  # were not told what they should have been
        self._unwanted: set[int] = set()  # connections to end
        self._next_check_s = 0.0
        self._reason = ""
        self._wake = WakePipe()
        self._door.watch(self._wake.fileno())

    def end(self, reason: str) -> None:
        """End soon. Safe in a signal handler."""
        self._reason = self._reason or reason
        self._wake.wake()

    def serve(self, line: Line) -> None:
        """Serve until `end`, or until the manager says so or is gone; then free everything."""
        self._door.watch(line.fileno())
        try:
            while not self._reason:
                has_timer = self._door.has_connections or self._sessions
                readable = self._door.wait(_TICK_S if has_timer else None)
                self._wake.clear()
                self._forget_gone()
                self._door.judge()
                for fd in readable:
                    if fd in self._frames:
                        self._finish(self._frames[fd])
                    elif fd == line.fileno():
                        self._hear_manager(line)
                self._take_letters()
                self._take_outcomes()
                self._check_keys()
        finally:
            self._close()

    # -- what clients want

    def _take_letters(self) -> None:
        for _ in range(_MOST_LETTERS):
            letter = self._door.receive()
            if letter is None:
                return
            session = self._sessions.get(letter.connection) or self._let_in(letter)
            if session is not None:
                try:
                    self._obey(session, letter)
                except BrokenError as error:
                    log.warning("%s does not keep to the rules: %s", session.peer, error)
                    self._dismiss(session, error)

    def _let_in(self, letter: Letter) -> Session | None:
        if not self._door.is_first(letter):
            return None  # of a client that was put out, or has gone
        self._forget_gone()  # a connection that ended may have had the same descriptor
        name = self._keys.allowed().get(letter.key, "")
        peer = f"{name} ({letter.host})"
        connection = letter.connection

        def done(outcome: Outcome) -> None:
            self._outcomes.append((connection, outcome))
            self._wake.wake()

        self._drop_all_on(letter.fd)
        errands = Errands(peer, self._address, self._store, done)
        session = self._sessions[connection] = Session(letter, peer, errands, self._say)
        log.info("%s is connected", peer)
        if name:
            return session
        self._dismiss(session, _not_allowed())
        return None

    def _obey(self, session: Session, letter: Letter) -> None:
        if not letter.parts:
            raise BrokenError("an empty message")
        head, *parts = letter.parts
        try:
            question = _decoder.decode(head)
        except UNREADABLE as error:
            raise BrokenError(f"a message that makes no sense: {error}") from error
        if isinstance(question, RunFrame):
            frame = session.begin(question, parts)
            if frame is not None:
                self._frames[frame.fd] = frame
                self._door.watch(frame.fd)
        elif isinstance(question, PlaceClosed):
            self._forget_frames(session.close_place(question.place))
        else:
            session.errands.put(question, parts)

    def _finish(self, frame: FrameUnderWay) -> None:
        self._forget_frames([frame.fd])
        frame.session.finish(frame)

    def _take_outcomes(self) -> None:
        while self._outcomes:
            connection, outcome = self._outcomes.popleft()
            session = self._sessions.get(connection)
            if isinstance(outcome, tuple):
                self._take_place(session, *outcome)
            elif session is not None and isinstance(outcome, Bye):
                self._dismiss(session, from_wire(outcome.error))
            elif session is not None:
                self._say(session, outcome)

    def _take_place(self, session: Session | None, number: int, place: LocalPlace) -> None:
        if session is None:  # it went while the program was loaded
            place.hang_up()
            place.close()
            return
        try:
            session.add_place(number, place)
        except BrokenError as error:
            self._dismiss(session, error)

    # -- who comes and goes

    def _forget_gone(self) -> None:
        for fd in self._door.ended():
            self._unwanted.discard(fd)
            self._drop_all_on(fd)
        while self._lost:
            session, delivery = self._lost.pop()
            if session.letter.connection in self._sessions:
                log.info("%s cannot be told what it asked for", session.peer)
                if delivery is Delivery.NOT_READ:
                    self._unwanted.add(session.fd)
                self._drop(session)

    def _drop_all_on(self, fd: int) -> None:
        for session in [one for one in self._sessions.values() if one.fd == fd]:
            self._drop(session)

    def _dismiss(self, session: Session, error: EngineError) -> None:
        """Tell a client why it is not served any more; its connection ends with the next check."""
        if self._say(session, Bye(to_wire(error))) and self._door.is_connected(session.fd):
            self._unwanted.add(session.fd)
        self._drop(session)

    def _drop(self, session: Session) -> None:
        log.info("%s is gone", session.peer)
        self._sessions.pop(session.letter.connection, None)
        self._forget_frames(session.close())

    def _forget_frames(self, fds: Sequence[int]) -> None:
        for fd in fds:
            del self._frames[fd]
            self._door.unwatch(fd)

    def _check_keys(self) -> None:
        """End what is not wanted any more, once a second."""
        now = time.monotonic()
        if now < self._next_check_s:
            return
        self._next_check_s = now + _TICK_S
        for fd in self._unwanted:
            self._door.shut(fd)
        allowed = self._keys.allowed() if self._sessions else {}
        for session in [one for one in self._sessions.values() if one.letter.key not in allowed]:
            log.warning("%s is not allowed any more", session.peer)
            self._dismiss(session, _not_allowed())
        for session in list(self._sessions.values()):
            # It went before its first message was read, and nobody heard of its end any more.
            if session.begun_s < now - _GREET_S and not self._door.is_connected(session.fd):
                self._drop(session)
        served = {session.fd for session in self._sessions.values()}
        for fd in self._door.older_than(_GREET_S):
            if fd not in served:
                self._door.shut(fd)

    # -- the rest

    def _hear_manager(self, line: Line) -> None:
        try:
            received = line.recv()
        except EngineError:
            self.end("its process ended unexpectedly")
            return
        if received is not None:
            close_fds(received[1])
            if isinstance(received[0], ManagerEnding):
                self.end(received[0].reason)

    def _say(self, session: Session, answer: Answer, parts: Sequence[memoryview] = ()) -> bool:
        message: list[memoryview | bytes] = [_encoder.encode(answer), *parts]
        delivery = self._door.send(session.letter.client, message)
        if delivery is not Delivery.SENT:
            self._lost.append((session, delivery))
        return delivery is Delivery.SENT

    def _close(self) -> None:
        reason = self._reason or "its gateway failed"
        log.info("ending: %s", reason)
        sessions = list(self._sessions.values())
        for session in sessions:
            self._say(session, Ending(reason))
        for session in sessions:
            self._drop(session)
        deadline = Deadline(_JOIN_S)
        for session in sessions:
            session.errands.join(deadline.left_s() or 0.0)
        self._take_outcomes()
        self._door.close(_LINGER_S)
        self._store.close()
        self._wake.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the manager says so or is gone.

    Parameters
    ----------
    argv : the number of the line's descriptor, that of the manager's process, the manager's folder
        and number, and the host to listen at.
    """
    try:
        fd, parent, folder, port, host = sys.argv[1:] if argv is None else argv
        line = Line(socket.socket(fileno=int(fd)))
        parent_pid, address = int(parent), ManagerAddress(folder, int(port))
    except (ValueError, OSError, OverflowError):
        sys.stderr.write(
            "the gateway is started by the device manager; use 'penstock manager start --listen "
            "ADDRESS' instead\n"
        )
        return _EXIT_USAGE
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_with_parent(parent_pid)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=[RotatingFileHandler(address.gateway_log_path, maxBytes=1 << 20, backupCount=1)],
    )
    _set_limits()
    listen = NetworkAddress(host, address.port)
    try:
        try:
            gateway = Gateway(address, listen, ManagerKeys())
        except EngineError as error:
            line.send(ManagerRefused(to_wire(error)))
            return 1

        def stop(*_: object) -> None:
            is_orphan = os.getppid() != parent_pid
            gateway.end("its process ended unexpectedly" if is_orphan else "by a signal")

        signal.signal(signal.SIGTERM, stop)
        line.send(Listening(str(listen)))
    except PeerGoneError as error:
        log.info("%s", error)
        return 1
    gateway.serve(line)
    return 0


def _set_limits() -> None:
    """Allow many descriptors; and let too much memory end this process before it ends others."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))


def _not_allowed() -> ManagerKeyError:
    return ManagerKeyError(
        "the device manager does not allow the key of this machine any more; have it allowed again "
        "there with 'penstock manager allow NAME client.pub'"
    )


if __name__ == "__main__":
    sys.exit(main())
