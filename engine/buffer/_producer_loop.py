"""A producer's process: takes messages, lets the user's producer make the data, passes them on."""

import os
import pickle
import time
from collections.abc import Callable
from typing import Any

from engine.buffer._casting import store
from engine.buffer._layout import NOTE_BYTES, Word, WorkerWord
from engine.buffer._tokens import TOKEN_BYTES
from engine.buffer._worker import Link
from engine.buffer.producer import Producer
from engine.errors import InvalidArgumentError

__all__ = ("ProducerLoop",)

_BATCH = 16
_QUICK_NS = 30_000
_SLOW_NS = 100_000


class ProducerLoop:
    """Take one message at a time; several when making the data takes less than a wake-up does."""

    def __init__(self, link: Link, producer: Producer) -> None:
        layout, memory = link.plan.layout, link.slab.memory
        slots = range(layout.count)
        self._link = link
        self._producer = producer
        self._casting = link.plan.casting
        self._places = [layout.arrays(memory, slot) for slot in slots]
        self._notes = [layout.note(memory, slot) for slot in slots]
        self._note_words = [layout.note_word(slot) for slot in slots]
        producers = layout.workers - 1
        self._most = max(1, min(_BATCH, layout.count // (4 * producers)))

    def build(self) -> None:
        """Call the user's build()."""
        self._producer.build()

    def run(self) -> None:
        """Work until the commander has left and everything is made, or the consumer goes."""
        link = self._link
        words, reads = link.words, link.plan.reads
        made, busy = link.word(WorkerWord.MADE), link.word(WorkerWord.BUSY_NS)
        waiting = link.word(WorkerWord.WAITING_NS)
        link.doing = "create_data"
        make = self._make_in_place if self._writes_in_place() else self._make
        batch = 1
        end = time.monotonic_ns()
        while tokens := os.read(reads, TOKEN_BYTES * batch):
            begin = time.monotonic_ns()
            words[waiting] += begin - end
            count = len(tokens) // TOKEN_BYTES
            if not self._work(memoryview(tokens).cast("Q"), make):
                return
            end = time.monotonic_ns()
            each = (end - begin) // count
            words[made] += count
            words[busy] += end - begin
            if each > _SLOW_NS:
                batch = 1
            elif each < _QUICK_NS:
                batch = min(self._most, 2 * batch)

    def _work(self, tokens: memoryview, make: Callable[[Any, int], None]) -> bool:
        """Make the data of some messages; False when the consumer wants no more.

        Each is passed on at once: the next may take long.
        """
        link = self._link
        words, frame_word, writes = link.words, link.word(WorkerWord.FRAME), link.plan.writes
        note_words, notes, read_long = self._note_words, self._notes, link.slab.read_note
        for index, value in enumerate(tokens):
            words[frame_word] = value >> 16
            slot = value & 0xFFFF
            size = words[note_words[slot]]
            note = notes[slot][:size] if size <= NOTE_BYTES else read_long(slot, size)
            make(pickle.loads(note), slot)  # noqa: S301 - written by the commander
            if words[Word.STOPPING]:
                return False
            link.send(writes, tokens[index : index + 1])
        words[frame_word] = 0
        return True

    def _make(self, message: Any, slot: int) -> None:  # noqa: ANN401 - the user's
        store(self._producer.create_data(message=message), self._places[slot], self._casting)

    def _make_in_place(self, message: Any, slot: int) -> None:  # noqa: ANN401 - the user's
        self._link.doing = "create_data_into"
        if self._producer.create_data_into(message, self._places[slot]) is not None:  # type: ignore[func-returns-value]
            raise InvalidArgumentError(
                "create_data_into returned something; write the data into the arrays of 'out' "
                "and return nothing"
            )

    def _writes_in_place(self) -> bool:
        method = getattr(type(self._producer), "create_data_into", None)
        return method is not None and method is not Producer.create_data_into
