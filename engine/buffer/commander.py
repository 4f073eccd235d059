"""The user's class that says which data are made."""

from abc import ABC, abstractmethod
from typing import Any

__all__ = ("Commander",)


class Commander(ABC):
    """Says, message by message, which data the producers make. Lives in a process of its own.

    The process gets its own copy of the object; the caller's stays as it is.
    """

    def build(self) -> None:  # noqa: B027 - most commanders have nothing to build
        """Prepare, once, in the commander's process: for what cannot be pickled."""

    @abstractmethod
    def create_message(self) -> Any:  # noqa: ANN401 - whatever the producer understands
        """Return the next message, normally a dict; anything that can be pickled will do.

        None, or a `StopIteration`, ends the run after the data of all earlier messages. The same
        object may be changed and returned again: a message is packed before the next is asked for.
        """
