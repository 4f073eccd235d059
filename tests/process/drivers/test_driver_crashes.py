"""Every way a driver can fail, at every place: the engine is told in words and nothing is left."""

import re
from collections.abc import Callable

import psutil
import pytest

from engine.drivers import DriverEntry, DriverProcess, Ended, Failed, FrameReady
from engine.errors import (
    DriverCrashedError,
    DriverError,
    DriverProtocolError,
    EngineError,
    MediaError,
)

MakeDriver = Callable[..., DriverEntry]
RunDriver = Callable[..., DriverProcess]

WAYS = {
    "raise": (
        "raise ValueError('lens cap is on')",
        DriverError,
        "driver 'test' failed while {doing}: ValueError: lens cap is on",
    ),
    "say": ("raise MediaError('the lens cap is on')", MediaError, "the lens cap is on"),
    "exit": ("sys.exit(3)", DriverError, "driver 'test' failed while {doing}: SystemExit: 3"),
    "hard exit": ("os._exit(3)", DriverCrashedError, "ended with exit code 3"),
    "segfault": (
        "sys.stderr.write('the last words'); sys.stderr.flush(); os.kill(os.getpid(), 11)",
        DriverCrashedError,
        r"was killed by SIGSEGV \(segmentation fault\)",
    ),
    "close everything": (
        "os.closerange(3, 100); os._exit(0)",
        DriverCrashedError,
        "ended normally",
    ),
}


def _error_of(process: DriverProcess) -> EngineError:
    while isinstance(event := process.receive(5.0), FrameReady):
        process.frame(event.slot)
        process.free(event.slot)
    assert isinstance(event, Failed), event
    return event.to_error()


@pytest.mark.expected_log
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_while_opening(way: str, make_driver: MakeDriver, run_driver: RunDriver) -> None:
    code, kind, sentence = WAYS[way]
    process = run_driver(make_driver(open=code))

    with pytest.raises(kind, match=sentence.format(doing="opening its source")) as caught:
        process.start()
    if way == "segfault":
        assert "the last words" in str(caught.value.details["stderr_tail"])
    assert process.pid == 0


@pytest.mark.expected_log
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_while_reading(way: str, make_driver: MakeDriver, run_driver: RunDriver) -> None:
    code, kind, sentence = WAYS[way]
    process = run_driver(make_driver(read=f"if self.number == 3: {code}"))
    process.start()

    error = _error_of(process)

    assert type(error) is kind
    assert re.search(sentence.format(doing="reading a frame"), error.message)
    process.stop()


@pytest.mark.expected_log
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_while_closing_does_not_hide_the_end(
    way: str,
    make_driver: MakeDriver,
    run_driver: RunDriver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    code, kind, _ = WAYS[way]
    process = run_driver(make_driver(close=code), {"frames": 2})
    process.start()
    pid = process.pid
    while isinstance(event := process.receive(5.0), FrameReady):
        process.frame(event.slot)
        process.free(event.slot)

    outcome = process.stop()

    assert event == Ended(2)
    assert outcome is not None
    assert outcome.is_clean == (way == "close everything")
    assert not psutil.pid_exists(pid)
    if kind is not DriverCrashedError:
        assert "could not close its source" in caplog.text


@pytest.mark.expected_log
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_while_closing_after_a_stop(
    way: str, make_driver: MakeDriver, run_driver: RunDriver
) -> None:
    process = run_driver(make_driver(close=WAYS[way][0]))
    process.start()
    pid = process.pid

    outcome = process.stop()

    assert outcome is not None
    assert outcome.is_clean == (way == "close everything")
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("place", ["open", "read", "close"])
def test_a_flood_on_standard_error_stops_nobody(
    place: str, make_driver: MakeDriver, run_driver: RunDriver
) -> None:
    flood = "for _ in range(200): sys.stderr.write('z' * 50000)"
    process = run_driver(make_driver(**{place: flood}), {"frames": 2})
    process.start()

    while isinstance(event := process.receive(5.0), FrameReady):
        process.frame(event.slot)
        process.free(event.slot)

    assert event == Ended(2)
    outcome = process.stop()
    assert outcome is not None
    assert outcome.is_clean


@pytest.mark.expected_log
@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        ("import nothing_like_this", DriverError, "cannot be loaded .* No module named"),
        ("def Driver(: pass", DriverError, "cannot be loaded .* SyntaxError"),
        ("x = 1", DriverError, "has no class Driver derived from"),
        ("class Driver: pass", DriverError, "has no class Driver derived from"),
        ("import os; os._exit(9)", DriverCrashedError, "ended with exit code 9"),
    ],
)
def test_a_module_that_cannot_be_loaded(
    code: str,
    kind: type[EngineError],
    sentence: str,
    make_driver: MakeDriver,
    run_driver: RunDriver,
) -> None:
    with pytest.raises(kind, match=sentence):
        run_driver(make_driver(code=code)).start()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("return None", "open.. returned no FrameFormat"),
        ("return FrameFormat(FrameKind.IMAGE, (4, 6), 'uint8')", "the shape of a picture is"),
        ("return FrameFormat(FrameKind.IMAGE, (4, 6, 3), 'int8')", "are uint8, not int8"),
    ],
)
def test_a_format_that_makes_no_sense(
    code: str, sentence: str, make_driver: MakeDriver, run_driver: RunDriver
) -> None:
    with pytest.raises(DriverProtocolError, match=sentence):
        run_driver(make_driver(open=code)).start()


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("b'nonsense'", "sent something that makes no sense"),
        ("encode(FrameReady(99, 10, 1, 2))", "there is no slot 99"),
        ("encode(FrameReady(7, 10, 1, 2))", "slot 7 is not ready"),
        ("encode(Opened(FrameFormat(FrameKind.IMAGE, (4, 6, 3), 'uint8')))", "opened .* twice"),
    ],
)
def test_a_driver_that_talks_over_the_channel_itself(
    message: str, sentence: str, make_driver: MakeDriver, run_driver: RunDriver
) -> None:
    code = (
        "if self.number == 2:\n"
        "    from engine.drivers.messages import FrameReady, Opened, encode\n"
        f"    os.write(int(sys.argv[1]), {message})"
    )
    process = run_driver(make_driver(read=code))
    process.start()

    error = _error_of(process)

    assert type(error) is DriverProtocolError
    assert re.search(sentence, error.message)
    assert process.receive(0.0) is None
    process.stop()


@pytest.mark.expected_log
def test_a_truth_that_cannot_be_packed_is_the_drivers_fault(
    make_driver: MakeDriver, run_driver: RunDriver
) -> None:
    process = run_driver(make_driver(read="return Truth(classes=(np.int64(3),))"))
    process.start()

    assert "failed while reading a frame: TypeError" in _error_of(process).message


@pytest.mark.expected_log
def test_a_truth_that_is_too_large_is_left_out(
    make_driver: MakeDriver, run_driver: RunDriver, caplog: pytest.LogCaptureFixture
) -> None:
    process = run_driver(make_driver(read="return Truth(classes=tuple(range(40000)))"))
    process.start()

    event = process.receive(5.0)

    assert isinstance(event, FrameReady)
    assert event.truth is None
    process.receive(1.0)
    assert "truth about a frame is too large" in caplog.text
