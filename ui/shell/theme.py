"""The look of the whole application: one palette and one style sheet, made from the tokens.

No other module sets a style sheet. Widgets say what they are by `set_role` and how things stand by
`set_tone`; the sheet does the rest.
"""

import logging
from enum import StrEnum
from string import Template

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from resources import resource_path
from ui.shell.tokens import (
    BODY_PT,
    CAPTION_PT,
    DARK,
    FIGURE_PT,
    LIGHT,
    RADIUS_PX,
    TITLE_PT,
    Tokens,
    mix,
)

__all__ = ("Theme", "ThemeMode", "app_font", "set_role", "set_tone", "style_sheet")

log = logging.getLogger(__name__)

_FONT_FILES = ("fonts/PenstockSans-Regular.woff2", "fonts/PenstockSans-SemiBold.woff2")


class ThemeMode(StrEnum):
    """Which of the two looks to show."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Theme(QObject):
    """The look in use; emits `changed` when the tokens are different ones.

    Parameters
    ----------
    mode : "dark", "light", or "system" to follow the desktop.
    """

    changed = Signal()

    def __init__(
        self, mode: ThemeMode | str = ThemeMode.SYSTEM, *, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._mode = ThemeMode(mode)
        self._app: QApplication | None = None
        self._is_dark = self._wants_dark()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)

    @property
    def tokens(self) -> Tokens:
        """The colors to draw with now."""
        return DARK if self._is_dark else LIGHT

    @property
    def mode(self) -> ThemeMode:
        """What was chosen; `SYSTEM` follows the desktop."""
        return self._mode

    @property
    def is_dark(self) -> bool:
        """Whether the dark look is shown."""
        return self._is_dark

    def set_mode(self, mode: ThemeMode | str) -> None:
        """Choose "dark", "light" or "system"; an applied theme changes at once."""
        self._mode = ThemeMode(mode)
        self._refresh()

    def apply(self, app: QApplication) -> None:
        """Give the application this look and keep it up to date from now on."""
        self._app = app
        app.setStyle("Fusion")
        app.setFont(_base_font())
        self._dress(app)

    def color(self, name: str) -> QColor:
        """Return the token of that name ("ok", "muted", ...) as a color."""
        return QColor(getattr(self.tokens, name))

    def series(self, index: int) -> QColor:
        """Return the color of the curve, box or class with that index; they repeat."""
        colors = self.tokens.series
        return QColor(colors[index % len(colors)])

    @Slot()
    def _on_system_changed(self) -> None:
        if self._mode is ThemeMode.SYSTEM:
            self._refresh()

    def _refresh(self) -> None:
        is_dark = self._wants_dark()
        if is_dark == self._is_dark:
            return
        self._is_dark = is_dark
        if self._app is not None:
            self._dress(self._app)
        self.changed.emit()

    def _wants_dark(self) -> bool:
        if self._mode is not ThemeMode.SYSTEM:
            return self._mode is ThemeMode.DARK
        return QGuiApplication.styleHints().colorScheme() != Qt.ColorScheme.Light

    def _dress(self, app: QApplication) -> None:
        app.setPalette(_palette(self.tokens))
        app.setStyleSheet(style_sheet(self.tokens))


def app_font(points: float = BODY_PT, *, is_strong: bool = False) -> QFont:
    """Return the application's font in points; its figures all have the same width."""
    font = QFont(QGuiApplication.font())
    font.setPointSizeF(points)
    font.setWeight(QFont.Weight.DemiBold if is_strong else QFont.Weight.Normal)
    return font


def _base_font() -> QFont:
    """Load the bundled typeface; the desktop's own stays where it cannot be read."""
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    for file in _FONT_FILES:
        if QFontDatabase.addApplicationFont(str(resource_path(file))) < 0:
            log.warning("the bundled typeface %s cannot be read; the desktop's is used", file)
            break
    else:
        system.setFamilies(["Penstock Sans", system.family()])
    system.setPointSizeF(BODY_PT)
    return system


def set_role(widget: QWidget, role: str) -> None:
    """Say what a widget is: "title", "caption", "figure", "primary", "flat", "card", ..."""
    _set_property(widget, "role", role)


def set_tone(widget: QWidget, tone: str) -> None:
    """Say how things stand: "ok", "warn", "error", "info", "muted", "accent" or ""."""
    _set_property(widget, "tone", tone)


def _set_property(widget: QWidget, name: str, value: str) -> None:
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)


def _palette(tokens: Tokens) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    colors = {
        role.Window: tokens.window,
        role.WindowText: tokens.text,
        role.Base: tokens.surface,
        role.AlternateBase: tokens.raised,
        role.Text: tokens.text,
        role.Button: tokens.raised,
        role.ButtonText: tokens.text,
        role.BrightText: tokens.error,
        role.ToolTipBase: tokens.raised,
        role.ToolTipText: tokens.text,
        role.PlaceholderText: tokens.muted,
        role.Highlight: tokens.accent,
        role.HighlightedText: tokens.window,
        role.Link: tokens.accent,
        role.LinkVisited: tokens.accent,
        role.Light: tokens.border,
        role.Midlight: tokens.border,
        role.Mid: tokens.border,
        role.Dark: tokens.border,
        role.Shadow: tokens.window,
        role.Accent: tokens.accent,
    }
    for which, color in colors.items():
        palette.setColor(which, QColor(color))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(tokens.muted))
    return palette


def style_sheet(tokens: Tokens) -> str:
    """Return the application's style sheet for these tokens."""
    values = {name: getattr(tokens, name) for name in tokens.__dataclass_fields__}
    values |= {
        "hover": mix(tokens.raised, tokens.text, 0.08),
        "pressed": mix(tokens.raised, tokens.text, 0.16),
        "selected": mix(tokens.surface, tokens.accent, 0.18),
        "faint": mix(tokens.surface, tokens.muted, 0.35),
        "error_tint": mix(tokens.surface, tokens.error, 0.14),
        "warn_tint": mix(tokens.surface, tokens.warn, 0.14),
        "info_tint": mix(tokens.surface, tokens.info, 0.14),
        "on_accent": tokens.window,
        "caption": f"{CAPTION_PT}pt",
        "title": f"{TITLE_PT}pt",
        "figure": f"{FIGURE_PT}pt",
        "radius": f"{RADIUS_PX}px",
    }
    suffix = "dark" if tokens is DARK else "light"
    for picture in ("up", "down", "check"):
        values[picture] = resource_path(f"style/{picture}-{suffix}.svg").as_posix()
    return Template(_SHEET).substitute(values)


_SHEET = """
QMainWindow, QDialog { background: $window; }
QMainWindow::separator { background: $window; width: 4px; height: 4px; }
QMainWindow::separator:hover { background: $accent; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px 8px; }

QLabel { background: transparent; }
QLabel[role="title"] { font-size: $title; font-weight: 600; }
QLabel[role="heading"] { font-weight: 600; }
QLabel[role="caption"] { font-size: $caption; color: $muted; }
QLabel[role="field"] { font-size: $caption; color: $muted; }
QLabel[role="fact"] { font-size: $caption; color: $muted; padding: 2px 0 0 0; }
QLabel[role="figure"] { font-size: $figure; font-weight: 600; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="problem"] { font-size: $caption; color: $error; }
QLabel[tone="ok"] { color: $ok; }
QLabel[tone="warn"] { color: $warn; }
QLabel[tone="error"] { color: $error; }
QLabel[tone="info"] { color: $info; }
QLabel[tone="muted"] { color: $muted; }
QLabel[tone="accent"] { color: $accent; }

QPushButton, QToolButton {
    background: $raised; color: $text; border: 1px solid $border; border-radius: $radius;
    padding: 4px 12px; min-height: 20px;
}
QToolButton { padding: 4px 8px; }
QPushButton:hover, QToolButton:hover { background: $hover; }
QPushButton:pressed, QToolButton:pressed { background: $pressed; }
QPushButton:checked, QToolButton:checked {
    background: $selected; border-color: $accent; color: $text;
}
QPushButton:focus, QToolButton:focus { border-color: $accent; }
QPushButton:disabled, QToolButton:disabled { color: $muted; background: $surface; }
QPushButton[role="primary"], QToolButton[role="primary"] {
    background: $accent; color: $on_accent; border-color: $accent; font-weight: 600;
}
QPushButton[role="primary"]:hover, QToolButton[role="primary"]:hover { border-color: $text; }
QPushButton[role="primary"]:focus, QToolButton[role="primary"]:focus { border-color: $text; }
QPushButton[role="primary"]:disabled, QToolButton[role="primary"]:disabled {
    background: $raised; color: $muted; border-color: $border;
}
QPushButton[role="danger"] { color: $error; border-color: $error; }
QToolButton[role="flat"], QPushButton[role="flat"] {
    background: transparent; border-color: transparent; padding: 4px;
}
QToolButton[role="flat"]:hover, QPushButton[role="flat"]:hover { background: $hover; }
QToolButton[role="flat"]:focus, QPushButton[role="flat"]:focus { border-color: $accent; }
QToolButton[role="flat"]:disabled { background: transparent; }
QToolButton::menu-indicator { image: none; }

QLineEdit, QComboBox, QAbstractSpinBox, QPlainTextEdit, QTextEdit {
    placeholder-text-color: $muted;
    background: $window; color: $text; border: 1px solid $border; border-radius: $radius;
    padding: 4px 8px; min-height: 20px;
    selection-background-color: $accent; selection-color: $on_accent;
}
QLineEdit:hover, QComboBox:hover, QAbstractSpinBox:hover { border-color: $faint; }
QLineEdit:focus, QComboBox:focus, QAbstractSpinBox:focus, QPlainTextEdit:focus {
    border-color: $accent;
}
QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled { color: $muted; }
QLineEdit[tone="error"], QComboBox[tone="error"], QAbstractSpinBox[tone="error"] {
    border-color: $error;
}
QComboBox QAbstractItemView {
    background: $raised; color: $text; border: 1px solid $border; padding: 4px;
    selection-background-color: $selected; selection-color: $text;
}

QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow { image: url("$down"); width: 12px; height: 12px; }
QAbstractSpinBox { padding: 4px 24px 4px 0; max-height: 20px; }
QAbstractSpinBox QLineEdit { border: none; background: transparent; padding: 0; min-height: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {
    subcontrol-origin: border; border: none; background: transparent; width: 24px;
}
QAbstractSpinBox::up-button { subcontrol-position: top right; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: $hover; }
QAbstractSpinBox::up-arrow { image: url("$up"); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url("$down"); width: 10px; height: 10px; }

QCheckBox { spacing: 8px; }
QCheckBox::indicator {
    width: 14px; height: 14px; border: 1px solid $muted; border-radius: 4px; background: $window;
}
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url("$check"); }
QCheckBox::indicator:focus { border-color: $text; }
QCheckBox:disabled { color: $muted; }
QMenu::indicator { width: 14px; height: 14px; margin-left: 8px; border-radius: 4px; }
QMenu::indicator:checked { background: $accent; image: url("$check"); }

QAbstractItemView {
    background: $surface; color: $text; border: none; outline: none;
    alternate-background-color: $surface; gridline-color: $border;
    selection-background-color: $selected; selection-color: $text;
}
QListView::item, QListWidget::item { padding: 4px 8px; border-radius: 4px; }
QTableView::item { padding: 0 8px; }
QListView::item:hover, QTableView::item:hover, QTreeView::item:hover { background: $raised; }
QListView::item:selected, QTableView::item:selected, QTreeView::item:selected {
    background: $selected; color: $text;
}
QHeaderView { background: $surface; }
QHeaderView::section {
    background: $surface; color: $muted; border: none; border-bottom: 1px solid $border;
    padding: 4px 8px; font-size: $caption;
}
QTableCornerButton::section { background: $surface; border: none; }

QScrollArea, QScrollArea > QWidget > QWidget#scroll_body { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $faint; border-radius: 4px; margin: 2px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::handle:vertical { min-height: 24px; }
QScrollBar::handle:horizontal { min-width: 24px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QTabWidget::pane { border: none; border-top: 1px solid $border; background: $surface; }
QTabWidget { background: $surface; }
QTabBar { background: transparent; qproperty-drawBase: 0; }
QTabBar::tab {
    background: transparent; color: $muted; border: none; border-bottom: 2px solid transparent;
    padding: 4px 12px; margin: 0;
}
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:focus { color: $accent; }

QMenuBar { background: transparent; color: $text; border: none; padding: 0 4px; }
QToolButton#qt_menubar_ext_button {
    border: none; background: transparent; padding: 0; min-height: 0; image: url("$down");
}
QMenuBar::item { background: transparent; padding: 4px 8px; border-radius: 4px; }
QMenuBar::item:selected { background: $raised; }
QMenu { background: $raised; color: $text; border: 1px solid $border; padding: 4px; }
QMenu::item { padding: 4px 24px 4px 12px; border-radius: 4px; }
QMenu::item:selected { background: $selected; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }

QDockWidget { color: $text; font-weight: 600; }
QDockWidget::title {
    background: $surface; padding: 8px 12px; text-align: left; border-bottom: 1px solid $border;
}
QDockWidget > QWidget { background: $surface; }
QTabWidget > QStackedWidget > QWidget { background: $surface; }

QDockWidget > QFrame[role="dock_title"] {
    background: $surface; border: none; border-bottom: 1px solid $border;
}
QToolBar { background: $surface; border: none; border-right: 1px solid $border; spacing: 0; }
QStatusBar { background: $surface; border-top: 1px solid $border; }
QStatusBar::item { border: none; }
QFrame[role="header"] { background: $surface; border-bottom: 1px solid $border; }
QFrame[role="panel"] { background: $surface; }
QFrame[role="foot"] { background: $surface; border-top: 1px solid $border; }
QFrame[role="hairline"] { background: $border; border: none; }
QFrame[role="row"] {
    background: transparent; border: 1px solid transparent; border-radius: $radius;
}
QFrame[role="row"]:focus { border-color: $accent; }
QFrame[role="row"]:hover { background: $raised; }
QFrame[role="row"][tone="selected"] { background: $selected; }
QFrame[role="card"] { background: $raised; border-radius: $radius; }
QFrame[role="banner"] { background: $error_tint; border-bottom: 1px solid $error; }
QFrame[role="banner"][tone="warn"] { background: $warn_tint; border-bottom-color: $warn; }
QFrame[role="banner"][tone="info"] { background: $info_tint; border-bottom-color: $info; }
QFrame[role="drop"] { background: transparent; border: 1px dashed $faint; border-radius: $radius; }
QFrame[role="drop"][tone="accent"] { border-color: $accent; background: $selected; }

QToolButton[role="rail"] {
    background: transparent; border: none; border-left: 2px solid transparent; border-radius: 0;
    color: $muted; font-size: $caption; padding: 8px 4px; min-height: 36px;
}
QToolButton[role="rail"]:hover { color: $text; background: $raised; }
QToolButton[role="rail"]:checked { color: $text; border-left-color: $accent; background: $raised; }
QToolButton[role="rail"]:focus { border-left-color: $faint; color: $text; }
QToolButton[role="rail"]:checked:focus { border-left-color: $accent; }

QProgressBar {
    background: $raised; border: none; border-radius: 4px; max-height: 8px; min-height: 8px;
}
QProgressBar::chunk { background: $accent; border-radius: 4px; }
"""
