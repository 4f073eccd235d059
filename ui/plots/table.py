"""A small read-only table of texts with aligned columns and colored words."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTableView, QWidget

from ui.log.table_look import dress_table
from ui.shell.theme import Theme
from ui.wall.lettering import Lettering

__all__ = ("Column", "Row", "TextTable", "TextTableModel")

_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_PAD_PX = 28

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Column:
    """A column: title, typical text for its width (empty: takes the rest), alignment."""

    title: str
    widest: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Row:
    """Texts of a row and the token that colors the column `toned`."""

    texts: tuple[str, ...]
    tone: str = ""
    toned: int = 0


class TextTableModel(QAbstractTableModel):
    """Rows of texts; replacing them keeps selection and scroll position where it can."""

    def __init__(self, theme: Theme, columns: Sequence[Column], *, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._columns = tuple(columns)
        self._rows: list[Row] = []
        theme.changed.connect(self._on_theme_changed)

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows instead."""
        new = list(rows)
        if len(new) != len(self._rows):
            self.beginResetModel()
            self._rows = new
            self.endResetModel()
            return
        changed = [index for index, row in enumerate(new) if row != self._rows[index]]
        self._rows = new
        if changed:
            last = len(self._columns) - 1
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], last))

    def insert_first(self, row: Row, limit: int) -> None:
        """Put a row on top and forget the last one beyond `limit`."""
        self.beginInsertRows(QModelIndex(), 0, 0)
        self._rows.insert(0, row)
        self.endInsertRows()
        if len(self._rows) > limit:
            self.beginRemoveRows(QModelIndex(), limit, len(self._rows) - 1)
            del self._rows[limit:]
            self.endRemoveRows()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        """Return the number of rows."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return text, alignment or color of a cell."""
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.texts[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole and not self._columns[index.column()].widest:
            return row.texts[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if self._columns[index.column()].is_number else _LEFT
        if role == Qt.ItemDataRole.ForegroundRole and row.tone and index.column() == row.toned:
            return QColor(getattr(self._theme.tokens, row.tone))
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Return title or alignment of a column."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if self._columns[section].is_number else _LEFT
        return None

    @Slot()
    def _on_theme_changed(self) -> None:
        if self._rows:
            last = self.index(len(self._rows) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last, [Qt.ItemDataRole.ForegroundRole])


class TextTable(QTableView):
    """Shows a `TextTableModel` with columns as wide as their widest text."""

    def __init__(
        self, theme: Theme, columns: Sequence[Column], *, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.rows = TextTableModel(theme, columns, parent=self)
        self.setModel(self.rows)
        dress_table(self)
        letters = Lettering.body()
        header = self.horizontalHeader()
        for index, column in enumerate(columns):
            if column.widest:
                header.setSectionResizeMode(index, QHeaderView.ResizeMode.Interactive)
                width = max(letters.width(column.widest), letters.width(column.title))
                header.resizeSection(index, int(width) + _PAD_PX)
            else:
                header.setSectionResizeMode(index, QHeaderView.ResizeMode.Stretch)
