"""The order of a buffer's data, and its free buffers, under every order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.buffer._free_slots import FreeSlots
from engine.buffer._inbox import Inbox
from engine.buffer._tokens import Kind, packed, sequence_of, slot_of, token


class BufferMachine(RuleBasedStateMachine):
    """One commander, any number of producers of any speed, one consumer; pipes are lists."""

    @initialize(count=st.integers(1, 6), is_ordered=st.booleans())
    def begin(self, count: int, is_ordered: bool) -> None:
        self.count, self.is_ordered = count, is_ordered
        self.free = FreeSlots(count)
        self.inbox = Inbox(is_ordered=is_ordered)
        self.commanded = 0
        self.to_make: list[int] = []
        self.made: list[int] = []  # in the pipe to the consumer
        self.completed: list[int] = []  # all ever made, in the order of completion
        self.delivered: list[int] = []
        self.holding: list[int] = []  # what the consumer has and has not given back
        self.returned: list[int] = []  # in the pipe to the commander, and sent before
        self.in_use: dict[int, int] = {}
        self.end: int | None = None

    @precondition(lambda self: self.end is None)
    @rule()
    def command(self) -> None:
        slot = self.free.take()
        if slot is None:
            assert len(self.in_use) == self.count
            return
        assert slot not in self.in_use  # never under anybody's hands
        self.commanded += 1
        value = token(Kind.FRAME, self.commanded, slot)
        self.in_use[slot] = value
        self.free.lend(slot, value)
        self.to_make.append(value)

    @precondition(lambda self: self.to_make)
    @rule(data=st.data())
    def make(self, data: st.DataObject) -> None:
        value = self.to_make.pop(data.draw(st.integers(0, len(self.to_make) - 1)))
        self.made.append(value)
        self.completed.append(sequence_of(value))

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.made)))
        self.inbox.sort()
        self.inbox.rewind()
        tokens, self.made = self.made[:count], self.made[count:]
        self.inbox.raw[: 8 * count] = b"".join(packed(value) for value in tokens)
        self.inbox.sort()
        assert self.inbox.is_read

    @precondition(lambda self: self.inbox.peek())
    @rule(is_interrupted=st.booleans())
    def deliver(self, is_interrupted: bool) -> None:
        value = self.inbox.peek()
        if is_interrupted:  # while the data were copied
            assert self.inbox.peek() == value
            return
        self.inbox.deliver("data")
        assert (self.inbox.result, self.inbox.held) == ("data", value)
        self.inbox.result, self.inbox.held = None, 0
        self.delivered.append(sequence_of(value))
        self.holding.append(value)

    @precondition(lambda self: self.holding)
    @rule(times=st.integers(1, 3))
    def give_back(self, times: int) -> None:
        value = self.holding.pop(0)
        taken = [self.free.give_back(value) for _ in range(times)]
        assert taken == [True] + [False] * (times - 1)
        del self.in_use[slot_of(value)]
        self.returned.append(value)

    @precondition(lambda self: self.returned)
    @rule(data=st.data())
    def give_back_what_was_given_back_long_ago(self, data: st.DataObject) -> None:
        assert not self.free.give_back(data.draw(st.sampled_from(self.returned)))

    @precondition(lambda self: self.end is None)
    @rule()
    def finish(self) -> None:
        self.end = self.commanded
        self.made.append(token(Kind.END, self.commanded, 0))

    @rule()
    def nothing_happens(self) -> None:
        self.inbox.sort()

    @invariant()
    def data_come_in_the_promised_order(self) -> None:
        if not hasattr(self, "inbox"):
            return
        n = len(self.delivered)
        expected = range(1, n + 1) if self.is_ordered else self.completed[:n]
        assert self.delivered == list(expected)
        assert self.inbox.delivered == n

    @invariant()
    def the_end_comes_after_everything(self) -> None:
        if hasattr(self, "inbox") and self.inbox.is_over:
            assert self.end == len(self.delivered) == self.commanded


BufferMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBufferOrder = BufferMachine.TestCase
