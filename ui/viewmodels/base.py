"""What all view models share: they keep the newest state, ask, and tell one listener."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import EngineError
from engine.protocol import Answer, AnyCommand, Snapshot
from ui.bridge.protocols import EngineControl

__all__ = ("ViewModel",)


@dataclass
class _Wanted:
    value: object
    is_answered: bool = False


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
        self._wanted: dict[str, _Wanted] = {}
        self.snapshot = Snapshot()
        self.message = ""
        self.changed: Callable[[], None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a command of this panel has not been answered yet."""
        return self._waiting > 0

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state; what was asked for and answered counts no longer."""
        if snapshot is self.snapshot:
            return
        self._wanted = {k: w for k, w in self._wanted.items() if not w.is_answered}
        self.snapshot = snapshot
        self.tell()

    def tell(self) -> None:
        """Let the panel show what is new."""
        if self.changed is not None:
            self.changed()

    def ask(self, command: AnyCommand, then: Callable[[Answer], None] | None = None) -> None:
        """Send a command; `then` gets its answer, a failure becomes `message`."""
        self._send(command, then, None)

    def want(self, key: str, value: object, command: AnyCommand) -> None:
        """Send a command and show `value` under `key` until the engine has carried it out."""
        wanted = self._wanted[key] = _Wanted(value)
        self._send(command, None, (key, wanted))

    def wanted(self, key: str) -> object:
        """Return what was asked for under `key` and is not carried out yet, else None."""
        found = self._wanted.get(key)
        return None if found is None else found.value

    def forget_wanted(self) -> None:
        """Show what the engine says, whatever was asked for."""
        self._wanted.clear()

    def _send(
        self,
        command: AnyCommand,
        then: Callable[[Answer], None] | None,
        wanted: tuple[str, _Wanted] | None,
    ) -> None:
        self.message = ""
        self._waiting += 1

        def on_reply(answer: Answer | None, error: EngineError | None) -> None:
            self._waiting -= 1
            if error is not None:
                self.message = error.message
                if wanted is not None and self._wanted.get(wanted[0]) is wanted[1]:
                    del self._wanted[wanted[0]]
            else:
                if wanted is not None:
                    wanted[1].is_answered = True
                if then is not None:
                    then(answer or Answer())
            self.tell()

        self._control.ask(command, on_reply)
        self.tell()
