import subprocess
import sys
from collections.abc import Callable

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from engine.protocol import LatencyFigures, LogEntry, ProcessFigures, StreamPhase
from tests.ui.wall.fakes import FakeClock, figures, snapshot, stream, telemetry
from ui.plots import BottomTabs
from ui.plots.chart import Chart
from ui.shell.theme import Theme

Make = Callable[..., BottomTabs]

TABS = ["Throughput", "Latency", "Queues, drops", "Device", "Processes", "Log", "Events"]


@pytest.fixture
def make_tabs(qtbot: QtBot, theme: Theme, clock: FakeClock) -> Make:
    """Return a function that shows tabs with ten seconds of figures of some streams."""

    def make(*names: str, tab: int = 0, seconds: float = 10.0) -> BottomTabs:
        tabs = BottomTabs(theme, clock=clock)
        qtbot.addWidget(tabs)
        tabs.resize(1000, 260)
        tabs.set_snapshot(snapshot(*(stream(name) for name in names)))
        for _ in range(round(seconds * 5)):
            feed(tabs, clock, *names)
        tabs.tabs.setCurrentIndex(tab)
        tabs.show()
        if tab < 5:
            charts = tabs.chart_pages[tab].charts
            qtbot.waitUntil(lambda: all(chart.is_built for chart in charts))
        tabs.tick()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        clock.pass_s(0.1)
        tabs.tick()
        return tabs

    return make


def feed(tabs: BottomTabs, clock: FakeClock, *names: str) -> None:
    clock.pass_s(0.2)
    streams = [
        figures(name, rate_out_hz=10.0 * (i + 1), rate_in_hz=10.0 * (i + 1) + 1)
        for i, name in enumerate(names)
    ]
    tabs.add_telemetry(telemetry(*streams, at_s=clock.now_ns / 1e9))


def chart_of(tabs: BottomTabs, page: int, index: int = 0) -> Chart:
    return tabs.chart_pages[page].charts[index]


def test_the_tabs_stand_in_their_order(make_tabs: Make) -> None:
    tabs = make_tabs("street")

    assert [tabs.tabs.tabText(i) for i in range(tabs.tabs.count())] == TABS


def test_the_plotting_library_is_not_loaded_with_the_tabs() -> None:
    code = (
        "import sys\n"
        "from PySide6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "from ui.plots import BottomTabs\n"
        "from ui.shell.theme import Theme\n"
        "tabs = BottomTabs(Theme('dark'))\n"
        "tabs.show()\n"
        "assert 'pyqtgraph' not in sys.modules\n"
        "for _ in range(5): app.processEvents()\n"
        "assert 'pyqtgraph' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_only_the_tab_in_view_builds_its_plots(make_tabs: Make) -> None:
    tabs = make_tabs("street")

    assert chart_of(tabs, 0).is_built
    assert not chart_of(tabs, 1).is_built


def test_before_the_first_figures_the_plot_says_what_belongs_there(make_tabs: Make) -> None:
    tabs = make_tabs("street", seconds=0)
    waiting = chart_of(tabs, 0).findChild(QLabel, "placeholder")

    assert isinstance(waiting, QLabel)
    assert waiting.isVisible()
    assert waiting.text() == "No figures yet. Run the project to see them here."


@pytest.mark.parametrize(
    ("page", "index", "label", "value"),
    [
        (0, 0, "street", "10.0"),
        (1, 0, "street", "22.0"),
        (2, 0, "street", "2"),
        (2, 1, "street", "0.0"),
        (3, 0, "busy", "60\u202f%"),
        (4, 0, "engine", "61"),
        (4, 1, "engine", "180"),
    ],
)
def test_every_plot_names_its_lines_at_their_ends(
    make_tabs: Make, page: int, index: int, label: str, value: str
) -> None:
    tabs = make_tabs("street", tab=page)
    labels = chart_of(tabs, page, index).labels

    assert [(found.name, found.value) for found in labels] == [(label, value)]


def test_labels_have_the_color_of_their_stream(make_tabs: Make, theme: Theme) -> None:
    labels = chart_of(make_tabs("a", "b"), 0).labels

    assert {(label.name, label.color) for label in labels} == {
        ("a", theme.series(0).name()),
        ("b", theme.series(1).name()),
    }


def test_a_line_is_painted_in_the_color_of_its_stream(make_tabs: Make, theme: Theme) -> None:
    tabs = make_tabs("a", "b")
    image = tabs.grab().toImage()
    wanted = theme.series(1)
    column = image.width() - 140

    assert any(image.pixelColor(column, y) == wanted for y in range(image.height()))


def test_changing_the_theme_recolors_a_living_plot(make_tabs: Make, theme: Theme) -> None:
    tabs = make_tabs("a")
    theme.set_mode("light")
    image = tabs.grab().toImage()
    found = {image.pixelColor(x, y).name() for x in (400, 850) for y in range(60, 240)}

    assert theme.series(0).name() in found
    assert theme.tokens.surface.lower() in found
    assert QColor("#1D2126").name() not in found


def test_the_cursor_shows_the_values_of_its_time(make_tabs: Make, clock: FakeClock) -> None:
    tabs = make_tabs("a")
    for _ in range(10):
        clock.pass_s(0.2)
        batch = telemetry(figures("a", rate_out_hz=99.0), at_s=clock.now_ns / 1e9)
        tabs.add_telemetry(batch)
    tabs.tick()
    chart = chart_of(tabs, 0)
    newest = chart.labels[0].value
    tabs._cursor.move(-5.0)
    then = chart.labels[0].value
    tabs._cursor.move(None)

    assert (newest, then, chart.labels[0].value) == ("99.0", "10.0", "99.0")


def test_plots_are_redrawn_at_most_ten_times_a_second(
    make_tabs: Make, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tabs = make_tabs("a")
    drawn: list[int] = []
    monkeypatch.setattr(tabs, "_refresh", drawn.append)
    for _ in range(300):
        clock.pass_s(1 / 30)
        tabs.tick()

    assert 95 <= len(drawn) <= 101


def test_hidden_tabs_draw_nothing(
    make_tabs: Make, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tabs = make_tabs("a")
    tabs.hide()
    drawn: list[int] = []
    monkeypatch.setattr(tabs, "_refresh", drawn.append)
    clock.pass_s(1)
    tabs.tick()

    assert drawn == []


def test_a_stream_that_is_removed_loses_its_lines(make_tabs: Make, clock: FakeClock) -> None:
    tabs = make_tabs("a", "b")
    tabs.set_snapshot(snapshot(stream("a")))
    feed(tabs, clock, "a")
    tabs.tick()

    assert [label.name for label in chart_of(tabs, 0).labels] == ["a"]


def test_labels_that_do_not_fit_are_counted(make_tabs: Make) -> None:
    tabs = make_tabs(*(f"camera {i}" for i in range(36)))
    chart = chart_of(tabs, 0)

    assert 3 < len(chart.labels) < 36
    assert not tabs.grab().isNull()


def test_odd_figures_are_drawn_without_a_fault(make_tabs: Make, clock: FakeClock) -> None:
    tabs = make_tabs("a")
    odd = figures(
        "a",
        rate_out_hz=float("inf"),
        rate_in_hz=float("nan"),
        latency_ms=LatencyFigures(1e-9, 1e12, 5.0),
    )
    for tab in range(5):
        tabs.tabs.setCurrentIndex(tab)
        clock.pass_s(1.5)
        tabs.add_telemetry(telemetry(odd, at_s=clock.now_ns / 1e9, processes=()))
        tabs.tick()

        assert not tabs.grab().isNull()


def test_processes_stand_in_a_table(make_tabs: Make, clock: FakeClock) -> None:
    tabs = make_tabs("a", tab=4)
    clock.pass_s(0.2)
    processes = (
        ProcessFigures("engine", 4711, 61.25, 2048 << 20),
        ProcessFigures("window", 8, 5.0, 0),
    )
    tabs.add_telemetry(telemetry(at_s=clock.now_ns / 1e9, processes=processes))
    rows = tabs._processes.table.rows
    shown = [[rows.index(r, c).data() for c in range(4)] for r in range(rows.rowCount())]

    assert shown == [["engine", "4711", "61.2", "2\u202f048"], ["window", "8", "5.0", "0"]]


def test_state_changes_become_events_newest_first(make_tabs: Make) -> None:
    tabs = make_tabs("a", tab=6)
    tabs.set_snapshot(snapshot(stream("a", StreamPhase.FAILED, message="The file is missing.")))
    tabs.add_event("The engine was killed by SIGKILL", tone="error")
    rows = tabs.events.table.rows

    assert [rows.index(r, 3).data() for r in range(2)] == [
        "The engine was killed by SIGKILL",
        "a has failed: The file is missing.",
    ]
    assert [rows.index(r, 1).data() for r in range(2)] == ["error", "error"]


def test_very_many_events_do_not_grow_the_list(make_tabs: Make) -> None:
    tabs = make_tabs("a", tab=6)
    for index in range(600):
        tabs.add_event(f"event {index}")

    assert tabs.events.table.rows.rowCount() == 500
    assert tabs.events.table.rows.index(0, 3).data() == "event 599"


def test_trouble_in_the_log_is_counted_on_its_tab_until_looked_at(make_tabs: Make) -> None:
    tabs = make_tabs("a")
    tabs.add_log([LogEntry(0, "WARNING", "x", "one"), LogEntry(0, "INFO", "x", "two")])
    counted = tabs.tabs.tabText(5)
    tabs.tabs.setCurrentIndex(5)

    assert counted == "Log (1)"
    assert tabs.tabs.tabText(5) == "Log"
