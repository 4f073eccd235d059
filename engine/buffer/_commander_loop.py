"""The commander's process: asks the user's commander for messages and gives them out."""

import os
import pickle
import time
from typing import Any

from engine.buffer._free_slots import FreeSlots
from engine.buffer._layout import NOTE_BYTES, Word, WorkerWord
from engine.buffer._tokens import TOKEN_BYTES, Kind, packed, token
from engine.buffer._worker import Link
from engine.buffer.commander import Commander

__all__ = ("CommanderLoop",)

_READ_BYTES = 4096
_BATCH = 8
_HURRY_NS = 50_000
"""Tokens are held back for others to join them no longer than this."""


class CommanderLoop:
    """Pack a message into every free buffer and send the buffer to the producers."""

    def __init__(self, link: Link, commander: Commander) -> None:
        plan = link.plan
        self._link = link
        self._commander = commander
        self._free = FreeSlots(plan.layout.count)
        self._batch = max(1, min(_BATCH, plan.layout.count // 8))
        self._notes = [
            plan.layout.note(link.slab.memory, slot) for slot in range(plan.layout.count)
        ]
        self._pending = bytearray()
        self._flushed_ns = 0

    def build(self) -> None:
        """Call the user's build()."""
        self._commander.build()

    def run(self) -> None:
        """Work until the user's commander ends the run or the consumer goes."""
        try:
            self._command()
        finally:  # what was commanded is made, also when the next message fails
            self._flush()

    def _command(self) -> None:
        link, create_message = self._link, self._commander.create_message
        words, frame_word = link.words, link.word(WorkerWord.FRAME)
        link.doing = "create_message"
        sequence = 0
        while True:
            slot = self._free.take()
            if slot is None:
                if not self._collect():
                    return
                continue
            words[frame_word] = sequence + 1
            try:
                message = create_message()
            except StopIteration:
                message = None
            if message is None:
                break
            sequence += 1
            self._give_out(slot, sequence, message)
            if link.is_stopping:
                return
        self._flush()
        link.tell(Kind.END, sequence, 0)

    def _give_out(self, slot: int, sequence: int, message: Any) -> None:  # noqa: ANN401
        link = self._link
        link.doing = "packing its message"
        data = pickle.dumps(message, 5)
        link.doing = "create_message"
        size = len(data)
        if size <= NOTE_BYTES:
            self._notes[slot][:size] = data
        else:
            link.slab.write_note(slot, data)
        link.words[link.plan.layout.note_word(slot)] = size
        value = token(Kind.FRAME, sequence, slot)
        self._free.lend(slot, value)
        self._pending += packed(value)
        link.words[Word.COMMANDED] = sequence
        now = time.monotonic_ns()
        if len(self._pending) >= TOKEN_BYTES * self._batch or now - self._flushed_ns > _HURRY_NS:
            self._flush()
            self._flushed_ns = now

    def _collect(self) -> bool:
        """Wait for buffers to come back; False when the consumer wants no more or is gone."""
        self._flush()
        data = os.read(self._link.plan.reads, _READ_BYTES)
        if not data or self._link.is_stopping:
            return False
        for value in memoryview(data).cast("Q"):
            if value >> 60 == Kind.STOP:
                return False
            self._free.give_back(value)
        return True

    def _flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, bytearray()
            self._link.send(self._link.plan.writes, pending)
