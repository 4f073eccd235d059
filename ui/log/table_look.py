"""The plain look that all tables below the wall share."""

from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from ui.wall.lettering import Lettering

__all__ = ("dress_table",)


def dress_table(view: QTableView) -> None:
    """Give a table the plain look: one line per row, no grid, whole rows selectable."""
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setTabKeyNavigation(False)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    rows = view.verticalHeader()
    rows.hide()
    rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    rows.setDefaultSectionSize(int(Lettering.body().height) + 6)
    rows.setMinimumSectionSize(1)
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setSectionsClickable(False)
