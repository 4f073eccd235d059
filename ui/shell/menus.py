"""The menus, made of the window's actions."""

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenuBar, QWidget

from ui.shell.actions import WindowActions

__all__ = ("make_menu_bar",)


def make_menu_bar(
    actions: WindowActions,
    view_actions: list[QAction],
    panel_actions: list[QAction],
    owner: QWidget,
) -> QMenuBar:
    """Return the menu bar; `view_actions` toggle docks, `panel_actions` open panels."""
    bar = QMenuBar()
    bar.setObjectName("menu_bar")
    file_menu = bar.addMenu(owner.tr("&File"))
    file_menu.addActions([actions.open_project, actions.save_project, actions.save_project_as])
    file_menu.addSeparator()
    file_menu.addAction(actions.quit)
    engine_menu = bar.addMenu(owner.tr("&Engine"))
    engine_menu.addActions([actions.run, actions.stop, actions.record])
    engine_menu.addSeparator()
    engine_menu.addAction(actions.restart_engine)
    view_menu = bar.addMenu(owner.tr("&View"))
    view_menu.addActions(panel_actions)
    view_menu.addSeparator()
    view_menu.addActions(view_actions)
    view_menu.addAction(actions.reset_layout)
    view_menu.addSeparator()
    view_menu.addAction(actions.freeze)
    theme_menu = view_menu.addMenu(owner.tr("Theme"))
    theme_menu.addActions(actions.themes.actions())
    return bar
