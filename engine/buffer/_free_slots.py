"""The commander's side of the buffers: which are free, and which message each other one has."""

__all__ = ("FreeSlots",)


class FreeSlots:
    """Free buffers, the one used last first, because the caches still know it.

    A buffer comes back by the very token under which it was lent. The consumer may send a token
    twice when a signal interrupts it; the second one is not counted.
    """

    def __init__(self, count: int) -> None:
        self._free = list(range(count - 1, -1, -1))
        self._lent: list[int] = [0] * count

    def take(self) -> int | None:
        """Return a free buffer, None when there is none."""
        return self._free.pop() if self._free else None

    def lend(self, slot: int, token: int) -> None:
        """Note under which token a buffer is away."""
        self._lent[slot] = token

    def give_back(self, token: int) -> bool:
        """Take a buffer back; False when it is not away under this token."""
        slot = token & 0xFFFF
        if slot >= len(self._lent) or not token or self._lent[slot] != token:
            return False
        self._lent[slot] = 0
        self._free.append(slot)
        return True
