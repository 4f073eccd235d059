"""Notes in the log when the window is painted and when its streams deliver."""

import logging

from PySide6.QtCore import QEvent, QObject, Slot
from PySide6.QtWidgets import QWidget

from engine.protocol import Telemetry

__all__ = ("Milestones",)

log = logging.getLogger(__name__)


class Milestones(QObject):
    """Watches a window from before it is shown; each milestone is logged once."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._is_moving = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Wait for the first paint, then look no further."""
        if event.type() == QEvent.Type.Paint:
            self._window.removeEventFilter(self)
            log.info("window shown")
        return super().eventFilter(watched, event)

    @Slot(object)
    def on_telemetry(self, telemetry: Telemetry) -> None:
        """Wait until every stream has delivered a result."""
        streams = telemetry.streams
        if not self._is_moving and streams and all(f.frames_out for f in streams):
            self._is_moving = True
            log.info("frames moving")
