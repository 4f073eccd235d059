"""The log as a table for Qt: batches come in, the oldest rows go."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor

from engine.protocol import LogEntry
from ui.log.store import LogStore
from ui.shell.theme import Theme

__all__ = ("COLUMNS", "LogModel", "as_text")

COLUMNS = ("Time", "Level", "From", "Message")

_TONES = {"DEBUG": "muted", "INFO": "info", "WARNING": "warn"}
_ONE_LINE = 400

Index = QModelIndex | QPersistentModelIndex


class LogModel(QAbstractTableModel):
    """Shows a `LogStore`.

    Parameters
    ----------
    clock : monotonic time in nanoseconds, the clock of the records.
    """

    def __init__(
        self, store: LogStore, theme: Theme, clock: Callable[[], int], *, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._theme = theme
        self._wall_offset_s = time.time() - clock() / 1e9
        theme.changed.connect(self._on_theme_changed)

    def add(self, entries: Sequence[LogEntry]) -> None:
        """Add a batch of records; the oldest ones make room."""
        newest = entries[-self._store.capacity :]
        leaving = self._store.leaving(len(newest))
        if leaving:
            self.beginRemoveRows(QModelIndex(), 0, leaving - 1)
        self._store.make_room(len(newest))
        if leaving:
            self.endRemoveRows()
        coming = self._store.matching(newest)
        first = len(self._store)
        if coming:
            self.beginInsertRows(QModelIndex(), first, first + coming - 1)
        self._store.append(newest)
        if coming:
            self.endInsertRows()

    def set_filter(self, level: str, text: str) -> None:
        """Show only matching records."""
        self.beginResetModel()
        self._store.set_filter(level, text)
        self.endResetModel()

    def clear(self) -> None:
        """Forget all records."""
        self.beginResetModel()
        self._store.clear()
        self.endResetModel()

    def entry(self, row: int) -> LogEntry:
        """Return the record in a row."""
        return self._store[row]

    def line(self, entry: LogEntry) -> str:
        """Return a record as one line of text for the clipboard."""
        return as_text(entry, self._time(entry))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        """Return the number of records shown."""
        return 0 if parent.isValid() else len(self._store)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return text, tooltip or color of a cell."""
        if not index.isValid() or index.row() >= len(self._store):
            return None
        entry = self._store[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(entry, index.column())
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == 3:
            return entry.message
        if role == Qt.ItemDataRole.ForegroundRole and index.column() < 3:
            tone = _TONES.get(entry.level, "error") if index.column() == 1 else "muted"
            return QColor(getattr(self._theme.tokens, tone))
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Return title or alignment of a column."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr(COLUMNS[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _text(self, entry: LogEntry, column: int) -> str:
        if column == 0:
            return self._time(entry)
        if column == 1:
            return entry.level.lower()
        if column == 2:
            return entry.stream or entry.role
        return entry.message[:_ONE_LINE].replace("\n", " ")

    def _time(self, entry: LogEntry) -> str:
        at = datetime.fromtimestamp(entry.at_ns / 1e9 + self._wall_offset_s, UTC).astimezone()
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"

    @Slot()
    def _on_theme_changed(self) -> None:
        if len(self._store):
            last = self.index(len(self._store) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last, [Qt.ItemDataRole.ForegroundRole])


def as_text(entry: LogEntry, at: str) -> str:
    """Return a record as one line of text; `at` is the time of day."""
    source = f"{entry.role}/{entry.stream}" if entry.stream else entry.role
    return f"{at} {entry.level} {source} [{entry.pid}] {entry.logger}: {entry.message}"
