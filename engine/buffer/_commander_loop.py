"""The commander's process: asks the user's commander for messages and gives them out."""

import os
import pickle
from typing import Any

from engine.buffer._free_slots import FreeSlots
from engine.buffer._layout import NOTE_BYTES, Word, WorkerWord
from engine.buffer._tokens import Kind, packed, token
from engine.buffer._worker import Link
from engine.buffer.commander import Commander

__all__ = ("CommanderLoop",)

_READ_BYTES = 4096


class CommanderLoop:
    """Pack a message into every free buffer and send the buffer to the producers."""

    def __init__(self, link: Link, commander: Commander) -> None:
        plan = link.plan
        self._link = link
        self._commander = commander
        self._free = FreeSlots(plan.layout.count)
        self._notes = [
            plan.layout.note(link.slab.memory, slot) for slot in range(plan.layout.count)
        ]

    def build(self) -> None:
        """Call the user's build()."""
        self._commander.build()

    def run(self) -> None:
        """Work until the user's commander ends the run or the consumer goes."""
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
        link.words[Word.COMMANDED] = sequence
        link.send(link.plan.writes, packed(value))  # at once: the next message may take long

    def _collect(self) -> bool:
        """Wait for buffers to come back; False when the consumer wants no more or is gone."""
        data = os.read(self._link.plan.reads, _READ_BYTES)
        if not data or self._link.is_stopping:
            return False
        for value in memoryview(data).cast("Q"):
            if value >> 60 == Kind.STOP:
                return False
            self._free.give_back(value)
        return True
