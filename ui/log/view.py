"""The log: a table of records with a filter, pause and copy."""

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from engine.protocol import LogEntry
from ui.log.model import LogModel
from ui.log.store import CAPACITY, LEVELS, LogStore, is_trouble
from ui.log.table_look import dress_table
from ui.shell.theme import Theme, set_role
from ui.shell.tokens import SPACE_S, SPACE_XS
from ui.wall.lettering import Lettering
from ui.wall.surface import lay_on_surface

__all__ = ("LogView",)

_WIDEST = ("00:00:00.000", "warning", "a stream's long name")


class LogView(QWidget):
    """Shows the newest records and stays at the end unless the user has scrolled up.

    Parameters
    ----------
    theme : colors.
    clock : monotonic time in nanoseconds, the clock of the records.
    capacity : older records beyond that number are forgotten.
    """

    trouble_changed = Signal(int)
    """Warnings and errors that came while nobody looked at the log."""

    def __init__(
        self,
        theme: Theme,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        capacity: int = CAPACITY,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("log_view")
        lay_on_surface(self)
        self._store = LogStore(capacity)
        self.model = LogModel(self._store, theme, clock, parent=self)
        self._trouble = 0
        self._is_watched = False
        self._level = QComboBox()
        self._level.setObjectName("level")
        self._level.setAccessibleName(self.tr("Least level"))
        for level, words in zip(LEVELS, self._level_words(), strict=True):
            self._level.addItem(words, level)
        self._level.setCurrentIndex(LEVELS.index("INFO"))
        self._text = QLineEdit()
        self._text.setObjectName("text")
        self._text.setAccessibleName(self.tr("Filter by text"))
        self._text.setPlaceholderText(self.tr("Filter by words"))
        self._text.setClearButtonEnabled(True)
        self._text.setMaximumWidth(280)
        self._told = QLabel()
        self._told.setObjectName("told")
        set_role(self._told, "caption")
        self._pause = self._button("pause", self.tr("Pause"))
        self._pause.setCheckable(True)
        self._pause.setToolTip(self.tr("Holds new records back until you go on"))
        self._copy = self._button("copy", self.tr("Copy"))
        self._copy.setToolTip(self.tr("Copies the selected records, or all that are shown"))
        self._clear = self._button("clear", self.tr("Clear"))
        self.table = self._make_table()
        self._lay_out()
        self._level.currentIndexChanged.connect(self._on_filter_changed)
        self._text.textChanged.connect(self._on_filter_changed)
        self._pause.toggled.connect(self._on_pause_toggled)
        self._copy.clicked.connect(self.copy)
        self._clear.clicked.connect(self._on_clear)
        QShortcut(
            QKeySequence(QKeySequence.StandardKey.Copy),
            self.table,
            self.copy,
            context=Qt.ShortcutContext.WidgetShortcut,
        )
        self._tell()

    def add(self, entries: list[LogEntry]) -> None:
        """Add a batch of records."""
        if not entries:
            return
        self._count_trouble(entries)
        if self._pause.isChecked():
            self._store.hold(entries)
        else:
            self._add_and_follow(entries)
        self._tell()

    def set_watched(self, is_watched: bool) -> None:
        """Say whether somebody looks at the log; looking resets the count of trouble."""
        self._is_watched = is_watched
        if is_watched and self._trouble:
            self._trouble = 0
            self.trouble_changed.emit(0)

    @Slot()
    def copy(self) -> None:
        """Copy the selected records, or all that are shown, as lines of text."""
        chosen = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        rows = chosen or range(self.model.rowCount())
        lines = [self.model.line(self.model.entry(row)) for row in rows]
        QGuiApplication.clipboard().setText("\n".join(lines))

    @Slot()
    def _on_filter_changed(self) -> None:
        self.model.set_filter(str(self._level.currentData()), self._text.text())
        self.table.scrollToBottom()
        self._tell()

    @Slot(bool)
    def _on_pause_toggled(self, is_paused: bool) -> None:
        self._pause.setText(self.tr("Go on") if is_paused else self.tr("Pause"))
        if not is_paused:
            self._add_and_follow(list(self._store.take_held()))
        self._tell()

    @Slot()
    def _on_clear(self) -> None:
        self.model.clear()
        self._tell()

    def _add_and_follow(self, entries: list[LogEntry]) -> None:
        bar = self.table.verticalScrollBar()
        is_at_end = bar.value() >= bar.maximum() - 4
        self.model.add(entries)
        if is_at_end:
            self.table.scrollToBottom()

    def _count_trouble(self, entries: list[LogEntry]) -> None:
        found = 0 if self._is_watched else sum(map(is_trouble, entries))
        if found:
            self._trouble += found
            self.trouble_changed.emit(self._trouble)

    def _tell(self) -> None:
        shown, total, waiting = len(self._store), self._store.total, self._store.waiting
        text = self.tr("{0} records").format(shown)
        if shown != total:
            text = self.tr("{0} of {1} records").format(shown, total)
        if self._pause.isChecked():
            text = self.tr("{0}, paused, {1} new").format(text, waiting)
        self._told.setText(text)

    def _level_words(self) -> tuple[str, ...]:
        return (
            self.tr("Everything"),
            self.tr("Info and worse"),
            self.tr("Warnings and errors"),
            self.tr("Errors"),
        )

    def _button(self, name: str, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        return button

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setObjectName("log_table")
        table.setAccessibleName(self.tr("Log records"))
        table.setModel(self.model)
        dress_table(table)
        letters = Lettering.body()
        header = table.horizontalHeader()
        for column, widest in enumerate(_WIDEST):
            header.resizeSection(column, int(letters.width(widest)) + 28)
        header.setSectionResizeMode(len(_WIDEST), QHeaderView.ResizeMode.Stretch)
        return table

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(SPACE_S, SPACE_XS, SPACE_S, SPACE_XS)
        bar.setSpacing(SPACE_S)
        bar.addWidget(self._level)
        bar.addWidget(self._text, 1)
        bar.addWidget(self._told)
        bar.addStretch(1)
        for button in (self._pause, self._copy, self._clear):
            bar.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)
