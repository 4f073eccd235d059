"""What all view models share: they keep the newest state, ask, and tell one listener."""

from collections.abc import Callable

from engine.errors import EngineError
from engine.protocol import Answer, AnyCommand, Snapshot
from ui.bridge.protocols import EngineControl

__all__ = ("ViewModel",)


class ViewModel:
    """Decides what a panel shows and which commands it sends; knows no Qt.

    Attributes
    ----------
    changed : called after everything that changes what the panel should show.
    message : why the last command failed, as a sentence; empty when it did not.
    """

    def __init__(self, control: EngineControl) -> None:
        self._control = control
        self._waiting = 0
        self.snapshot = Snapshot()
        self.message = ""
        self.changed: Callable[[], None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a command of this panel has not been answered yet."""
        return self._waiting > 0

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        if snapshot is self.snapshot:
            return
        self.snapshot = snapshot
        self.tell()

    def tell(self) -> None:
        """Let the panel show what is new."""
        if self.changed is not None:
            self.changed()

    def ask(self, command: AnyCommand, then: Callable[[Answer], None] | None = None) -> None:
        """Send a command; `then` gets its answer, a failure becomes `message`."""
        self.message = ""
        self._waiting += 1

        def on_reply(answer: Answer | None, error: EngineError | None) -> None:
            self._waiting -= 1
            if error is not None:
                self.message = error.message
            elif then is not None:
                then(answer or Answer())
            self.tell()

        self._control.ask(command, on_reply)
        self.tell()
