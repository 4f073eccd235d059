"""A row of a list: icon, title, a second line, and room for buttons."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QWidget

from ui.shell.buttons import IconLabel
from ui.shell.layouts import column, label, row
from ui.shell.theme import Theme, set_role, set_tone
from ui.shell.tokens import SPACE_S

__all__ = ("ListRow",)


class ListRow(QFrame):
    """Shows a thing of a list; `chosen` tells that it was clicked or entered."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, key: str, *beside: QWidget, is_choosable: bool = True) -> None:
        super().__init__()
        self._key = key
        self._is_choosable = is_choosable
        self.setObjectName(f"row_{key}")
        if is_choosable:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            set_role(self, "row")
        self._icon = IconLabel(theme)
        self._title = label(role="heading", wrap=True)
        self._word = label(role="caption", name="word")
        self._detail = label(role="caption", name="detail", wrap=True)
        lines = column(self._title, self._word, self._detail, spacing=0)
        layout = row(self._icon, lines, *beside, spacing=SPACE_S)
        layout.setStretch(1, 1)
        layout.setAlignment(self._icon, Qt.AlignmentFlag.AlignTop)
        layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        self.setLayout(layout)

    def show_state(
        self, icon_name: str, tone: str, title: str, word: str = "", detail: str = ""
    ) -> None:
        """Show icon and title, and below them a word in the icon's color and more."""
        self._icon.set_icon(icon_name, tone)
        self._title.setText(title)
        self._word.setText(word)
        self._word.setVisible(bool(word))
        set_tone(self._word, tone if word else "")
        self._detail.setText(detail)
        self._detail.setVisible(bool(detail))
        self.setAccessibleName(", ".join(part for part in (title, word, detail) if part))

    def set_selected(self, is_selected: bool) -> None:
        """Mark the row as the one that is shown in detail."""
        set_tone(self, "selected" if is_selected else "")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the row."""
        if event.button() == Qt.MouseButton.LeftButton and self._is_choosable:
            self.chosen.emit(self._key)
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose the row by Enter or Space."""
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
        if event.key() in keys and self._is_choosable:
            self.chosen.emit(self._key)
            return
        super().keyPressEvent(event)
