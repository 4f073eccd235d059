"""What commander and producers have in common: how they start, report and leave."""

import faulthandler
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import msgspec

from engine.buffer._layout import Layout, Word, WorkerWord
from engine.buffer._report import report_of
from engine.buffer._slab import Slab
from engine.buffer._tokens import Kind, packed, token
from engine.buffer.info import Casting
from engine.process import leave_with_parent

__all__ = ("Link", "Loop", "PartnerGoneError", "Phase", "Plan", "run_worker")

_LEAVE_S = 1.0
_GAVE_UP = 1


class PartnerGoneError(Exception):
    """The process that reads our tokens has ended."""


class Phase(IntEnum):
    """How far a worker is; it stands in shared memory."""

    STARTING = 0
    BUILDING = 1
    WORKING = 2
    LEAVING = 3

    @property
    def words(self) -> str:
        """The phase as the end of a sentence."""
        return ("while it started", "in build()", "while it worked", "while it left")[self]


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs to know; plain values, so that it can go to a new interpreter.

    Attributes
    ----------
    role : as messages call it.
    worker : its number; 0 is the commander.
    reads, writes, tells : descriptors of the pipe it takes tokens from, of the one it passes them
        on to, and of the consumer's. The last two are the same for a producer.
    """

    role: str
    worker: int
    parent_pid: int
    layout: Layout
    casting: Casting
    slab_fd: int
    reads: int
    writes: int
    tells: int


class Link:
    """A worker's side of the shared memory and the pipes."""

    def __init__(self, plan: Plan, slab: Slab) -> None:
        self.plan = plan
        self.slab = slab
        self.words = plan.layout.words(slab.memory)
        self._line = plan.layout.worker_word(plan.worker, 0)
        self.doing = "its start"

    def enter(self, phase: Phase, doing: str) -> None:
        """Say how far this worker is."""
        self.words[self._line + WorkerWord.PHASE] = phase
        self.doing = doing

    def word(self, word: int) -> int:
        """Return the index of one of this worker's numbers."""
        return self._line + word

    @property
    def frame(self) -> int:
        """Number of the message under way, from 0; -1 when there is none."""
        return int(self.words[self._line + WorkerWord.FRAME]) - 1

    @property
    def is_stopping(self) -> bool:
        """Whether the consumer wants everybody to leave."""
        return bool(self.words[Word.STOPPING])

    def tell(self, kind: int, sequence: int, slot: int) -> None:
        """Send one token to the consumer."""
        self.send(self.plan.tells, packed(token(kind, sequence, slot)))

    def send(self, fd: int, tokens: bytes | bytearray | memoryview) -> None:
        """Write tokens into a pipe; raises `PartnerGoneError` when nobody can read them."""
        try:
            os.write(fd, tokens)
        except BrokenPipeError as error:
            raise PartnerGoneError("nobody is at the other end of the pipe") from error

    def report(self, error: BaseException) -> None:
        """Write down why this worker gives up, and tell the consumer."""
        report = report_of(error, self.plan.role, self.doing, self.frame)
        place = self.plan.layout.count + self.plan.worker
        packed = msgspec.msgpack.encode(report)
        self.slab.write_note(place, len(packed).to_bytes(8, "little") + packed)
        if self.plan.worker:  # the failure takes the place of the message's data
            self.tell(Kind.FAILED, self.frame + 1, self.plan.worker)
        else:  # it comes after the data of all messages
            self.tell(Kind.END, int(self.words[Word.COMMANDED]), 1)


class Loop(Protocol):
    """What a worker does after its start."""

    def build(self) -> None:
        """Call the user's build()."""
        ...

    def run(self) -> None:
        """Work until there is no more, or the others are gone."""
        ...


def run_worker(link: Link, make_loop: Callable[[Link, Any], Loop], user: Callable[[], Any]) -> int:
    """Do a worker's whole life in its own process, and return the exit code.

    Parameters
    ----------
    user : gives the user's object; may raise, for example when it cannot be unpickled.
    """
    _settle(link.plan.parent_pid)
    try:
        loop = make_loop(link, user())
        link.enter(Phase.BUILDING, "build()")
        loop.build()
        link.enter(Phase.WORKING, "its work")
        loop.run()
        link.enter(Phase.LEAVING, "its end")
        link.tell(Kind.LEFT, 1, link.plan.worker)
    except PartnerGoneError:  # that process's end is the story, not ours
        with suppress(PartnerGoneError):
            link.tell(Kind.LEFT, 1, link.plan.worker)
        return _GAVE_UP
    except BaseException as error:  # noqa: BLE001 - the outermost function of a process
        with suppress(PartnerGoneError, OSError):
            link.report(error)
        return _GAVE_UP
    return 0


def _settle(parent_pid: int) -> None:
    """Let Ctrl-C be the parent's affair, crashes leave their story, and the parent's end be ours.

    The parent holds SIGINT back while it starts us, so that none comes before this.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, _ignore)  # not SIG_IGN, which programs started by us would keep
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with suppress(OSError, ValueError):
        faulthandler.enable(file=2)
    leave_with_parent(parent_pid, grace_s=_LEAVE_S)


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing."""
