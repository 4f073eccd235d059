"""Which waiting frame is processed next, and which are dropped: one place per stream, no I/O."""

from collections import deque
from typing import Generic, Protocol, TypeVar

from engine.config import Policy

__all__ = ("IntakeQueue", "Numbered")


class Numbered(Protocol):
    """A frame that carries the number its source gave it."""

    @property
    def frame_id(self) -> int:
        """Number of the frame, counting from 0."""


FrameT = TypeVar("FrameT", bound=Numbered)


class IntakeQueue(Generic[FrameT]):
    """Frames that a source delivered and the pipeline has not taken yet.

    Parameters
    ----------
    policy : what happens when frames arrive faster than they are taken.
    limit : frames that may wait under the policy "every".
    """

    def __init__(self, policy: Policy, limit: int) -> None:
        self._policy = policy
        self._limit = limit
        self._waiting: deque[FrameT] = deque()
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def arrived(self, frame: FrameT) -> tuple[int, list[tuple[FrameT, str]]]:
        """Queue a frame.

        Returns
        -------
        how many frames the source had to skip before this one, and the frames that are dropped now,
        each with its reason.
        """
        skipped = self.skipped_before(frame.frame_id)
        self._next_id = frame.frame_id + 1
        dropped: list[tuple[FrameT, str]] = []
        if self._policy is Policy.LATEST:
            dropped = [(old, "superseded") for old in self._waiting]
            self._waiting.clear()
        elif self._policy is Policy.EVERY and len(self._waiting) >= self._limit:
            return skipped, [(frame, "queue_full")]
        self._waiting.append(frame)
        return skipped, dropped

    def skipped_before(self, frame_id: int) -> int:
        """Return how many frames the source skipped since the last one, if `frame_id` were next."""
        return max(0, frame_id - self._next_id)

    def take(self) -> FrameT:
        """Return the frame to process next; there must be one."""
        return self._waiting.popleft()

    def clear(self) -> list[FrameT]:
        """Forget and return all waiting frames."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
