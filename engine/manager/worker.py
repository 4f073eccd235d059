"""The process that executes programs on one device for all clients of the manager.

Started by the manager: ``python -m engine.manager.worker FD PARENT``.
"""

import contextlib
import faulthandler
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence

import msgspec

from engine.errors import BrokenError, EngineError, InvalidArgumentError, to_wire
from engine.manager.attachment import Attachment, Frame, Link
from engine.manager.figures import BusyTimes, figures_of
from engine.manager.line import Line, close_fds
from engine.manager.messages import (
    Attach,
    Attached,
    AttachRefused,
    Begin,
    Detached,
    Figures,
    Message,
    Report,
)
from engine.manager.programs import Programs
from engine.manager.scheduler import Scheduler
from engine.manager.sharing import Order
from engine.process import EagerWait, PeerGoneError, WakePipe, leave_with_parent, wait_readable
from engine.telemetry import now_ns

__all__ = ("DeviceServer", "main")

log = logging.getLogger(__name__)

_EXIT_USAGE = 2
_JOIN_S = 2.0
_BRIEF_NS = 200_000


class DeviceServer:
    """Executes frames of all clients on one device, in the scheduler's order.

    Its lanes take turns in waiting for news: whoever receives a frame that may begin lets the
    next one wait and executes it, so that no frame is handed from thread to thread. While all
    are busy nobody waits; who is done takes in what has come before it takes the next frame.
    One lock guards the scheduler and who is attached; it is never held while executing, loading
    or sending.
    """

    def __init__(self, line: Line, begin: Begin) -> None:
        self._line = line
        self._begin = begin
        self._programs = Programs(begin)
        self._scheduler = Scheduler(self._programs.lanes)
        # One frame on its way to the device and one on its way back, beside those on the lanes.
        self._links_each = self._scheduler.lanes + 2
        self._busy = BusyTimes()
        self._attachments: dict[int, Attachment] = {}
        self._links: dict[int, Link] = {}
        self._lock = threading.Lock()
        self._news = threading.Lock()  # held by the thread that waits for news
        self._sending = threading.Lock()
        self._is_ending = False
        self._wake = WakePipe()
        self._end = WakePipe()
        self._wait = EagerWait()
        self._poll = select.epoll()
        self._poll.register(self._wake.fileno(), select.EPOLLIN)

    def end(self) -> None:
        """End after the frames that are being executed. Safe in a signal handler."""
        self._is_ending = True
        self._wake.wake()
        self._end.wake()

    def serve(self) -> None:
        """Serve until `end`, or until the manager is gone; then free everything."""
        # They are daemons: a program that hangs in native code must not keep the process.
        threads = [
            threading.Thread(target=self._serve, name=f"lane-{index}", daemon=True)
            for index in range(self._scheduler.lanes)
        ]
        for thread in threads:
            thread.start()
        threading.Thread(target=self._listen, name="manager-line", daemon=True).start()
        wait_readable([self._end.fileno()], None)
        end = time.monotonic() + _JOIN_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        for attachment in list(self._attachments.values()):
            attachment.close_links()
            attachment.free()
        self._programs.close()
        self._wake.close()
        self._end.close()
        self._poll.close()

    def _serve(self) -> None:
        """Execute frames one after the other (a thread's outermost function)."""
        try:
            while (order := self._next()) is not None:
                self._execute(order)
        except Exception:
            log.exception("a lane of device %d failed; the worker ends", self._begin.device)
            os._exit(1)

    def _next(self) -> Order | None:
        """Return the frame to execute next; None at the end."""
        if not self._news.acquire(blocking=False):  # somebody waits for news, or just takes them
            with self._lock:
                order = self._scheduler.start(now_ns())
                has_queued = any(member.queue for member in self._scheduler.members)
            if has_queued and self._scheduler.executing < self._scheduler.lanes:
                self._wake.wake()  # there is more to begin, or another time to wake up at
            if order is not None:
                return order
            self._news.acquire()
        try:
            while (order := self._await_order()) is not None and self._is_brief(order):
                self._execute(order)
            return order
        finally:
            self._news.release()

    def _is_brief(self, order: Order) -> bool:
        """Say whether a frame is alone, and over before another lane would have woken up."""
        frame = order.tag
        is_alone = self._scheduler.executing == 1 and not self._has_queued()
        return is_alone and isinstance(frame, Frame) and frame.usual_ns < _BRIEF_NS

    def _await_order(self) -> Order | None:
        """Take in what has come, then wait for a frame that may begin; one thread at a time."""
        wait_s: float | None = 0.0
        while not self._is_ending:
            for fd, _ in self._news_within(wait_s):
                link = self._links.get(fd)
                if link is not None:
                    self._take_frame(link)
                elif not self._is_ending:
                    self._wake.clear()
            now = now_ns()
            with self._lock:
                order = self._scheduler.start(now)
                wake_ns = None if order is not None else self._scheduler.wake_in_ns(now)
            if order is not None:
                return order
            wait_s = None if wake_ns is None else wake_ns / 1e9
        self._wake.wake()  # the next thread in line ends too
        return None

    def _news_within(self, wait_s: float | None) -> list[tuple[int, int]]:
        if wait_s == 0.0:
            return self._poll.poll(0.0)
        return self._wait.until(
            lambda: self._poll.poll(0.0) or None,
            lambda: self._poll.poll(wait_s),
            may_stay_awake=wait_s is None and self._scheduler.executing == 0,
        )

    def _take_frame(self, link: Link) -> None:
        try:
            run = link.receive()
            if run is None:
                return
            link.is_busy = True
            with self._lock:
                if not link.attachment.is_closed:
                    self._scheduler.offer(link.attachment.client, Frame(link, run), now_ns())
        except EngineError as error:
            log.debug("client %d: %s", link.attachment.client, error)
            self._detach(link.attachment)

    def _execute(self, order: Order) -> None:
        frame = order.tag
        if not isinstance(frame, Frame):
            raise TypeError(f"the scheduler gave {frame!r}")
        attachment = frame.link.attachment
        with self._lock:
            attachment.executing += 1
        begun = now_ns()
        result = attachment.execute(frame.run)
        ended = now_ns()
        frame.link.is_busy = False
        frame.link.reply(result)
        attachment.program.note(frame.run.model, ended - begun)
        with self._lock:
            self._scheduler.finish(order, ended, ended - begun)
            self._busy.add(order.client, ended, ended - begun)
            attachment.executing -= 1
            is_last = attachment.is_closed and not attachment.executing
        if is_last:
            self._free(attachment)

    def _listen(self) -> None:
        """Obey the manager until it is gone (a thread's outermost function)."""
        try:
            while (received := self._line.recv(None)) is not None:
                self._obey(*received)
        except EngineError as error:
            log.info("%s; the worker of device %d ends", error, self._begin.device)
        finally:
            self.end()

    def _obey(self, message: Message, fds: list[int]) -> None:
        if isinstance(message, Attach):  # loading may take long, and others have questions
            threading.Thread(
                target=self._attach, args=(message, fds), name=f"load-{message.client}", daemon=True
            ).start()
            return
        close_fds(fds)
        if isinstance(message, Report):
            with self._lock:
                figures = figures_of(self._begin, self._scheduler, self._busy, self._programs)
            self._send(Figures(figures))

    def _attach(self, message: Attach, fds: list[int]) -> None:
        """Load a program for a client (a thread's outermost function)."""
        try:
            program = self._programs.use(message.program, message.name, fds)
            try:
                attachment = Attachment(message.client, program, self._links_each)
            except BaseException:
                self._programs.give_back(program)
                raise
        except Exception as error:  # a plugin's code as well
            log.info("program %r is refused", message.name, exc_info=error)
            self._send(AttachRefused(message.client, to_wire(error)))
            return
        finally:
            close_fds(fds)
        # A link carries one frame at a time, so that no more can come than there are links.
        settings = msgspec.structs.replace(message.settings, queue_size=self._links_each)
        with self._lock:
            self._attachments[message.client] = attachment
            self._links.update({link.fd: link for link in attachment.links})
            self._scheduler.join(message.client, message.program, settings)
        for link in attachment.links:
            self._poll.register(link.fd, select.EPOLLIN)
        self._send(
            Attached(
                message.client, attachment.requests.name, attachment.replies.name, program.ports
            ),
            [link.client_end.fileno() for link in attachment.links],
        )
        for link in attachment.links:
            link.client_end.close()

    def _detach(self, attachment: Attachment) -> None:
        """Free all that a client held: its place, its links and, when no lane is at it, memory."""
        with self._lock:
            if attachment.is_closed:
                return
            self._scheduler.leave(attachment.client)
            self._busy.forget(attachment.client)
            for link in attachment.links:
                self._links.pop(link.fd, None)
            del self._attachments[attachment.client]
            attachment.close_links()  # closed descriptors leave the poll by themselves
            is_last = not attachment.executing
        if is_last:
            self._free(attachment)

    def _free(self, attachment: Attachment) -> None:
        attachment.free()
        self._programs.give_back(attachment.program)
        self._send(Detached(attachment.client))

    def _send(self, message: Message, fds: Sequence[int] = ()) -> None:
        with self._sending, contextlib.suppress(PeerGoneError):
            self._line.send(message, fds)

    def _has_queued(self) -> bool:
        with self._lock:
            return any(member.queue for member in self._scheduler.members)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one device until the manager says so or is gone; does not return then.

    Parameters
    ----------
    argv : the number of the line's descriptor, and the number of the manager's process.

    Returns
    -------
    int
        The exit code when it was not started by the manager.
    """
    try:
        fd, parent_pid = (int(text) for text in (sys.argv[1:] if argv is None else argv))
        line = Line(socket.socket(fileno=fd))
    except (ValueError, OSError, OverflowError):
        sys.stderr.write(
            "device workers are started by the device manager; "
            "use 'penstock manager start' instead\n"
        )
        return _EXIT_USAGE
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_with_parent(parent_pid)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os._exit(_work(line))  # threads that a plugin left behind cannot hold us up


def _work(line: Line) -> int:
    try:
        received = line.recv(None)
        if received is None or not isinstance(received[0], Begin):
            raise BrokenError("the device manager did not begin as it should")
        server = DeviceServer(line, received[0])
        signal.signal(signal.SIGTERM, lambda *_: server.end())
        server.serve()
    except (PeerGoneError, InvalidArgumentError, BrokenError) as error:
        log.info("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
