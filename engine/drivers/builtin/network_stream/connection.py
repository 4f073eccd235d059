"""One connection to a source, from opening it until it ends or fails."""

import contextlib
import socket
import time
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import av

from engine.drivers.builtin.network_stream.address import Address
from engine.drivers.builtin.network_stream.clocks import CaptureClock, Playout
from engine.drivers.builtin.network_stream.failures import NoVideoError

__all__ = ("Connection", "Picture")

_PUSHED_FORMATS = ("mpjpeg", "mjpeg", "image2pipe", "jpeg_pipe")
_UNDER_WAY = 64
_END_TOLERANCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame of PyAV, when it was captured, and when it is to be seen (0: at once)."""

    frame: Any
    captured_at_ns: int
    due_ns: int = 0


class Connection:
    """Opens the source; a context manager, used by one thread.

    Parameters
    ----------
    connect_timeout_s, read_timeout_s : for opening, and for the silence between packets.

    Raises
    ------
    av.FFmpegError, OSError
        When it cannot be opened.
    NoVideoError
        When there is no video in it. `reason_of` puts all of them into words.
    """

    def __init__(
        self,
        address: Address,
        options: dict[str, str],
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self._address = address
        if address.scheme != "udp":  # FFmpeg says no more than "input/output error"
            socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        self._container: Any = av.open(
            address.url, options=options, timeout=(connect_timeout_s, read_timeout_s)
        )
        try:
            self._stream = self._video_stream()
        except BaseException:
            self._container.close()
            raise
        self._end_s = (self._container.duration or 0) / av.time_base
        self._reached_s = 0.0
        is_file = self._container.format.name not in _PUSHED_FORMATS and self._end_s > 0
        self._is_played_out = is_file or "hls" in self._container.format.name.split(",")
        self._capture_clock = CaptureClock()
        self._playout = Playout()
        self._captured: OrderedDict[int, int] = OrderedDict()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_recorded(self) -> bool:
        """Whether the source has an end, as a file has."""
        return self._end_s > 0

    @property
    def has_reached_end(self) -> bool:
        """Whether all of a source that has an end was received."""
        return 0 < self._end_s <= self._reached_s + _END_TOLERANCE_S

    def pictures(self) -> Generator[Picture, None, None]:
        """Yield decoded frames until the source ends; damaged ones are passed over.

        Raises
        ------
        av.FFmpegError
            When the connection is lost, or silent for too long.
        """
        for packet in self._container.demux(self._stream):
            arrived_ns = time.monotonic_ns()
            captured_ns = self._note(packet, arrived_ns)
            frames: list[Any] = []
            with contextlib.suppress(av.error.InvalidDataError):  # the next key frame mends it
                frames = packet.decode()
            for frame in frames:
                yield self._picture(frame, captured_ns)

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _video_stream(self) -> Any:  # noqa: ANN401 - PyAV comes without usable types
        if not self._container.streams.video:
            raise NoVideoError
        stream = self._container.streams.video[0]
        stream.thread_type = "NONE"  # threads delay frames and gain nothing at camera rates
        stream.thread_count = 1
        return stream

    def _note(self, packet: Any, arrived_ns: int) -> int:  # noqa: ANN401 - see above
        """Return when the packet's frame was captured, and keep it until it is decoded."""
        if packet.pts is None:
            return arrived_ns
        media_ns = round(packet.pts * packet.time_base * 1_000_000_000)
        start_ns = round((self._stream.start_time or 0) * packet.time_base * 1_000_000_000)
        self._reached_s = max(self._reached_s, (media_ns - start_ns) / 1e9)
        if self._container.format.name in _PUSHED_FORMATS:
            captured_ns = arrived_ns  # its times are invented by FFmpeg
        else:
            captured_ns = self._capture_clock.captured_ns(media_ns, arrived_ns)
        self._captured[packet.pts] = captured_ns
        while len(self._captured) > _UNDER_WAY:
            self._captured.popitem(last=False)
        return captured_ns

    def _picture(self, frame: Any, captured_ns: int) -> Picture:  # noqa: ANN401 - see above
        captured_ns = self._captured.pop(frame.pts, captured_ns)
        if not self._is_played_out or frame.pts is None:
            return Picture(frame, captured_ns)
        media_ns = round(frame.pts * frame.time_base * 1_000_000_000)
        due_ns = self._playout.due_ns(media_ns, time.monotonic_ns())
        return Picture(frame, due_ns, due_ns)
