"""Everything the window can be told to do, as actions for menus, header and keyboard."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeySequence

from ui.shell.icons import icon
from ui.shell.theme import Theme, ThemeMode

__all__ = ("WindowActions",)


@dataclass(frozen=True)
class _Spec:
    name: str
    text: str
    icon: str = ""
    shortcut: str = ""
    tip: str = ""
    is_checkable: bool = False


class WindowActions(QObject):
    """The actions by name; icons follow the theme.

    Attributes
    ----------
    run, stop, freeze, record, open_project, save_project, save_project_as, restart_engine,
    reset_layout, quit : the actions.
    themes : group of the three theme choices; each carries its mode as data.
    """

    def __init__(self, theme: Theme, *, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icons: dict[QAction, tuple[str, str]] = {}
        tr = self.tr
        self.run = self._make(
            _Spec("run", tr("Run"), "play", "F5", tr("Start all enabled streams (F5)"))
        )
        self.stop = self._make(
            _Spec("stop", tr("Stop"), "square", "Shift+F5", tr("Stop all streams (Shift+F5)"))
        )
        self.freeze = self._make(
            _Spec(
                "freeze",
                tr("Freeze"),
                "snowflake",
                tip=tr("Hold the pictures still; the streams go on (Space)"),
                is_checkable=True,
            )
        )
        self.record = self._make(
            _Spec(
                "record",
                tr("Record"),
                "circle-dot",
                "Ctrl+R",
                tr("Write results to files (Ctrl+R)"),
                is_checkable=True,
            )
        )
        self.open_project = self._make(
            _Spec("open_project", tr("Open project\u2026"), "folder-open", "Ctrl+O")
        )
        self.save_project = self._make(_Spec("save_project", tr("Save project"), "save", "Ctrl+S"))
        self.save_project_as = self._make(
            _Spec("save_project_as", tr("Save project as\u2026"), "", "Ctrl+Shift+S")
        )
        self.restart_engine = self._make(
            _Spec("restart_engine", tr("Restart engine"), "rotate-ccw")
        )
        self.reset_layout = self._make(_Spec("reset_layout", tr("Reset layout")))
        self.quit = self._make(_Spec("quit", tr("Quit"), "power", "Ctrl+Q"))
        self.themes = self._make_themes()
        self._draw()
        theme.changed.connect(self._draw)

    def set_icon(self, action: QAction, name: str, tone: str = "text") -> None:
        """Give an action another icon in the color of a token."""
        if self._icons.get(action) != (name, tone):
            self._icons[action] = (name, tone)
            self._draw_one(action, name, tone)

    def _make(self, spec: _Spec) -> QAction:
        action = QAction(spec.text, self)
        action.setObjectName(f"action_{spec.name}")
        action.setCheckable(spec.is_checkable)
        if spec.shortcut:
            action.setShortcut(QKeySequence(spec.shortcut))
        if spec.tip:
            action.setToolTip(spec.tip)
        if spec.icon:
            self._icons[action] = (spec.icon, "text")
        return action

    def _make_themes(self) -> QActionGroup:
        group = QActionGroup(self)
        for mode, text, name in (
            (ThemeMode.SYSTEM, self.tr("Like the system"), "monitor"),
            (ThemeMode.LIGHT, self.tr("Light"), "sun"),
            (ThemeMode.DARK, self.tr("Dark"), "moon"),
        ):
            action = self._make(_Spec(f"theme_{mode.value}", text, name, is_checkable=True))
            action.setData(mode.value)
            action.setChecked(mode is self._theme.mode)
            group.addAction(action)
        return group

    @Slot()
    def _draw(self) -> None:
        for action, (name, tone) in self._icons.items():
            self._draw_one(action, name, tone)
        for choice in self.themes.actions():
            choice.setChecked(choice.data() == self._theme.mode.value)

    def _draw_one(self, action: QAction, name: str, tone: str) -> None:
        tokens = self._theme.tokens
        color = getattr(tokens, tone)
        action.setIcon(icon(name, color, disabled=tokens.muted))
