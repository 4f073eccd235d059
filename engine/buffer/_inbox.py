"""The consumer's side of the pipe: what has arrived, and what is next. Nothing here waits."""

from engine.buffer._tokens import TOKEN_BYTES, Kind, kind_of, sequence_of, slot_of

__all__ = ("Inbox",)

_LENGTH = 512


class Inbox:
    """Puts the tokens of all workers into the order in which data are delivered.

    Every method may be ended by an exception at any point (a signal handler that raises) and then
    be called again: a token is either still in `words` or counted, never neither, never both. That
    rests on plain assignments in a row, which a signal handler cannot come between; a call or a
    jump backward, after which it can, stands only where nothing is half done.

    Attributes
    ----------
    raw : where arriving tokens are read to. To be filled from its beginning while `is_read`.
    result : what was delivered last and not yet handed out, None when there is none.
    held : token of the buffer delivered last, until somebody gives it back and sets this to 0.
    ended_after : number of messages after which nothing comes, None while that is open.
    ends_badly : whether that end is the commander's failure.
    broken : a worker that gave up before it had a message, None when there is none.
    has_reported : bits of the workers that have given up and said why.
    has_left : the workers that have said goodbye.
    """

    def __init__(self, *, is_ordered: bool) -> None:
        self._is_ordered = is_ordered
        self._storage = bytearray((_LENGTH + 1) * TOKEN_BYTES)  # the last one is always 0
        self._words = memoryview(self._storage).cast("Q")
        self._position = 0
        self._waiting: dict[int, int] = {}
        self._next = 1
        self._arrivals = 0
        self.raw = memoryview(self._storage)[: _LENGTH * TOKEN_BYTES]
        self.result: object = None
        self.held = 0
        self.ended_after: int | None = None
        self.ends_badly = False
        self.broken: int | None = None
        self.has_reported = 0
        self.has_left: set[int] = set()

    @property
    def is_read(self) -> bool:
        """Whether everything in `raw` was taken over, so that it can be filled again."""
        return not self._words[self._position]

    @property
    def is_over(self) -> bool:
        """Whether everything that was commanded has been delivered."""
        return self.ended_after is not None and self._next > self.ended_after

    @property
    def ready(self) -> int:
        """How many buffers wait for the consumer, in order or not."""
        return len(self._waiting)

    @property
    def delivered(self) -> int:
        """How many were delivered."""
        return self._next - 1

    def rewind(self) -> None:
        """Begin again at the beginning of `raw`."""
        self._position = 0

    def sort(self) -> None:
        """Take over what was read."""
        words, waiting, is_ordered = self._words, self._waiting, self._is_ordered
        while value := words[self._position]:
            key = value >> 16 & 0xFFFFFFFFFFF
            if value >> 60:
                if value >> 60 == Kind.FAILED:
                    self.has_reported |= 1 << (value & 0xFFFF)
                if value >> 61 or not key:  # about a worker, not a message
                    self._note(value)
                    words[self._position] = 0
                    self._position += 1
                    continue
            if not is_ordered:
                key = self._arrivals + 1
            # From here on assignments only, see the class.
            waiting[key] = value
            self._arrivals += 1
            words[self._position] = 0
            self._position += 1

    def peek(self) -> int:
        """Return the token that is due, 0 when it has not arrived."""
        return self._waiting.get(self._next, 0)

    def deliver(self, result: object) -> None:
        """Count the token that is due as delivered, and keep `result` until it has been handed out.

        Its buffer becomes `held`.
        """
        value = self._waiting[self._next]
        # From here on assignments only, see the class.
        self.result = result
        self.held = value
        del self._waiting[self._next]
        self._next += 1

    def _note(self, value: int) -> None:
        """Keep what a worker says about itself; doing it twice changes nothing."""
        kind = kind_of(value)
        if kind == Kind.END:
            self.ends_badly = bool(slot_of(value))
            self.has_reported |= slot_of(value)  # bit 0 is the commander's
            self.ended_after = sequence_of(value)
        elif kind == Kind.FAILED:
            self.broken = slot_of(value)
        elif kind == Kind.LEFT:
            self.has_left.add(slot_of(value))
