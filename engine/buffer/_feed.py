"""The consumer's end of a buffer: takes data in order, waits for them, and says why none come."""

import os
import pickle
import time
from typing import Any

import numpy as np

from engine.buffer._copies import Copies
from engine.buffer._inbox import Inbox
from engine.buffer._layout import NOTE_BYTES, Word, WorkerWord
from engine.buffer._team import Team
from engine.buffer._tokens import TOKEN_BYTES
from engine.buffer.state import BufferState
from engine.buffer.statistics import BufferStatistics, ProducerStatistics
from engine.errors import (
    BusyError,
    ClosedError,
    EngineError,
    EngineTimeoutError,
    WrongStateError,
)
from engine.process import Deadline

__all__ = ("Feed",)

Arrays = list[np.ndarray[Any, Any]]

_BATCH = 32
_MOST_TOKENS = 512
"""So many are written to a pipe in one piece."""
_HURRY_NS = 1_000_000
"""Freed buffers are held back for others to join them no longer than this."""
_LOOK_EVERY_NS = 50_000_000
"""While there are always data, deaths and printed lines are looked for so often."""


class Feed:
    """Hands out data, one call at a time.

    A call may be ended by an exception from a signal handler at any point: the next one goes on as
    if nothing had been, and no data are lost or come twice (see `Inbox`).
    """

    def __init__(self, team: Team, *, is_ordered: bool) -> None:
        count = team.layout.count
        self._team = team
        self._inbox = Inbox(is_ordered=is_ordered)
        self._copies = Copies(team.layout.sizes_bytes)
        self._note_words = [team.layout.note_word(slot) for slot in range(count)]
        self._returns = memoryview(bytearray((count + 1) * TOKEN_BYTES)).cast("Q")
        self._returned = 0
        self._batch = max(1, min(_BATCH, count // 4))
        self._flushed_ns = 0
        self._look_at_ns = 0
        self._kept: dict[int, int] = {}
        self._is_over = False
        self._note = b""
        self._waits = 0
        self._waited_ns = 0

    # -- what users ask for

    def take(self, copies: bool, keeps: bool, timeout_s: float | None) -> Arrays:
        """Return the next data.

        Parameters
        ----------
        copies : give private arrays, else views that are valid until the next call.
        keeps : the buffers stay taken until `free`.

        Raises
        ------
        StopIteration : the commander has ended the run and everything was delivered.
        EngineTimeoutError : nothing came within `timeout_s`; the next call may have it.
        """
        team, inbox = self._team, self._inbox
        if team.is_used:
            raise BusyError("another next() of this buffer is under way; use it from one thread")
        team.is_used = True
        try:
            if inbox.result is None:  # else a call was interrupted after its work was done
                self._advance(copies, keeps, timeout_s)
            result: Any = inbox.result
            # From here to the return assignments only, see `Inbox`.
            self._note = result[1]
            inbox.result = None
            return result[0]  # type: ignore[no-any-return]
        finally:
            team.is_used = False
            if team.is_ended:
                team.close()

    @property
    def message(self) -> Any:  # noqa: ANN401 - the user's
        """The message of the newest data, unpickled anew each time."""
        if not self._note:
            raise WrongStateError("there is no message yet; take data with next() first")
        return pickle.loads(self._note)  # noqa: S301 - written by the commander

    def free(self) -> bool:
        """Give the oldest kept buffer back; False when none is kept."""
        if not self._kept:
            return False
        self._give_back(self._kept.pop(next(iter(self._kept))))
        if not self._team.is_stopping:
            self._flush()
        return True

    def statistics(self) -> BufferStatistics:
        """Return the figures of this moment."""
        words, layout, inbox = self._team.words, self._team.layout, self._inbox
        commanded = max(words[Word.COMMANDED], inbox.delivered + inbox.ready)
        available = inbox.ready
        processing = len(self._kept) + bool(inbox.held)
        reserved = min(commanded - inbox.delivered - available, layout.count)
        reserved = min(reserved, layout.count - available - processing)
        producers = []
        for worker in range(1, layout.workers):
            line = layout.worker_word(worker, 0)
            busy, waiting = words[line + WorkerWord.BUSY_NS], words[line + WorkerWord.WAITING_NS]
            made = words[line + WorkerWord.MADE]
            producers.append(ProducerStatistics(made, busy / 1e9, waiting / 1e9))
        buffers = {
            BufferState.FREE: layout.count - reserved - available - processing,
            BufferState.RESERVED: reserved,
            BufferState.AVAILABLE: available,
            BufferState.PROCESSING: processing,
        }
        waited_s = self._waited_ns / 1e9
        return BufferStatistics(
            commanded, inbox.delivered, buffers, self._waits, waited_s, tuple(producers)
        )

    def close(self) -> None:
        """Stop everything."""
        self._team.stop()
        self._copies = Copies(self._team.layout.sizes_bytes)

    # -- the work of one call

    def _advance(self, copies: bool, keeps: bool, timeout_s: float | None) -> None:
        inbox, team = self._inbox, self._team
        if inbox.held:
            self._release_held(keeps)
        if team.is_stopping:
            self._raise_stopped()
        now = time.monotonic_ns()
        if now > self._look_at_ns:
            self._look_at_ns = now + _LOOK_EVERY_NS
            self._look(0)
        value = inbox.peek()
        if not value:
            self._receive()
            value = inbox.peek() or self._wait(timeout_s)
        if value >> 60:
            self._fail(team.report_of(value & 0xFFFF))
        slot = value & 0xFFFF
        size = team.words[self._note_words[slot]]
        is_short = size <= NOTE_BYTES
        note = bytes(team.notes[slot][:size]) if is_short else team.slab.read_note(slot, size)
        arrays = team.arrays[slot]
        result = self._copies.of(arrays) if copies else [array.view() for array in arrays]
        inbox.deliver((result, note))
        if copies or keeps:
            self._release_held(keeps)
        if self._returned >= self._batch or now - self._flushed_ns > _HURRY_NS:
            self._flush()
            self._flushed_ns = now

    def _release_held(self, keeps: bool) -> None:
        """Give back, or keep, the buffer of the newest data. Assignments only, see `Inbox`."""
        inbox = self._inbox
        if keeps:
            self._kept[inbox.held >> 16] = inbox.held
        else:
            self._returns[self._returned] = inbox.held
            self._returned += 1
        inbox.held = 0

    def _give_back(self, value: int) -> None:
        self._returns[self._returned] = value
        self._returned += 1

    def _flush(self) -> None:
        """Tell the commander which buffers are free. Telling it twice does no harm."""
        while count := min(self._returned, _MOST_TOKENS):
            tokens = self._returns[self._returned - count : self._returned]
            try:
                os.write(self._team.pipes.free_writes, tokens)
            except BlockingIOError:
                return  # the commander has plenty to read; next time
            except BrokenPipeError:
                pass  # it has left, and how is looked at elsewhere
            self._returned -= count

    def _receive(self) -> None:
        """Take over what has arrived, without waiting."""
        inbox = self._inbox
        inbox.sort()
        inbox.rewind()
        try:
            while os.readv(self._team.pipes.done_reads, [inbox.raw]):
                inbox.sort()
                inbox.rewind()
        except BlockingIOError:
            return

    def _wait(self, timeout_s: float | None) -> int:
        """Return the token that is due as soon as it is there."""
        begin = time.monotonic_ns()
        deadline = Deadline(timeout_s)
        inbox = self._inbox
        self._waits += 1
        try:
            while True:
                self._check_end()
                self._flush()
                left_s = deadline.left_s()
                has_news = self._look(None if left_s is None else left_s * 1000.0)
                if value := inbox.peek():
                    return value
                if left_s == 0.0 and not has_news:
                    raise self._too_late(timeout_s)
        finally:
            self._waited_ns += time.monotonic_ns() - begin

    def _look(self, timeout_ms: float | None) -> bool:
        """Wait for anything to happen, receive data, and raise when a worker is lost."""
        team, inbox = self._team, self._inbox
        has_news = team.attend(timeout_ms)
        if team.is_stopping:
            self._raise_stopped()
        self._receive()
        if inbox.broken is not None:
            self._fail(team.report_of(inbox.broken))
        for worker in sorted(team.has_seen_end):
            if worker not in inbox.has_left and not inbox.has_reported >> worker & 1:
                self._fail(team.death_of(worker))  # without saying goodbye, or why
        return has_news

    def _check_end(self) -> None:
        inbox = self._inbox
        if not inbox.is_over:
            if len(self._kept) >= self._team.layout.count:
                raise WrongStateError(
                    f"all {len(self._kept)} buffers are kept, so no data can come; "
                    "call free_buffer(), or let the iterator free them (auto_free_buffer=True)"
                )
            return
        if inbox.ends_badly:
            self._fail(self._team.report_of(0))
        self._is_over = True
        self._team.stop()
        raise StopIteration

    # -- why there are no data

    def _fail(self, error: EngineError) -> None:
        self._team.stop(error)
        raise error

    def _raise_stopped(self) -> None:
        if self._team.failure is not None:
            raise self._team.failure.with_traceback(None)
        if self._is_over:
            raise StopIteration
        raise ClosedError("the buffer was stopped; make a new one to get more data")

    def _too_late(self, timeout_s: float | None) -> EngineTimeoutError:
        commanded = self._team.words[Word.COMMANDED]
        due = self._inbox.delivered
        what = f"the data of message {due}" if commanded > due else f"message {due}"
        who = "a producer" if commanded > due else "the commander"
        return EngineTimeoutError(
            f"{what} did not come from {who} within {timeout_s:g} s; call next() again to go on "
            "waiting",
            frame=due,
        )
