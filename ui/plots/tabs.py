"""The tabs below the wall: plots with one time axis, processes, log and events."""

import time
from collections.abc import Callable

from PySide6.QtCore import QSize, Slot
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from engine.protocol import LogEntry, Snapshot, Telemetry
from ui.log.view import LogView
from ui.plots.chart import Mark, TimeCursor
from ui.plots.events import Event, changes
from ui.plots.figures import DropRates, series_of
from ui.plots.history import History
from ui.plots.pages import (
    EventsPage,
    PlotPage,
    ProcessPage,
    device_page,
    latency_page,
    queues_page,
    throughput_page,
)
from ui.shell.theme import Theme

__all__ = ("BottomTabs",)

_REFRESH_NS = 95_000_000
_MAX_MARKS = 60


class BottomTabs(QWidget):
    """Keeps the last minute of figures and shows it; only the tab in view is drawn.

    Parameters
    ----------
    theme : colors.
    clock : monotonic time in nanoseconds, for tests.
    """

    def __init__(
        self,
        theme: Theme,
        *,
        parent: QWidget | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("bottom_tabs")
        self._clock = clock
        self._history = History()
        self._drops = DropRates()
        self._snapshot: Snapshot | None = None
        self._names: list[str] = []
        self._marks: list[Mark] = []
        self._offset_ns = 0
        self._refreshed_ns = 0
        self._cursor = TimeCursor(self)
        self._processes = ProcessPage(theme, self._cursor)
        self._log = LogView(theme, clock=clock)
        self._events = EventsPage(theme)
        self._pages: tuple[PlotPage, ...] = (
            throughput_page(theme, self._cursor),
            latency_page(theme, self._cursor),
            queues_page(theme, self._cursor),
            device_page(theme, self._cursor),
            self._processes,
        )
        self.tabs = QTabWidget(self)
        self.tabs.setObjectName("tabs")
        self.tabs.setDocumentMode(True)
        titles = ("Throughput", "Latency", "Queues, drops", "Device", "Processes")
        for page, title in zip(self._pages, titles, strict=True):
            self.tabs.addTab(page, self.tr(title))
        self._log_index = self.tabs.addTab(self._log, self.tr("Log"))
        self.tabs.addTab(self._events, self.tr("Events"))
        self.tabs.currentChanged.connect(self._on_tab_changed)
        self._log.trouble_changed.connect(self._on_trouble_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)

    # what is shown

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take the streams' names and note what changed as events."""
        now_ns = self._clock()
        for event in changes(self._snapshot, snapshot, now_ns):
            self._add(event, now_ns)
        self._snapshot = snapshot
        self._names = [stream.name for stream in snapshot.streams]

    def add_telemetry(self, telemetry: Telemetry) -> None:
        """Add one batch of figures to the plots."""
        self._offset_ns = telemetry.at_ns - self._clock()
        rates = self._drops.update(telemetry)
        self._history.add(telemetry.at_ns / 1e9, series_of(telemetry, rates))
        self._processes.set_processes(telemetry.processes)

    def add_log(self, entries: list[LogEntry]) -> None:
        """Add records to the log."""
        self._log.add(entries)

    def add_event(self, text: str, *, tone: str = "info", source: str = "engine") -> None:
        """Add an event that no state tells, for example that the engine's process has died.

        Parameters
        ----------
        tone : "ok", "info", "warn", "error" or "muted".
        """
        now_ns = self._clock()
        self._add(Event(now_ns, tone, source, text), now_ns)

    @Slot()
    def tick(self) -> None:
        """Redraw the plots in view, ten times a second however often this is called."""
        now_ns = self._clock()
        if now_ns - self._refreshed_ns < _REFRESH_NS or not self.isVisible():
            return
        self._refreshed_ns = now_ns
        self._refresh(now_ns)

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self._log

    @property
    def events(self) -> EventsPage:
        """The list of events."""
        return self._events

    @property
    def chart_pages(self) -> tuple[PlotPage, ...]:
        """The pages with plots, in the order of their tabs."""
        return self._pages

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(960, 220)

    @Slot(int)
    def _on_tab_changed(self, _index: int) -> None:
        self._log.set_watched(self.tabs.currentWidget() is self._log)
        self._refresh(self._clock())

    @Slot(int)
    def _on_trouble_changed(self, count: int) -> None:
        title = self.tr("Log")
        self.tabs.setTabText(self._log_index, f"{title} ({count})" if count else title)
        tip = self.tr("{0} warnings and errors since you last looked").format(count)
        self.tabs.setTabToolTip(self._log_index, tip if count else "")

    def _refresh(self, now_ns: int) -> None:
        page = self.tabs.currentWidget()
        if isinstance(page, PlotPage):
            now_s = (now_ns + self._offset_ns) / 1e9
            page.refresh(self._history, self._names, now_s, self._marks)

    def _add(self, event: Event, now_ns: int) -> None:
        self._events.add(event, now_ns)
        if event.tone in {"warn", "error"}:
            self._marks.append(Mark((event.at_ns + self._offset_ns) / 1e9, event.text))
            del self._marks[:-_MAX_MARKS]
