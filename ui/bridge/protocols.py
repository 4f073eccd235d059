"""What the window needs from the engine, so that panels can be tried with a hand-written fake."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from engine.errors import EngineError
from engine.protocol import Answer, AnyCommand, LogEntry, PreviewPlace, Snapshot, Telemetry

if TYPE_CHECKING:
    from engine.client import Preview

__all__ = ("EngineConnection", "EngineControl", "OnReply", "PreviewReading", "PreviewSource")

OnReply = Callable[[Answer | None, EngineError | None], None]
"""Gets the answer, or the error that says why there is none; runs on the GUI thread."""


class EngineControl(Protocol):
    """Takes commands; the reply comes later, from the bridge's next tick."""

    def ask(self, command: AnyCommand, on_reply: OnReply | None = None) -> None:
        """Send a command without waiting for its reply."""


class EngineConnection(Protocol):
    """The part of `engine.client.EngineClient` that the bridge works with."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest state."""

    @property
    def telemetry(self) -> Telemetry | None:
        """The newest figures, None before the first."""

    @property
    def engine_outcome(self) -> str | None:
        """How the engine ended, as a sentence; None while it lives."""

    def send(self, command: AnyCommand, on_reply: OnReply) -> None:
        """Send a command without waiting."""

    def pump(self) -> object:
        """Handle everything that arrived, without blocking."""

    def drain_log(self) -> list[LogEntry]:
        """Return the log entries that arrived since the last call."""

    def close(self) -> None:
        """Let go of the engine. Safe to call twice."""


class PreviewReading(Protocol):
    """Reads the newest picture of one stream."""

    def read(self) -> "Preview | None":
        """Return the newest picture that was not read yet."""

    def close(self) -> None:
        """Let go of the memory. Safe to call twice."""


class PreviewSource(Protocol):
    """Hands out the newest picture of any stream."""

    def read(self, stream: str) -> "Preview | None":
        """Return the stream's newest picture that was not read yet."""


OpenReader = Callable[[PreviewPlace], PreviewReading]
