import pytest
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from engine.protocol import STAGES, FrameFormat, FrameKind, StreamPhase
from tests.ui.wall.fakes import LINES_60_HZ, FakeClock, figures, snapshot, stream, telemetry
from ui.inspector import Inspector
from ui.inspector.figures import drop_rows, format_rows, stage_bars
from ui.inspector.rows import FigureRows
from ui.inspector.stage_chart import StageChart
from ui.shell.theme import Theme
from ui.shell.tokens import mix


@pytest.fixture
def inspector(qtbot: QtBot, theme: Theme, clock: FakeClock) -> Inspector:
    inspector = Inspector(theme, clock=clock)
    qtbot.addWidget(inspector)
    inspector.resize(280, 900)
    inspector.show()
    return inspector


def text(inspector: Inspector, name: str) -> str:
    label = inspector.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label.text()


def values(inspector: Inspector, name: str) -> list[str]:
    rows = inspector.findChild(FigureRows, name)
    assert isinstance(rows, FigureRows)
    return rows.values()


def stages(inspector: Inspector) -> StageChart:
    chart = inspector.findChild(StageChart)
    assert isinstance(chart, StageChart)
    return chart


def test_without_a_stream_it_says_how_to_get_one(inspector: Inspector) -> None:
    hint = inspector.findChild(QLabel, "inspector_hint")

    assert isinstance(hint, QLabel)
    assert hint.isVisible()


def test_rates_and_ages_of_the_stream_are_shown(inspector: Inspector) -> None:
    inspector.set_snapshot(snapshot(stream("street"), stream("faces")))
    inspector.show_stream("street")
    inspector.set_telemetry(telemetry(figures("faces", rate_out_hz=1.0), figures("street")))

    assert text(inspector, "stream_name") == "street"
    assert values(inspector, "rates") == ["30.0", "29.8", "2", "298"]
    assert values(inspector, "ages") == ["22.0", "31.0", "40.0"]
    assert text(inspector, "last_result") == "person 0.71, bicycle 0.55"


def test_another_stream_shows_its_figures_at_once(inspector: Inspector) -> None:
    inspector.set_snapshot(snapshot(stream("street"), stream("faces")))
    inspector.set_telemetry(telemetry(figures("faces", rate_out_hz=1.0), figures("street")))
    inspector.show_stream("faces")

    assert values(inspector, "rates")[1] == "1.0"


def test_figures_change_at_most_five_times_a_second(inspector: Inspector, clock: FakeClock) -> None:
    inspector.set_snapshot(snapshot(stream()))
    inspector.show_stream("street")
    inspector.set_telemetry(telemetry(figures(rate_out_hz=1.0)))
    clock.pass_s(0.05)
    inspector.set_telemetry(telemetry(figures(rate_out_hz=2.0)))
    early = values(inspector, "rates")[1]
    clock.pass_s(0.2)
    inspector.set_telemetry(telemetry(figures(rate_out_hz=3.0)))

    assert (early, values(inspector, "rates")[1]) == ("1.0", "3.0")


def test_before_the_first_figures_there_are_dashes(inspector: Inspector) -> None:
    inspector.set_snapshot(snapshot(stream(frame_format=None)))
    inspector.show_stream("street")

    assert values(inspector, "rates") == ["-", "-", "-", "-"]
    assert text(inspector, "last_result") == "nothing yet"


def test_a_failed_stream_shows_its_sentence(inspector: Inspector) -> None:
    failed = stream(phase=StreamPhase.FAILED, message="The file is missing.")
    inspector.set_snapshot(snapshot(failed))
    inspector.show_stream("street")

    assert text(inspector, "phase") == "failed"
    assert text(inspector, "message") == "The file is missing."


def test_a_stream_that_is_removed_leaves_the_hint(inspector: Inspector) -> None:
    inspector.set_snapshot(snapshot(stream()))
    inspector.show_stream("street")
    inspector.set_snapshot(snapshot())
    hint = inspector.findChild(QLabel, "inspector_hint")

    assert isinstance(hint, QLabel)
    assert hint.isVisible()


def test_origin_tells_driver_format_process_and_restarts(inspector: Inspector) -> None:
    inspector.set_snapshot(snapshot(stream(driver_pid=4711, restarts=2)))
    inspector.show_stream("street")

    assert values(inspector, "origin") == [
        "pan-zoom", "net", "640 \u00d7 360 pixels", "uint8", "30 Hz", "4711", "2",
    ]  # fmt: skip


def test_stage_bars_add_up_to_the_age() -> None:
    bars = stage_bars(figures())

    assert [bar.stage for bar in bars] == list(STAGES)
    assert sum(bar.mean_ms for bar in bars) == pytest.approx(22.0)
    assert sum(bar.share for bar in bars) == pytest.approx(1.0)


def test_stages_without_figures_are_zero() -> None:
    assert {(bar.mean_ms, bar.share) for bar in stage_bars(None)} == {(0.0, 0.0)}


def test_a_longer_stage_has_a_longer_bar(inspector: Inspector, theme: Theme) -> None:
    inspector.set_snapshot(snapshot(stream()))
    inspector.show_stream("street")
    inspector.set_telemetry(telemetry(figures()))
    chart = stages(inspector)
    image = chart.grab().toImage()
    quiet = QColor(mix(theme.tokens.accent, theme.tokens.surface, 0.45))

    def length(stage: int, color: QColor) -> int:
        row = stage * 20 + 10
        return sum(image.pixelColor(x, row) == color for x in range(image.width()))

    longest = length(4, theme.color("accent"))
    assert longest > 20
    assert length(0, quiet) == pytest.approx(longest * 4 / 11, abs=2)
    assert length(1, quiet) == pytest.approx(longest * 0.5 / 11, abs=2)


def test_stages_are_told_to_screen_readers(inspector: Inspector) -> None:
    inspector.set_snapshot(snapshot(stream()))
    inspector.show_stream("street")
    inspector.set_telemetry(telemetry(figures()))

    assert "device 11.0 ms" in stages(inspector).accessibleDescription()


def test_drops_are_told_by_reason_most_frequent_first() -> None:
    told = drop_rows(figures(dropped={"queue_full": 3, "superseded": 1200, "late": 0}))

    assert told == [("replaced by a newer frame", "1\u202f200"), ("queue was full", "3")]


@pytest.mark.parametrize(
    ("frame_format", "size"),
    [
        (LINES_60_HZ, "145 pixels \u00d7 200 bands"),
        (FrameFormat(FrameKind.IMAGE, (2, 3), "uint8"), "2 \u00d7 3"),
        (None, "-"),
    ],
)
def test_the_frame_is_described_in_words(frame_format: FrameFormat | None, size: str) -> None:
    assert format_rows(frame_format)[0] == ("Frame", size)


def test_a_theme_switch_repaints_the_stages(inspector: Inspector, theme: Theme) -> None:
    inspector.set_snapshot(snapshot(stream()))
    inspector.show_stream("street")
    inspector.set_telemetry(telemetry(figures()))
    theme.set_mode("light")
    image = stages(inspector).grab().toImage()

    assert theme.color("accent").name() in {
        image.pixelColor(x, 90).name() for x in range(image.width())
    }


def test_the_inspector_stands_on_the_surface_of_panels(inspector: Inspector, theme: Theme) -> None:
    palette = inspector.palette()
    palette.setColor(QPalette.ColorRole.Base, theme.color("surface"))
    inspector.setPalette(palette)
    inspector.set_snapshot(snapshot(stream()))
    inspector.show_stream("street")

    assert inspector.grab().toImage().pixelColor(3, 3) == theme.color("surface")
