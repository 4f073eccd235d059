"""The isolated process in which one driver runs; started by `DriverProcess`, one per stream.

Nothing of the protocol goes through standard output or standard error.
"""

import contextlib
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from engine.drivers.base import BaseDriver
from engine.drivers.enumeration import ENUMERATE
from engine.drivers.enumeration import main as list_devices
from engine.drivers.formats import check_format
from engine.drivers.host_control import HostControl
from engine.drivers.host_link import HostLink, StopRequestedError
from engine.drivers.host_loop import FrameLoop
from engine.drivers.loading import load_driver
from engine.drivers.messages import HOST_PROTOCOL_VERSION, Begin, Ended, Failed, Open, Opened
from engine.errors import DriverError, DriverProtocolError, EngineError, InvalidArgumentError
from engine.process import Channel, ForwardingHandler, leave_with_parent
from engine.protocol import FrameFormat
from engine.shm import SlotRing

__all__ = ("main",)

_EXIT_FAILED = 1
_EXIT_USAGE = 2

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one driver until its source ends or the engine says so; does not return then.

    Parameters
    ----------
    argv : the number of the channel's descriptor, and the number of the engine's process; or
        ``--enumerate`` and what `engine.drivers.enumeration` takes.

    Returns
    -------
    int
        The exit code when it was not started by the engine.
    """
    given = sys.argv[1:] if argv is None else argv
    if given and given[0] == ENUMERATE:
        list_devices(given[1:])
    try:
        fd, parent_pid = (int(text) for text in given)
        channel = _channel(fd)
    except (ValueError, OverflowError, InvalidArgumentError):
        sys.stderr.write(
            "penstock-driver-host is started by the engine, which passes it a channel; "
            "use 'penstock run PROJECT' instead\n"
        )
        return _EXIT_USAGE
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the engine, which then stops us
    leave_with_parent(parent_pid)
    return _leave(_serve(HostLink(channel)))


def _channel(fd: int) -> Channel:
    channel = Channel.from_fd(fd)
    if hasattr(os, "register_at_fork"):  # a copy of our end would hide our death from the engine
        os.register_at_fork(after_in_child=lambda: os.close(fd))
    return channel


def _serve(link: HostLink) -> int:
    try:
        order = link.receive()
        if not isinstance(order, Open) or order.version != HOST_PROTOCOL_VERSION:
            raise DriverProtocolError("the engine and the driver host are of different versions")
        _forward_logs(link, order)
        return _run(link, order)
    except StopRequestedError:
        return 0
    except Exception as error:
        if not isinstance(error, EngineError) or error.__cause__ is not None:
            log.info("the driver host gives up", exc_info=error)
        with contextlib.suppress(StopRequestedError):
            link.send(Failed.of(error))
        return _EXIT_FAILED


def _run(link: HostLink, order: Open) -> int:
    """Load the driver and work with it; it is closed whatever happens."""
    with _blaming(order.driver, "being loaded"):
        driver = load_driver(Path(order.folder), order.module, order.driver)
    try:
        _deliver(driver, link, order)
    except StopRequestedError:
        log.debug("stopping")
    except BaseException:
        _close(driver, order.driver)
        raise
    return 0 if _close(driver, order.driver) else _EXIT_FAILED


def _deliver(driver: BaseDriver, link: HostLink, order: Open) -> None:
    with _blaming(order.driver, "opening its source"):
        frame_format = driver.open(order.parameters)
    if order.control_fd >= 0:
        link.control = HostControl(_channel(order.control_fd), driver, order.driver)
        if frame_format is None:
            _attend(link)
    if not isinstance(frame_format, FrameFormat):
        raise DriverProtocolError(
            f"driver {order.driver!r} is faulty: open() returned no FrameFormat",
            driver=order.driver,
        )
    check_format(frame_format, driver=order.driver)
    driver.remember_format(frame_format)
    link.send(Opened(frame_format))
    begin = link.receive()
    if not isinstance(begin, Begin):
        raise DriverProtocolError(f"expected to begin, received {type(begin).__name__}")
    with SlotRing.attach(begin.ring) as ring:
        loop = FrameLoop(driver, link, ring, frame_format, is_held_back=order.is_held_back)
        with _blaming(order.driver, "reading a frame"):
            loop.run()
    link.send(Ended(loop.frame_count))


def _attend(link: HostLink) -> NoReturn:
    """Serve a device without frames until it is time to leave."""
    link.send(Opened(None))
    while True:
        link.wait(None)


def _close(driver: BaseDriver, name: str) -> bool:
    try:
        driver.close()
    except (Exception, SystemExit):
        log.warning("driver %r could not close its source", name, exc_info=True)
        return False
    return True


@contextlib.contextmanager
def _blaming(driver: str, action: str) -> Iterator[None]:
    """Say of any exception that is not ours that the driver has raised it."""
    try:
        yield
    except (EngineError, StopRequestedError):
        raise
    except (Exception, SystemExit) as error:
        raise DriverError(
            f"driver {driver!r} failed while {action}: {type(error).__name__}: {error}; "
            f"this is a fault of the driver, the log has the details",
            driver=driver,
        ) from error


def _forward_logs(link: HostLink, order: Open) -> None:
    handler = ForwardingHandler(link.send_log, role=f"driver {order.driver}")
    handler.addFilter(_StreamFilter(order.stream))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


class _StreamFilter(logging.Filter):
    """Writes the stream's name into every record."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self._stream = stream

    def filter(self, record: logging.LogRecord) -> bool:
        record.stream = self._stream
        return True


def _leave(code: int) -> NoReturn:
    """End at once: threads and exit handlers that a driver left behind cannot hold us up."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
