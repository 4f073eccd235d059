"""The strip below the header that says something stopped the work, with the way out of it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from ui.shell.buttons import IconLabel, TextButton
from ui.shell.layouts import label, row
from ui.shell.theme import Theme, set_role
from ui.shell.tokens import SPACE_M, SPACE_S

__all__ = ("EngineBanner",)


class EngineBanner(QFrame):
    """Says that the engine ended and offers to start it again."""

    restart_asked = Signal()

    def __init__(self, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("engine_banner")
        set_role(self, "banner")
        self._text = label(name="engine_banner_text")
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._restart = TextButton(
            theme, self.tr("Restart engine"), icon_name="rotate-ccw", role="primary"
        )
        self._restart.setObjectName("restart_engine")
        self._restart.clicked.connect(self.restart_asked)
        line = row(IconLabel(theme, "circle-x", "error", size_px=20), self._text, self._restart)
        line.setStretch(1, 1)
        line.setSpacing(SPACE_M)
        line.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        self.setLayout(line)
        self.hide()

    def say(self, outcome: str, *, can_restart: bool) -> None:
        """Show how the engine ended; with the button when it can be started from here."""
        sentence = outcome.rstrip(".")
        sentence = f"{sentence[:1].upper()}{sentence[1:]}."
        rest = self.tr("Pictures and figures are the last ones; the project is kept.")
        self._text.setText(f"{sentence} {rest}")
        self._text.setToolTip(self._text.text())
        self._restart.setVisible(can_restart)
        self._restart.setEnabled(True)
        self.show()

    def begin_restart(self) -> None:
        """Show that the engine is being started."""
        self._restart.setEnabled(False)
