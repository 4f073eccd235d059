"""Rows of a name on the left and a figure on the right."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from ui.shell.theme import set_role
from ui.shell.tokens import SPACE_S, SPACE_XS

__all__ = ("FigureRows",)


class FigureRows(QWidget):
    """A grid of names, values and units; values are right-aligned in tabular figures."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[QLabel, QLabel, QLabel]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE_XS)
        self._grid.setVerticalSpacing(SPACE_XS)
        self._grid.setColumnStretch(0, 1)

    def set_rows(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Show these (name, value, unit); only texts that changed are touched."""
        while len(self._rows) < len(rows):
            self._add_row()
        for index, labels in enumerate(self._rows):
            texts = rows[index] if index < len(rows) else ("", "", "")
            for label, text in zip(labels, texts, strict=True):
                if label.text() != text:
                    label.setText(text)
                label.setVisible(index < len(rows) and bool(text))

    def values(self) -> list[str]:
        """Return the values shown, from above."""
        return [value.text() for _, value, _ in self._rows if not value.isHidden()]

    def _add_row(self) -> None:
        row = len(self._rows)
        name, value, unit = QLabel(), QLabel(), QLabel()
        value.setObjectName(f"value_{row}")
        set_role(name, "muted")
        set_role(unit, "caption")
        name.setMinimumWidth(1)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        value.setAlignment(right)
        unit.setMinimumWidth(SPACE_S)
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(value, row, 1, right)
        self._grid.addWidget(unit, row, 2)
        self._rows.append((name, value, unit))
