"""What each tab shows: which lines stand in which plot."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from engine.protocol import ProcessFigures
from ui.plots.chart import Chart, Line, Mark, TimeCursor
from ui.plots.events import Event
from ui.plots.history import History
from ui.plots.table import Column, Row, TextTable
from ui.shell.theme import Theme, set_role

__all__ = (
    "ChartPage",
    "EventsPage",
    "PlotPage",
    "ProcessPage",
    "device_page",
    "latency_page",
    "queues_page",
    "throughput_page",
)

Lines = Callable[[Sequence[str]], list[Line]]

_MAX_EVENTS = 500
_FAINT, _FAINTER = 0.45, 0.68


class PlotPage(QWidget):
    """A page whose plots are drawn while it is in view."""

    @property
    def charts(self) -> tuple[Chart, ...]:
        """The plots of this page."""
        raise NotImplementedError

    def refresh(
        self, history: History, names: Sequence[str], now_s: float, marks: Sequence[Mark]
    ) -> None:
        """Draw the lines of these streams up to `now_s`."""
        raise NotImplementedError


class ChartPage(PlotPage):
    """One or more plots side by side with the same time axis."""

    def __init__(
        self, name: str, charts: Sequence[tuple[Chart, Lines]], *, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._charts = tuple(charts)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for index, (chart, _) in enumerate(self._charts):
            if index:
                layout.addWidget(_hairline())
            layout.addWidget(chart, 1)

    @property
    def charts(self) -> tuple[Chart, ...]:
        """The plots of this page."""
        return tuple(chart for chart, _ in self._charts)

    def refresh(
        self, history: History, names: Sequence[str], now_s: float, marks: Sequence[Mark]
    ) -> None:
        """Draw the lines of these streams."""
        for chart, lines in self._charts:
            chart.show_lines(history, lines(names), now_s, marks)


class ProcessPage(PlotPage):
    """Processor and memory of every process of the engine: a table and two plots."""

    def __init__(self, theme: Theme, cursor: TimeCursor, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("processes_page")
        self._roles: list[str] = []
        columns = (
            Column(self.tr("Process")),
            Column(self.tr("PID"), "123456", is_number=True),
            Column(self.tr("CPU %"), "1600.0", is_number=True),
            Column(self.tr("Memory MB"), "12 345", is_number=True),
        )
        self.table = TextTable(theme, columns, parent=self)
        self.table.setObjectName("process_table")
        self.table.setAccessibleName(self.tr("Processes"))
        self.table.setMaximumWidth(400)
        self.table.setMinimumWidth(340)
        cpu = Chart(theme, cursor, self.tr("Processor"), self.tr("% of one core"), form="{:.0f}")
        memory = Chart(theme, cursor, self.tr("Memory"), self.tr("MB"), form="{:.0f}")
        self._page = ChartPage(
            "process_charts", ((cpu, self._lines("cpu")), (memory, self._lines("memory")))
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.table, 2)
        layout.addWidget(_hairline())
        layout.addWidget(self._page, 3)

    @property
    def charts(self) -> tuple[Chart, ...]:
        """The plots of this page."""
        return self._page.charts

    def set_processes(self, processes: Sequence[ProcessFigures]) -> None:
        """Show these processes in the table."""
        self._roles = [process.role for process in processes]
        self.table.rows.set_rows([_process_row(process) for process in processes])

    def refresh(
        self, history: History, names: Sequence[str], now_s: float, marks: Sequence[Mark]
    ) -> None:
        """Draw the lines of the processes; `names` of streams are of no use here."""
        del names
        self._page.refresh(history, self._roles, now_s, marks)

    @staticmethod
    def _lines(what: str) -> Lines:
        def lines(roles: Sequence[str]) -> list[Line]:
            return [Line((f"process {role}", what), role, i) for i, role in enumerate(roles)]

        return lines


class EventsPage(QWidget):
    """What happened, newest first."""

    def __init__(self, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("events_page")
        columns = (
            Column(self.tr("Time"), "00:00:00"),
            Column(self.tr("Kind"), "warning"),
            Column(self.tr("About"), "a stream's name"),
            Column(self.tr("What happened")),
        )
        self.table = TextTable(theme, columns, parent=self)
        self.table.setObjectName("events_table")
        self.table.setAccessibleName(self.tr("Events"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)

    def add(self, event: Event, now_ns: int) -> None:
        """Put an event on top of the list."""
        at = datetime.now().astimezone() - timedelta(microseconds=(now_ns - event.at_ns) / 1000)
        kind = _KINDS.get(event.tone, "change")
        texts = (f"{at:%H:%M:%S}", kind, event.source, event.text)
        self.table.rows.insert_first(Row(texts, event.tone, 1), _MAX_EVENTS)


def throughput_page(theme: Theme, cursor: TimeCursor) -> ChartPage:
    """Return the page of output rates with the input rates behind them."""
    chart = Chart(theme, cursor, "Throughput", "results per second; arriving frames fainter")

    def lines(names: Sequence[str]) -> list[Line]:
        out = [Line((name, "rate_out"), name, i) for i, name in enumerate(names)]
        arriving = [Line((name, "rate_in"), "", i, _FAINTER) for i, name in enumerate(names)]
        return [*out, *arriving]

    return ChartPage("throughput_page", ((chart, lines),))


def latency_page(theme: Theme, cursor: TimeCursor) -> ChartPage:
    """Return the page of result ages at three percentiles."""
    chart = Chart(
        theme, cursor, "Age of results", "ms from capture to result; p50, fainter p95 and p99"
    )

    def lines(names: Sequence[str]) -> list[Line]:
        found = [Line((name, "p50"), name, i) for i, name in enumerate(names)]
        found += [Line((name, "p95"), "", i, _FAINT) for i, name in enumerate(names)]
        return found + [Line((name, "p99"), "", i, _FAINTER) for i, name in enumerate(names)]

    return ChartPage("latency_page", ((chart, lines),))


def queues_page(theme: Theme, cursor: TimeCursor) -> ChartPage:
    """Return the page of frames under way and frames dropped."""
    in_flight = Chart(theme, cursor, "In flight", "frames under way", form="{:.0f}", least_top=4)
    drops = Chart(theme, cursor, "Drops", "frames per second", least_top=4)

    def lines(what: str) -> Lines:
        return lambda names: [Line((name, what), name, i) for i, name in enumerate(names)]

    return ChartPage("queues_page", ((in_flight, lines("in_flight")), (drops, lines("drops"))))


def device_page(theme: Theme, cursor: TimeCursor) -> ChartPage:
    """Return the page of the device's use."""
    chart = Chart(
        theme,
        cursor,
        "Device lanes",
        "% of the time that lanes execute programs",
        form="{:.0f}\u202f%",
        least_top=100,
        is_fixed=True,
    )
    return ChartPage(
        "device_page", ((chart, lambda _names: [Line(("device", "busy"), "busy", 0)]),)
    )


_KINDS = {
    "ok": "good",
    "info": "info",
    "warn": "warning",
    "error": "error",
    "muted": "change",
}


def _process_row(process: ProcessFigures) -> Row:
    memory = f"{process.memory_bytes / 2**20:,.0f}".replace(",", "\u202f")
    return Row((process.role, str(process.pid or "-"), f"{process.cpu_percent:.1f}", memory))


def _hairline() -> QFrame:
    line = QFrame()
    line.setFixedWidth(1)
    set_role(line, "hairline")
    return line
