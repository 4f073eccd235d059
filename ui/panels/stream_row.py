"""One stream in the list of streams."""

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QSizePolicy

from ui.shell.buttons import IconButton, IconLabel, ToggleSwitch
from ui.shell.layouts import column, elided, label, row
from ui.shell.theme import Theme, set_role, set_tone
from ui.shell.tokens import SPACE_S
from ui.viewmodels.streams import StreamRow

__all__ = ("StreamRowWidget",)


class StreamRowWidget(QFrame):
    """Name, state, rate, start/stop button and switch of one stream."""

    chosen = Signal(str)
    start_stop_asked = Signal(str)
    enabled_asked = Signal(str, bool)

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._name = name
        self._full_detail = ""
        self.setObjectName(f"row_{name}")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        set_role(self, "row")
        self._sign = IconLabel(theme)
        self._title = label(name, role="heading")
        self._rate = label(name="rate")
        self._rate.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._word = label(role="caption", name="word")
        self._detail = label(role="caption", name="detail")
        self._detail.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.start_stop = IconButton(theme, "play", self.tr("Start %s") % name)
        self.start_stop.setObjectName("start_stop")
        self.start_stop.setIconSize(QSize(16, 16))
        self.start_stop.clicked.connect(self._on_start_stop)
        self.toggle = ToggleSwitch(theme, self.tr("%s takes part in Run") % name)
        self.toggle.setToolTip(self.tr("On: Run starts this stream"))
        self.toggle.setObjectName("enabled")
        self.toggle.clicked.connect(self._on_toggle)
        second = row(self._word, self._detail)
        second.setStretch(1, 1)
        lines = column(row(self._title, 1, self._rate), second, spacing=0)
        layout = row(self._sign, lines, self.start_stop, self.toggle, spacing=SPACE_S)
        layout.setStretch(1, 1)
        layout.setAlignment(self._sign, Qt.AlignmentFlag.AlignTop)
        layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        self.setLayout(layout)

    def show_row(self, shown: StreamRow, *, is_selected: bool) -> None:
        """Show the newest state of the stream."""
        self._sign.set_icon(shown.sign.icon, shown.sign.tone)
        self._rate.setText(shown.rate)
        self._word.setText(shown.sign.word)
        set_tone(self._word, shown.sign.tone)
        self._full_detail = shown.detail
        self._detail.setToolTip(shown.detail)
        self._elide()
        self.toggle.set_on(shown.is_enabled)
        verb = self.tr("Stop %s") if shown.is_active else self.tr("Start %s")
        self.start_stop.set_icon("circle-stop" if shown.is_active else "play")
        self.start_stop.set_words("", verb % self._name)
        self.start_stop.setEnabled(not shown.is_stopping)
        set_tone(self, "selected" if is_selected else "")
        self.setAccessibleName(f"{self._name}, {shown.sign.word} {shown.rate}")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten the second line to the new width."""
        super().resizeEvent(event)
        self._elide()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the stream."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self._name)
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose the stream by Enter or Space."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self._name)
            return
        super().keyPressEvent(event)

    def _elide(self) -> None:
        self._detail.setText(elided(self._full_detail, self._detail, self._detail.width()))

    @Slot()
    def _on_start_stop(self) -> None:
        self.start_stop_asked.emit(self._name)

    @Slot(bool)
    def _on_toggle(self, is_on: bool) -> None:
        self.enabled_asked.emit(self._name, is_on)
