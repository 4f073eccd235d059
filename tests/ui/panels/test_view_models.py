"""The parts of the panels that know no Qt."""

import msgspec
import pytest

from engine.config import ParameterValue, Task
from engine.errors import EngineError
from engine.protocol import (
    DriverParameter,
    LatencyFigures,
    SetLanes,
    Snapshot,
    StreamFigures,
    StreamPhase,
    StreamState,
    Telemetry,
    TensorInfo,
)
from tests.ui.fakes import FakeControl, demo_snapshot, demo_telemetry
from ui.viewmodels.base import ViewModel
from ui.viewmodels.formats import (
    format_bytes,
    format_ms,
    format_rate,
    format_shape,
    shorten_path,
    task_word,
)
from ui.viewmodels.overview import age_text, load_text, memory_text, rate_text, streams_text
from ui.viewmodels.parameters import changed_values, check_value
from ui.viewmodels.states import stream_sign
from ui.viewmodels.threads import ThreadsViewModel

RATE = DriverParameter("rate_hz", "Rate", "number", 30.0, "fps", minimum=1, maximum=240)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (88_410, "88.4 kB"),
        (232_589, "233 kB"),
        (999_700, "1.0 MB"),
        (1_200_000_000, "1.2 GB"),
    ],
)
def test_sizes_are_read_with_three_figures(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [(8.416, "8.42 ms"), (9.996, "10.0 ms"), (22.06, "22.1 ms"), (140.2, "140 ms")],
)
def test_durations_are_read_with_three_figures(duration: float, text: str) -> None:
    assert format_ms(duration) == text


def test_rates_of_lines_are_lines_per_second() -> None:
    assert (format_rate(29.94), format_rate(60, is_line=True)) == ("29.9 fps", "60.0 l/s")


def test_a_free_dimension_is_a_question_mark() -> None:
    assert format_shape(TensorInfo("x", (0, 3), "uint8")) == "? \u00d7 3 uint8"


@pytest.mark.parametrize("task", list(Task))
def test_every_task_has_a_word(task: Task) -> None:
    assert task_word(task)


@pytest.mark.parametrize("phase", list(StreamPhase))
def test_every_phase_has_icon_word_and_tone(phase: StreamPhase) -> None:
    sign = stream_sign(phase)
    assert sign.icon
    assert sign.word
    assert sign.tone


@pytest.mark.parametrize(
    ("path", "folder", "short"),
    [
        ("/home/ada/p/media/a.mp4", "/home/ada/p", "media/a.mp4"),
        ("/mnt/a.mp4", "/home/ada/p", "/mnt/a.mp4"),
        ("/mnt/a.mp4", "", "/mnt/a.mp4"),
        ("a.mp4", "/home/ada/p", "a.mp4"),
    ],
)
def test_only_paths_inside_the_projects_folder_become_relative(
    path: str, folder: str, short: str
) -> None:
    assert shorten_path(path, folder) == short


@pytest.mark.parametrize(
    ("parameter", "value", "problem"),
    [
        (RATE, 30.0, ""),
        (RATE, 0, "Choose 1 to 240 fps."),
        (RATE, "fast", "Rate is a number."),
        (RATE, True, "Rate is a number."),
        (DriverParameter("n", "Count", "integer", minimum=1), 0, "Choose 1 or more."),
        (DriverParameter("n", "Count", "integer", maximum=9), 10, "Choose 9 or less."),
        (DriverParameter("p", "File", "path", is_required=True), " ", "Choose a file."),
        (DriverParameter("p", "Folder", "folder", is_required=True), "", "Choose a folder."),
        (DriverParameter("p", "Address", "text", is_required=True), "", "Address is needed."),
        (DriverParameter("p", "File", "path"), "", ""),
        (DriverParameter("c", "Kind", "choice", choices=("a", "b")), "c", "Choose one of a, b."),
    ],
)
def test_a_parameter_is_checked_and_refused_with_a_sentence(
    parameter: DriverParameter, value: ParameterValue, problem: str
) -> None:
    assert check_value(parameter, value) == problem


def test_only_values_that_differ_or_were_said_before_are_stored() -> None:
    loop = DriverParameter("loop", "Loop", "boolean", True)
    assert changed_values((RATE, loop), {"rate_hz": 30.0, "loop": False}, {}) == {"loop": False}
    assert changed_values((RATE,), {"rate_hz": 30.0}, {"rate_hz": 15.0}) == {"rate_hz": 30.0}


def stream(name: str, rate: float, p50: float) -> StreamFigures:
    return StreamFigures(name, rate_out_hz=rate, latency_ms=LatencyFigures(p50, p50, p50))


def test_the_age_is_the_median_over_results_not_over_streams() -> None:
    telemetry = Telemetry(0, (stream("slow", 5, 90.0), stream("a", 50, 9.0), stream("b", 45, 20.0)))
    assert age_text(telemetry) == "9.00 ms"


def test_streams_that_deliver_nothing_have_no_part_in_the_age() -> None:
    assert age_text(Telemetry(0, (stream("a", 0, 500.0), stream("b", 1, 20.0)))) == "20.0 ms"


def test_without_figures_dashes_are_shown() -> None:
    assert {f(None) for f in (age_text, rate_text, memory_text)} == {"\u2013"}
    assert load_text(None, 8) == "\u2013"


def test_load_is_of_the_whole_machine_and_memory_of_all_processes() -> None:
    assert (load_text(demo_telemetry(), 8), memory_text(demo_telemetry())) == ("44 %", "970 MB")


def test_streams_are_counted_and_those_that_run_when_not_all_do() -> None:
    running, stopped = StreamState("a", StreamPhase.RUNNING), StreamState("b")
    assert streams_text(Snapshot(streams=(running,))) == "1 stream"
    assert streams_text(Snapshot(streams=(running, stopped))) == "1 of 2 streams"
    assert streams_text(Snapshot(streams=(stopped, stopped))) == "2 streams"


class TestWaiting:
    def test_what_was_asked_for_is_shown_until_the_engine_has_done_it(self) -> None:
        control = FakeControl()
        control.is_mute = True
        model = ThreadsViewModel(control)
        model.set_snapshot(demo_snapshot())
        model.set_lanes(4)
        model.set_snapshot(demo_snapshot(version=13))
        assert model.lanes == 4
        control.waiting[0](None, None)
        model.set_snapshot(demo_snapshot(version=14))
        assert model.lanes == 0

    def test_what_was_refused_is_shown_no_longer(self) -> None:
        control = FakeControl()
        control.error = EngineError("too many lanes")
        model = ThreadsViewModel(control)
        model.set_snapshot(demo_snapshot())
        model.set_lanes(4)
        assert (model.lanes, model.message) == (0, "too many lanes")

    def test_a_later_wish_is_not_ended_by_the_failure_of_an_earlier_one(self) -> None:
        control = FakeControl()
        control.is_mute = True
        model = ThreadsViewModel(control)
        model.set_snapshot(demo_snapshot())
        model.set_lanes(4)
        model.set_lanes(6)
        control.waiting[0](None, EngineError("busy"))
        assert model.lanes == 6

    def test_the_next_command_takes_the_old_sentence_away(self) -> None:
        control = FakeControl()
        model = ViewModel(control)
        control.error = EngineError("no")
        model.ask(SetLanes(1))
        assert model.message == "no"
        control.error = None
        model.ask(SetLanes(2))
        assert (model.message, model.is_busy) == ("", False)

    def test_a_command_that_is_not_answered_keeps_the_panel_busy(self) -> None:
        control = FakeControl()
        control.is_mute = True
        model = ViewModel(control)
        model.ask(SetLanes(1))
        assert model.is_busy


@pytest.mark.parametrize(
    ("busy", "lanes", "begins"),
    [
        (0.5, 8, "The lanes keep up"),
        (0.95, 4, "The lanes are the limit"),
        (0.95, 8, "The processor"),
    ],
)
def test_the_verdict_says_what_limits(busy: float, lanes: int, begins: str) -> None:
    model = ThreadsViewModel(FakeControl())
    snapshot = demo_snapshot()
    engine = msgspec.structs.replace(snapshot.engine, lanes=lanes)
    model.set_snapshot(msgspec.structs.replace(snapshot, engine=engine))
    model.set_telemetry(msgspec.structs.replace(demo_telemetry(), lanes_busy=busy))
    assert model.verdict.startswith(begins)
