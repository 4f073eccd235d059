"""The thread that keeps receiving, connects again, and holds the newest frame ready."""

import logging
import threading
import time
import traceback
from dataclasses import dataclass

import av

from engine.drivers.builtin.network_stream.address import Address
from engine.drivers.builtin.network_stream.clocks import RateLimit
from engine.drivers.builtin.network_stream.connection import Connection, Picture
from engine.drivers.builtin.network_stream.failures import NoVideoError, reason_of
from engine.errors import EndOfStreamError, EngineError, MediaError

__all__ = ("Receiver", "ReceiverSettings")

_FIRST_PAUSE = 0.1  # of the longest
_CLOSE_S = 1.0

log = logging.getLogger("driver.network-stream")


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """The parameters of the driver that the thread works by; see its manifest."""

    options: dict[str, str]
    connect_timeout_s: float
    read_timeout_s: float
    reconnect_attempts: int
    reconnect_pause_s: float
    max_rate_hz: float


class _StopAskedError(Exception):
    """The way out of the thread."""


class Receiver:
    """Receives from the moment it is made, on a thread of its own, until `close`.

    Whoever takes frames gets the newest one; what it was too slow for is passed over, so that no
    delay builds up.

    Attributes
    ----------
    frames, passed_over, reconnects : counted since the beginning; what was passed over before the
        first frame was taken does not count.
    max_rate_hz : the limit in force, see `limit_rate`.
    is_connected : whether frames come at present.
    """

    def __init__(self, address: Address, settings: ReceiverSettings) -> None:
        self._address = address
        self._settings = settings
        self.limit_rate(settings.max_rate_hz)
        self._news = threading.Condition()
        self._newest: Picture | None = None
        self._end: EngineError | None = None
        self._stop = threading.Event()
        self._has_size: tuple[int, int] | None = None
        self._was_connected = False
        self._was_taken = False
        self._is_recorded = False
        self.is_connected = False
        self.frames = 0
        self.passed_over = 0
        self.reconnects = 0
        self._thread = threading.Thread(target=self._run, name="receiver-network-stream")
        self._thread.start()

    def limit_rate(self, max_rate_hz: float) -> None:
        """Pass frames over from now on when more than these come; 0 keeps all."""
        self.max_rate_hz = max_rate_hz
        self._limit = RateLimit(max_rate_hz)

    def peek(self, timeout_s: float) -> Picture:
        """Return the first frame without taking it.

        Raises
        ------
        MediaError
            When there is none in time, or why there never will be one.
        """
        with self._news:
            self._news.wait_for(self._has_news, timeout_s)
            if self._newest is not None:
                return self._newest
            raise self._end or MediaError(self._told(self._silence(timeout_s)))

    def take(self, timeout_s: float) -> Picture | None:
        """Wait for a frame that was not taken yet; None when there was none in time.

        Raises
        ------
        EndOfStreamError
            When the source has an end and it was reached.
        MediaError
            When the source is lost for good.
        """
        with self._news:
            self._news.wait_for(self._has_news, timeout_s)
            picture, self._newest = self._newest, None
            self._was_taken = self._was_taken or picture is not None
            if picture is None and self._end is not None:
                raise self._end
            return picture

    def close(self) -> None:
        """Ask the thread to end and give it a second; one stuck in the network is left alone."""
        self._stop.set()
        with self._news:
            self._news.notify_all()
        self._thread.join(_CLOSE_S)

    def _has_news(self) -> bool:
        return self._newest is not None or self._end is not None or self._stop.is_set()

    def _run(self) -> None:
        try:
            self._receive_for_ever()
        except _StopAskedError:
            return
        except EngineError as end:
            self._finish(end)
        except Exception as error:  # noqa: BLE001 - told without its text, see below
            # Outermost function of the thread: whoever waits for frames must hear of it. What the
            # error says is left out, it may hold the address and with it a password.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("receiving failed: %s\n%s", type(error).__name__, where)
            self._finish(MediaError(self._told(f"receiving failed: {type(error).__name__}")))

    def _receive_for_ever(self) -> None:
        failures = 0
        lost_at = 0.0
        while True:
            before = self.frames
            reason = self._receive(lost_at)
            self.is_connected = False
            has_delivered = self.frames > before
            if not self._was_connected:  # the first time: wrong settings are told at once
                raise MediaError(self._told(reason))
            if self._is_recorded:
                raise MediaError(self._told(f"{reason}; start the stream again to play it anew"))
            if has_delivered:
                failures, lost_at = 0, time.monotonic()
                log.warning("%s; connecting again", self._told(reason))
            failures += 1
            attempts = self._settings.reconnect_attempts
            if failures > attempts:
                raise MediaError(self._given_up(reason, attempts))
            pause_s = self._pause_s(failures)
            if not has_delivered:
                log.info("attempt %d: %s; the next in %.2g s", failures - 1, reason, pause_s)
            if self._stop.wait(pause_s):
                raise _StopAskedError

    def _receive(self, lost_at: float) -> str:
        """Connect and receive until the connection ends; return why it ended."""
        settings = self._settings
        timeout_s = settings.connect_timeout_s
        try:
            with Connection(
                self._address,
                settings.options,
                connect_timeout_s=settings.connect_timeout_s,
                read_timeout_s=settings.read_timeout_s,
            ) as connection:
                self._is_recorded = connection.is_recorded
                for picture in connection.pictures():
                    if lost_at:
                        self._came_back(time.monotonic() - lost_at)
                    lost_at, timeout_s = 0.0, settings.read_timeout_s
                    self._hand_on(picture)
                if connection.has_reached_end:
                    raise EndOfStreamError(
                        f"network stream {self._address.shown} ended after {self.frames} frames"
                    )
        except (av.FFmpegError, OSError, NoVideoError) as error:
            return reason_of(error, self._address, timeout_s)
        early = " before the end of the video" if self._is_recorded else ""
        return f"{self._address.place} ended the connection{early}"

    def _hand_on(self, picture: Picture) -> None:
        if picture.due_ns:
            self._stop.wait(max(0, picture.due_ns - time.monotonic_ns()) / 1e9)
        if self._stop.is_set():
            raise _StopAskedError
        self._was_connected = self.is_connected = True
        self._watch_size(picture)
        self.frames += 1
        if not self._limit.keeps(picture.captured_at_ns):
            return
        with self._news:
            self.passed_over += self._was_taken and self._newest is not None
            self._newest = picture
            self._news.notify_all()

    def _watch_size(self, picture: Picture) -> None:
        size = (picture.frame.width, picture.frame.height)
        if self._has_size not in (None, size):
            log.warning(
                "network stream %s now sends %d x %d pixels; they are scaled to the size it began "
                "with, start the stream again to take the new one",
                self._address.shown,
                *size,
            )
        self._has_size = size

    def _came_back(self, after_s: float) -> None:
        self.reconnects += 1
        log.info(
            "network stream %s is back after %.1f s (reconnect %d)",
            self._address.shown,
            after_s,
            self.reconnects,
        )

    def _finish(self, end: EngineError) -> None:
        with self._news:
            self._end = end
            self._news.notify_all()

    def _pause_s(self, failures: int) -> float:
        longest = self._settings.reconnect_pause_s
        return min(longest, longest * _FIRST_PAUSE * 2.0 ** min(failures - 1, 30))

    def _told(self, reason: str) -> str:
        return f"network stream {self._address.shown}: {reason}"

    def _silence(self, timeout_s: float) -> str:
        return reason_of(TimeoutError(), self._address, timeout_s)

    def _given_up(self, reason: str, attempts: int) -> str:
        if not attempts:
            return self._told(reason)
        return self._told(f"it was lost and did not come back in {attempts} attempts: {reason}")
