"""Shows one set-up panel at a time; each is made when it is first opened."""

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from engine.protocol import Snapshot, Telemetry
from ui.bridge.protocols import EngineControl
from ui.panels.panel import Panel
from ui.panels.streams_panel import StreamsPanel
from ui.shell.file_chooser import FileChooser
from ui.shell.theme import Theme
from ui.viewmodels.streams import StreamsViewModel

__all__ = ("PanelHost",)


class PanelHost(QStackedWidget):
    """The panels by the keys of the rail; only the open one follows the engine."""

    stream_chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        control: EngineControl,
        chooser: FileChooser,
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._control = control
        self._chooser = chooser
        self._snapshot = Snapshot()
        self._telemetry: Telemetry | None = None
        self._panels: dict[str, Panel] = {}
        self._makers: dict[str, Callable[[], Panel]] = {
            "streams": self._make_streams,
            "programs": self._make_programs,
            "drivers": self._make_drivers,
            "plugins": self._make_plugins,
            "threads": self._make_threads,
            "outputs": self._make_outputs,
            "license": self._make_license,
        }

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of all panels."""
        return tuple(self._makers)

    @property
    def panel(self) -> Panel | None:
        """The panel that is shown."""
        current = self.currentWidget()
        return current if isinstance(current, Panel) else None

    def show_panel(self, key: str) -> Panel:
        """Show the panel of a key, with the newest state."""
        panel = self._panels.get(key)
        if panel is None:
            panel = self._panels[key] = self._makers[key]()
            panel.setObjectName(f"panel_{key}")
            self.addWidget(panel)
        self.setCurrentWidget(panel)
        panel.set_snapshot(self._snapshot)
        if self._telemetry is not None:
            panel.set_telemetry(self._telemetry)
        return panel

    def select_stream(self, name: str) -> None:
        """Show the form of a stream when the panel of the streams is open."""
        if isinstance(self.panel, StreamsPanel):
            self.panel.select(name)

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._snapshot = snapshot
        if self.panel is not None:
            self.panel.set_snapshot(snapshot)

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Take over the newest figures."""
        self._telemetry = telemetry
        if self.panel is not None and self.isVisible():
            self.panel.set_telemetry(telemetry)

    def _make_streams(self) -> Panel:
        panel = StreamsPanel(self._theme, StreamsViewModel(self._control), self._chooser)
        panel.selected.connect(self.stream_chosen)
        return panel

    def _make_programs(self) -> Panel:
        from ui.panels.programs_panel import ProgramsPanel
        from ui.viewmodels.programs import ProgramsViewModel

        return ProgramsPanel(self._theme, ProgramsViewModel(self._control), self._chooser)

    def _make_drivers(self) -> Panel:
        from ui.panels.drivers_panel import DriversPanel
        from ui.viewmodels.drivers import DriversViewModel

        return DriversPanel(self._theme, DriversViewModel(self._control), self._chooser)

    def _make_plugins(self) -> Panel:
        from ui.panels.plugins_panel import PluginsPanel
        from ui.viewmodels.plugins import PluginsViewModel

        return PluginsPanel(self._theme, PluginsViewModel(self._control))

    def _make_threads(self) -> Panel:
        from ui.panels.threads_panel import ThreadsPanel
        from ui.viewmodels.threads import ThreadsViewModel

        return ThreadsPanel(self._theme, ThreadsViewModel(self._control))

    def _make_outputs(self) -> Panel:
        from ui.panels.outputs_panel import OutputsPanel
        from ui.viewmodels.outputs import OutputsViewModel

        return OutputsPanel(self._theme, OutputsViewModel(self._control), self._chooser)

    def _make_license(self) -> Panel:
        from ui.panels.license_panel import LicensePanel
        from ui.viewmodels.license import LicenseViewModel

        return LicensePanel(self._theme, LicenseViewModel(self._control), self._chooser)
