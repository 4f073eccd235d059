"""Log records on their way to the parent process."""

import logging
import os
from collections.abc import Callable, Iterator

import msgspec
import pytest

from engine.errors import ClosedError
from engine.process import ForwardingHandler, PeerGoneError
from engine.protocol import LogEntry

Attach = Callable[[ForwardingHandler], logging.Logger]


class Line:
    """Takes messages while it has room."""

    def __init__(self) -> None:
        self.has_room = True
        self.error: Exception | None = None
        self.entries: list[LogEntry] = []

    def send(self, data: bytes) -> bool:
        if self.error is not None:
            raise self.error
        if self.has_room:
            self.entries.append(msgspec.msgpack.decode(data, type=LogEntry))
        return self.has_room


@pytest.fixture
def attach() -> Iterator[Attach]:
    logger = logging.getLogger("driver.test")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)

    def attached(handler: ForwardingHandler) -> logging.Logger:
        logger.addHandler(handler)
        return logger

    yield attached
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def test_a_record_arrives_with_everything_the_panel_shows(attach: Attach) -> None:
    line = Line()
    log = attach(ForwardingHandler(line.send, role="driver host"))
    log.info("opened %s with %d frames", "a.mp4", 7, extra={"stream": "cam1"})
    (entry,) = line.entries
    assert entry.message == "opened a.mp4 with 7 frames"
    assert (entry.level, entry.logger, entry.role) == ("INFO", "driver.test", "driver host")
    assert (entry.pid, entry.stream) == (os.getpid(), "cam1")
    assert entry.at_ns > 0


def test_an_exception_travels_as_text(attach: Attach) -> None:
    line = Line()
    log = attach(ForwardingHandler(line.send, role="driver host"))
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        log.exception("failed")
    assert line.entries[0].message.startswith("failed\nTraceback")
    assert line.entries[0].message.endswith("integer division or modulo by zero")


def test_what_cannot_be_sent_is_counted_and_told_by_the_next_record(attach: Attach) -> None:
    line = Line()
    handler = ForwardingHandler(line.send, role="driver host")
    log = attach(handler)
    line.has_room = False
    for _ in range(3):
        log.warning("lost")
    assert handler.dropped == 3
    line.has_room = True
    log.warning("heard")
    log.warning("heard too")
    assert [entry.message for entry in line.entries] == [
        "3 log records were dropped because nobody read them in time",
        "heard",
        "heard too",
    ]
    assert handler.dropped == 3


@pytest.mark.parametrize("error", [PeerGoneError("gone"), ClosedError("closed"), OSError("broken")])
def test_a_parent_that_is_gone_stops_nobody_from_logging(attach: Attach, error: Exception) -> None:
    line = Line()
    line.error = error
    handler = ForwardingHandler(line.send, role="driver host")
    attach(handler).error("nobody hears this")
    assert handler.dropped == 1


def test_a_very_long_text_is_cut_so_that_it_fits_into_a_message(attach: Attach) -> None:
    line = Line()
    attach(ForwardingHandler(line.send, role="driver host")).info("ü" * 1_000_000)
    (entry,) = line.entries
    assert entry.message.endswith("[cut]")
    assert len(msgspec.msgpack.encode(entry)) < 64 * 1024


def test_arguments_that_do_not_fit_their_format_are_reported_and_break_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = Line()
    handler = ForwardingHandler(line.send, role="driver host")
    for text, args in (("%d", ("no number",)), ("fine", ())):
        handler.handle(logging.LogRecord("x", logging.INFO, __file__, 1, text, args, None))
    handler.close()
    assert "Logging error" in capsys.readouterr().err
    assert [entry.message for entry in line.entries] == ["fine"]
