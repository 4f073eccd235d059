"""Says until when the contexts of a queue set may be used."""

from engine.handle.errors import ProcessingContextNoLongerValidError

__all__ = ("Epoch",)


class Epoch:
    """The time between two changes of a queue set's threads; contexts belong to one.

    Attributes
    ----------
    ended_by : what ended it, part of a sentence; empty while it lasts.
    """

    __slots__ = ("ended_by",)

    def __init__(self) -> None:
        self.ended_by = ""

    def end(self, reason: str) -> None:
        """End it; only the first reason counts."""
        self.ended_by = self.ended_by or reason

    def check(self) -> None:
        """Raise `ProcessingContextNoLongerValidError` after the end."""
        if self.ended_by:
            raise ProcessingContextNoLongerValidError(
                f"this processing context is no longer valid because {self.ended_by}; "
                "make a new context"
            )
