"""The window: header, rail, panels, wall, inspector, plots and log, status bar."""

from typing import cast

import msgspec
from PySide6.QtCore import QSettings, Qt, QTimer, Slot
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QMainWindow, QWidget

from engine.protocol import (
    AnyCommand,
    LoadProject,
    LogEntry,
    SetPreview,
    Snapshot,
    StreamPhase,
    Telemetry,
)
from ui.bridge.bridge import EngineBridge
from ui.bridge.protocols import PreviewSource
from ui.panels.panel_host import PanelHost
from ui.shell.actions import WindowActions
from ui.shell.banner import EngineBanner
from ui.shell.dock import Dock
from ui.shell.file_chooser import DialogFileChooser, FileChooser
from ui.shell.header import Header
from ui.shell.layout_store import LayoutStore
from ui.shell.layouts import column
from ui.shell.menus import make_menu_bar
from ui.shell.project_files import ProjectFiles
from ui.shell.rail import RAIL_ITEMS, Rail
from ui.shell.status_bar import StatusBar
from ui.shell.theme import Theme
from ui.shell.views import InspectorView, TabsView, Views, WallView, standard_views
from ui.viewmodels.dropped import command_for
from ui.viewmodels.run_control import RunViewModel

__all__ = ("MainWindow",)

_TABS_AFTER_MS = 60


class MainWindow(QMainWindow):
    """Places all parts and hands them what the bridge brings.

    Parameters
    ----------
    bridge : connected to an engine; its owner closes it after the window.
    theme : applied to the application by its owner.
    previews : where the wall's pictures come from.
    settings : where the layout is remembered.
    chooser : asks for files; tests hand in one that answers by itself.
    views : makes wall, plots and inspector; tests hand in simpler ones.
    """

    def __init__(
        self,
        bridge: EngineBridge,
        theme: Theme,
        previews: PreviewSource,
        *,
        settings: QSettings,
        chooser: FileChooser | None = None,
        views: Views | None = None,
    ) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self._bridge = bridge
        self._theme = theme
        self._views = views or standard_views()
        self._store = LayoutStore(settings)
        self._chooser = chooser or DialogFileChooser()
        self._run = RunViewModel(bridge)
        self._files = ProjectFiles(self._run, self._chooser, window=self)
        self._telemetry: Telemetry | None = None
        self._tabs: TabsView | None = None
        self._log_before_tabs: list[LogEntry] = []
        self._panel_key = ""
        self._inspected = ""
        self._may_close = False
        self._is_asking = False
        theme.set_mode(self._store.theme_mode)
        self._make_parts(previews)
        self._make_docks()
        self._make_top()
        self._connect()
        self._tabs_timer = QTimer(self)
        self._tabs_timer.setSingleShot(True)
        self._tabs_timer.setInterval(_TABS_AFTER_MS)
        self._tabs_timer.timeout.connect(self.complete)
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self._restore()
        self._on_snapshot(bridge.snapshot)

    @property
    def panel_key(self) -> str:
        """Key of the open panel, empty when none is."""
        return self._panel_key

    @Slot()
    def complete(self) -> None:
        """Make the plots, which are left out until the window was painted once."""
        if self._tabs is not None:
            return
        widget = self._views.make_tabs(self._theme)
        tabs = cast("TabsView", widget)
        self._tabs_dock.place(widget)
        tabs.set_snapshot(self._run.snapshot)
        if self._log_before_tabs:
            tabs.add_log(self._log_before_tabs)
            self._log_before_tabs = []
        self._tabs = tabs

    def show_panel(self, key: str) -> None:
        """Open the panel of a key beside the wall; an empty key closes it."""
        if key and key in self._panels.keys:
            panel = self._panels.show_panel(key)
            title = next(item.title for item in RAIL_ITEMS if item.key == key)
            self._panel_dock.set_title(title, panel.title_actions)
            self._panel_key = key
            self._panel_dock.show()
            self._panel_dock.raise_()
        else:
            self._panel_key = ""
            self._panel_dock.hide()
        self._rail.mark(self._panel_key)

    @Slot(str)
    def toggle_panel(self, key: str) -> None:
        """Open a panel, or close it when it is the open one."""
        self.show_panel("" if key == self._panel_key else key)

    # Parts

    def _make_parts(self, previews: PreviewSource) -> None:
        self._actions = WindowActions(self._theme, parent=self)
        self._rail = Rail(self._theme, parent=self)
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self._rail)
        self._status = StatusBar(self._theme, parent=self)
        self.setStatusBar(self._status)
        wall = self._views.make_wall(self._theme, previews)
        self._wall = cast("WallView", wall)
        self.setCentralWidget(wall)
        wall.setFocus()
        self._panels = PanelHost(self._theme, self._bridge, self._chooser)
        self._inspector_widget = self._views.make_inspector(self._theme)
        self._inspector = cast("InspectorView", self._inspector_widget)

    def _make_docks(self) -> None:
        self._panel_dock = Dock(self._theme, "panel_dock", self.tr("Panel"), parent=self)
        self._panel_dock.place(self._panels)
        self._inspector_dock = Dock(
            self._theme, "inspector_dock", self.tr("Inspector"), parent=self
        )
        self._inspector_dock.place(self._inspector_widget)
        self._tabs_dock = Dock(
            self._theme, "tabs_dock", self.tr("Plots and log"), parent=self, is_titled=False
        )
        self._tabs_dock.place(QWidget())
        self.setDockNestingEnabled(True)
        area = Qt.DockWidgetArea
        self.setCorner(Qt.Corner.BottomLeftCorner, area.LeftDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, area.BottomDockWidgetArea)
        self._place_docks()

    def _place_docks(self) -> None:
        area, vertical = Qt.DockWidgetArea, Qt.Orientation.Vertical
        for dock, place in (
            (self._panel_dock, area.LeftDockWidgetArea),
            (self._inspector_dock, area.RightDockWidgetArea),
            (self._tabs_dock, area.BottomDockWidgetArea),
        ):
            dock.setFloating(False)
            self.addDockWidget(place, dock)
            dock.show()
        self.resizeDocks(
            [self._panel_dock, self._inspector_dock], [320, 280], Qt.Orientation.Horizontal
        )
        self.resizeDocks([self._tabs_dock], [224], vertical)

    def _make_top(self) -> None:
        docks = [self._inspector_dock, self._tabs_dock]
        toggles = [*(dock.toggleViewAction() for dock in docks), self._wall.overlay_action]
        menu_bar = make_menu_bar(self._actions, toggles, self._make_panel_actions(), self)
        self._header = Header(self._actions, menu_bar)
        self._banner = EngineBanner(self._theme)
        top = QWidget()
        top.setLayout(column(self._header, self._banner, spacing=0))
        self.setMenuWidget(top)
        for action in self._actions.findChildren(QAction):
            self.addAction(action)

    def _make_panel_actions(self) -> list[QAction]:
        made = []
        for number, item in enumerate(RAIL_ITEMS, start=1):
            action = QAction(f"{item.title}\t{number}", self)
            action.setObjectName(f"action_panel_{item.key or 'live'}")
            action.setData(item.key)
            action.triggered.connect(self._on_panel_action)
            made.append(action)
        return made

    def _connect(self) -> None:
        actions, bridge = self._actions, self._bridge
        actions.run.triggered.connect(self._on_run)
        actions.stop.triggered.connect(self._on_stop)
        actions.freeze.toggled.connect(self._on_freeze)
        actions.record.triggered.connect(self._on_record)
        actions.open_project.triggered.connect(self._files.open)
        actions.save_project.triggered.connect(self._files.save)
        actions.save_project_as.triggered.connect(self._files.save_as)
        actions.restart_engine.triggered.connect(self._on_restart)
        actions.reset_layout.triggered.connect(self.reset_layout)
        actions.quit.triggered.connect(self.close)
        actions.themes.triggered.connect(self._on_theme)
        self._banner.restart_asked.connect(self._on_restart)
        self._rail.chosen.connect(self.toggle_panel)
        self._panels.stream_chosen.connect(self._inspect)
        self._panel_dock.visibilityChanged.connect(self._on_panel_dock_shown)
        self._wall.selected.connect(self._on_stream_selected)
        self._wall.open_requested.connect(self._files.open)
        self._wall.previews_wanted.connect(self._on_previews_wanted)
        self._run.changed = self._show_run
        bridge.snapshot_changed.connect(self._on_snapshot)
        bridge.telemetry_changed.connect(self._on_telemetry)
        bridge.log_arrived.connect(self._on_log)
        bridge.engine_died.connect(self._on_engine_died)
        bridge.engine_restarted.connect(self._on_engine_restarted)
        bridge.command_failed.connect(self._status.say_problem)
        bridge.ticked.connect(self._on_tick)

    # Layout

    def _restore(self) -> None:
        if not self._store.restore(self):
            self._place_docks()
        self.show_panel(self._store.panel)

    @Slot()
    def reset_layout(self) -> None:
        """Put every dock back to where it is on the first start."""
        self._place_docks()
        self.show_panel("streams")

    # What the bridge brings

    @Slot(object)
    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self._run.set_snapshot(snapshot)
        self._show_snapshot(snapshot)
        self._status.show_snapshot(snapshot, is_alive=self._run.is_alive)
        self._show_figures()
        self._show_run()

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        self._wall.set_snapshot(snapshot)
        self._inspector.set_snapshot(snapshot)
        self._inspect_something(snapshot)
        self._panels.set_snapshot(snapshot)
        if self._tabs is not None:
            self._tabs.set_snapshot(snapshot)

    def _inspect_something(self, snapshot: Snapshot) -> None:
        """Show the first stream when none is inspected, or the one that was is gone."""
        names = [stream.name for stream in snapshot.streams]
        if self._inspected not in names and names:
            self._inspect(names[0])

    @Slot(str)
    def _inspect(self, name: str) -> None:
        self._inspected = name
        self._inspector.show_stream(name)
        self._wall.set_selected(name)

    @Slot(object)
    def _on_telemetry(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._wall.set_telemetry(telemetry)
        self._inspector.set_telemetry(telemetry)
        self._panels.set_telemetry(telemetry)
        if self._tabs is not None:
            self._tabs.add_telemetry(telemetry)
        self._show_figures()

    @Slot(list)
    def _on_log(self, entries: list[LogEntry]) -> None:
        if self._tabs is None:
            self._log_before_tabs += entries
        else:
            self._tabs.add_log(entries)

    @Slot()
    def _on_tick(self) -> None:
        self._wall.tick()
        if self._tabs is not None:
            self._tabs.tick()

    @Slot(str)
    def _on_engine_died(self, outcome: str) -> None:
        self._run.set_alive(False)
        self._telemetry = None
        ended = _without_engine(self._run.snapshot, self.tr("The engine ended."))
        self._show_snapshot(ended)
        self._show_figures()
        self._banner.say(outcome, can_restart=self._bridge.can_restart)
        if self._tabs is not None:
            self._tabs.add_event(outcome, tone="error")
        self._actions.restart_engine.setEnabled(self._bridge.can_restart)
        self._status.show_snapshot(self._run.snapshot, is_alive=False)

    @Slot()
    def _on_engine_restarted(self) -> None:
        self._run.set_alive(True)
        self._banner.hide()
        self._status.dismiss()
        if self._tabs is not None:
            self._tabs.add_event(self.tr("the engine was started again"), tone="ok")

    def _show_run(self) -> None:
        self._header.show_run(self._run)
        self._actions.restart_engine.setEnabled(not self._run.is_alive)
        name = self._run.project_name
        self.setWindowTitle(f"{name}[*] \u2013 Penstock")
        self.setWindowModified(self._run.is_modified)

    def _show_figures(self) -> None:
        snapshot = self._run.snapshot
        self._header.show_figures(snapshot, self._telemetry)
        self._status.show_telemetry(self._telemetry, snapshot.engine.cpu_count)

    # What the user asks for

    @Slot()
    def _on_run(self) -> None:
        self._run.run()

    @Slot()
    def _on_stop(self) -> None:
        self._run.stop()

    @Slot(bool)
    def _on_freeze(self, is_frozen: bool) -> None:
        self._wall.set_frozen(is_frozen)

    @Slot(bool)
    def _on_record(self, is_recording: bool) -> None:
        self._run.record(is_recording)

    @Slot()
    def _on_restart(self) -> None:
        self._banner.begin_restart()
        self._bridge.restart()

    @Slot(QAction)
    def _on_theme(self, action: QAction) -> None:
        self._theme.set_mode(str(action.data()))
        self._store.theme_mode = self._theme.mode

    @Slot()
    def _on_panel_action(self) -> None:
        self.toggle_panel(cast("QAction", self.sender()).data())

    @Slot(bool)
    def _on_panel_dock_shown(self, is_visible: bool) -> None:
        if not is_visible and self._panel_key and self._panel_dock.isHidden():
            self.show_panel("")

    @Slot(str)
    def _on_stream_selected(self, name: str) -> None:
        self._inspect(name)
        self._panels.select_stream(name)

    @Slot(list)
    def _on_previews_wanted(self, wanted: list[tuple[str, bool, int, int]]) -> None:
        if not self._run.is_alive:
            return
        for name, is_watched, width, height in wanted:
            self._bridge.ask(SetPreview(name, is_watched, width, height))

    # Qt's events

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take Space and 1 to 8 when nothing with the focus wanted them."""
        if event.modifiers() == Qt.KeyboardModifier.NoModifier:
            if event.key() == Qt.Key.Key_Space:
                self._actions.freeze.toggle()
                return
            number = event.key() - Qt.Key.Key_1
            if 0 <= number < len(RAIL_ITEMS):
                self.toggle_panel(RAIL_ITEMS[number].key)
                return
        super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept files; what they are is judged when they are dropped."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the dropped files."""
        event.acceptProposedAction()
        for url in event.mimeData().urls():
            if url.isLocalFile():
                self._open_dropped(command_for(url.toLocalFile()))

    def _open_dropped(self, command: AnyCommand | str) -> None:
        if isinstance(command, str):
            self._status.say_problem(command)
        elif isinstance(command, LoadProject):
            self._files.open_path(command.path)
        else:
            self._bridge.ask(command)

    def showEvent(self, event: QShowEvent) -> None:
        """Make the plots a moment after the window has appeared."""
        super().showEvent(event)
        if self._tabs is None:
            self._tabs_timer.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask about unsaved changes, remember the layout."""
        if not self._may_close and self._run.is_modified and self._run.is_alive:
            self._is_asking = True
            self._files.when_saved(self._close_now)
            self._is_asking = False
            if not self._may_close:
                event.ignore()
                return
        self._tabs_timer.stop()
        self._store.save(self, self._panel_key)
        super().closeEvent(event)

    def _close_now(self) -> None:
        self._may_close = True
        if not self._is_asking:
            self.close()


def _without_engine(snapshot: Snapshot, reason: str) -> Snapshot:
    """Return the state as it is when nothing runs any more: streams that did have failed."""
    still = (StreamPhase.STOPPED, StreamPhase.FINISHED, StreamPhase.FAILED)
    streams = tuple(
        stream
        if stream.phase in still
        else msgspec.structs.replace(stream, phase=StreamPhase.FAILED, message=reason)
        for stream in snapshot.streams
    )
    return msgspec.structs.replace(snapshot, streams=streams)
