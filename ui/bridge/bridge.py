"""Brings what the engine says to the window, thirty times a second, and starts it again."""

import logging
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from engine.errors import EngineError
from engine.protocol import (
    Answer,
    AnyCommand,
    EnginePhase,
    LoadProject,
    SetProject,
    Snapshot,
    StartAll,
    Telemetry,
)
from ui.bridge.protocols import EngineConnection, OnReply

__all__ = ("TICK_MS", "EngineBridge")

log = logging.getLogger(__name__)

TICK_MS = 33

Relaunch = Callable[[], EngineConnection]


class EngineBridge(QObject):
    """Turns a connection into signals; signals carry state and figures, never pictures.

    Parameters
    ----------
    connection : a connected `engine.client.EngineClient`; the bridge closes it.
    relaunch : starts a bare engine and returns the connection to it without waiting for its first
        answer; None where the engine cannot be started from here. It is called on the GUI thread,
        because an engine ends with the thread that started it.
    """

    snapshot_changed = Signal(object)
    telemetry_changed = Signal(object)
    log_arrived = Signal(list)
    engine_died = Signal(str)
    engine_restarted = Signal()
    command_failed = Signal(str, str)
    ticked = Signal()

    def __init__(
        self,
        connection: EngineConnection,
        *,
        relaunch: Relaunch | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._connection = connection
        self._relaunch = relaunch
        self._snapshot: Snapshot | None = None
        self._telemetry: Telemetry | None = None
        self._is_dead = False
        self._is_closed = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)

    @property
    def snapshot(self) -> Snapshot:
        """The newest state that was told; after the engine's end the last one."""
        return self._snapshot or Snapshot()

    @property
    def is_engine_alive(self) -> bool:
        """Whether commands have somebody to go to."""
        return not self._is_dead

    @property
    def can_restart(self) -> bool:
        """Whether `restart` can start the engine again."""
        return self._relaunch is not None

    def start(self) -> None:
        """Begin to tick."""
        self._timer.start()

    def ask(self, command: AnyCommand, on_reply: OnReply | None = None) -> None:
        """Send a command; a failure is also told by `command_failed`."""
        if self._is_dead or self._is_closed:
            error = EngineError("the engine is not running; start it again first")
            self._reply_to(command, on_reply, None, error)
            return

        def reply(answer: Answer | None, error: EngineError | None) -> None:
            self._reply_to(command, on_reply, answer, error)

        self._connection.send(command, reply)

    def restart(self) -> bool:
        """Start the engine again with the project of the last one; False when it cannot."""
        if self._relaunch is None or self._is_closed or not self._is_dead:
            return False
        before = self._snapshot or Snapshot()
        try:
            connection = self._relaunch()
        except (EngineError, OSError) as error:
            log.warning("the engine could not be started: %s", error)
            self.engine_died.emit(self.tr("The engine could not be started: %s") % error)
            return False
        old, self._connection = self._connection, connection
        old.close()
        self._is_dead = False
        self._telemetry = None
        self._snapshot = connection.snapshot
        self.engine_restarted.emit()
        self._resume(before)
        return True

    @Slot()
    def tick(self) -> None:
        """Take over everything that arrived since the last tick."""
        if self._is_closed:
            return
        self._connection.pump()
        self._tell_news()
        self.ticked.emit()

    def close(self) -> None:
        """Stop ticking and let go of the engine. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._timer.stop()
        self._connection.close()

    def _tell_news(self) -> None:
        snapshot = self._connection.snapshot
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self.snapshot_changed.emit(snapshot)
        telemetry = self._connection.telemetry
        if telemetry is not None and telemetry is not self._telemetry:
            self._telemetry = telemetry
            self.telemetry_changed.emit(telemetry)
        entries = self._connection.drain_log()
        if entries:
            self.log_arrived.emit(entries)
        outcome = self._connection.engine_outcome
        if outcome is not None and not self._is_dead:
            self._is_dead = True
            self.engine_died.emit(outcome)

    def _resume(self, before: Snapshot) -> None:
        """Give the new engine the project of the old one, and run it when it ran."""
        path = before.engine.project_path
        if path and not before.engine.is_modified:
            self.ask(LoadProject(path))
        else:
            folder = str(Path(path).parent) if path else ""
            self.ask(SetProject(before.project, folder))
        if before.engine.phase is EnginePhase.RUNNING:
            self.ask(StartAll())

    def _reply_to(
        self,
        command: AnyCommand,
        on_reply: OnReply | None,
        answer: Answer | None,
        error: EngineError | None,
    ) -> None:
        if self._is_closed:
            return
        if error is not None:
            details = "\n".join(f"{name}: {value}" for name, value in error.details.items())
            log.info("%s failed: %s", type(command).__name__, error)
            self.command_failed.emit(error.message, details or f"code: {error.code}")
        if on_reply is not None:
            on_reply(answer, error)
