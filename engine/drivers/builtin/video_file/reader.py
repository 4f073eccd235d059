"""Decodes a video file frame by frame and notices when it is cut off."""

import logging
from collections.abc import Generator
from pathlib import Path
from typing import Any

import av

from engine.drivers.media import check_file
from engine.errors import MediaError

__all__ = ("VideoReader",)

_SHORT_TOLERANCE_S = 0.5
_DEFAULT_RATE_HZ = 25.0

log = logging.getLogger("driver.video-file")


class VideoReader:
    """One pass over a video file.

    Attributes
    ----------
    width, height : of the first frame, in pixels.
    rate_hz : frames per second on average.
    expected_frames : how many frames the file says it has; 0 when it does not say.
    frame_count : frames decoded so far.

    Raises
    ------
    MediaError
        When the file is missing, is not a video, or has not one frame that can be read.
    """

    def __init__(self, path: Path) -> None:
        check_file(path, "video")
        self.path = path
        self.frame_count = 0
        self._packets = 0
        self._end_s = 0.0
        self._damage = ""
        self._has_told = False
        self._container = _open(path)
        try:
            self._stream = _video_stream(self._container, path)
            self.expected_frames = int(self._stream.frames)
            self._duration_s = _duration_s(self._container, self._stream)
            rate = self._stream.average_rate or self._stream.guessed_rate
            self.rate_hz = float(rate) if rate else _DEFAULT_RATE_HZ
            self._decoded = self._decode()
            first = self._take_first()
        except BaseException:
            self._container.close()
            raise
        self._first: Any | None = first
        self.width, self.height = int(first.width), int(first.height)

    def next_frame(self) -> Any | None:  # noqa: ANN401 - PyAV comes without usable types
        """Return the next frame, None after the last.

        Raises
        ------
        MediaError
            Instead of None, when the file ends before it should.
        """
        frame, self._first = self._first, None
        if frame is None:
            frame = next(self._decoded, None)
        if frame is not None:
            self.frame_count += 1
            return frame
        self._check_end()
        return None

    def peek(self) -> Any | None:  # noqa: ANN401 - see above
        """Return the first frame as long as it is the next one."""
        return self._first

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._first = None
        self._decoded.close()
        self._container.close()

    def _take_first(self) -> Any:  # noqa: ANN401 - see above
        frame = next(self._decoded, None)
        if frame is None:
            raise MediaError(
                f"video {self.path} has no frame that can be read: it is cut off or damaged",
                file=str(self.path),
            )
        return frame

    def _decode(self) -> Generator[Any, None, None]:
        try:
            for packet in self._container.demux(self._stream):
                yield from self._frames_of(packet)
        except av.FFmpegError as error:
            self._damage = str(error)
            log.info("video %s: reading on failed: %s", self.path.name, error)

    def _frames_of(self, packet: Any) -> Generator[Any, None, None]:  # noqa: ANN401 - see above
        if packet.size:
            self._packets += 1
            if packet.pts is not None:
                end = packet.pts + (packet.duration or 0) - (self._stream.start_time or 0)
                self._end_s = max(self._end_s, float(end * packet.time_base))
        try:
            yield from packet.decode()
        except av.FFmpegError as error:  # go on behind the damage, as players do
            self._damage = str(error)
            return
        if packet.size:
            self._tell_of_damage()

    def _tell_of_damage(self) -> None:
        """Warn once of damage that the file goes on after; at the end of a file it is an error."""
        if self._damage and not self._has_told:
            self._has_told = True
            log.warning("video %s is damaged in places: %s", self.path.name, self._damage)

    def _check_end(self) -> None:
        missing_s = self._duration_s - self._end_s
        is_short = missing_s > max(_SHORT_TOLERANCE_S, 1.5 / self.rate_hz)
        if self.expected_frames:
            is_short = self._packets < self.expected_frames and missing_s > 0.5 / self.rate_hz
        if is_short:
            of = f" of {self.expected_frames}" if self.expected_frames else ""
            raise MediaError(
                f"video {self.path} is cut off: it ended after {self.frame_count}{of} frames; "
                f"replace the file",
                file=str(self.path),
                frames=self.frame_count,
            )


def _open(path: Path) -> Any:  # noqa: ANN401 - see above
    try:
        return av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"video {path} cannot be opened: it is cut off, damaged or not a video", file=str(path)
        ) from error


def _video_stream(container: Any, path: Path) -> Any:  # noqa: ANN401 - see above
    if not container.streams.video:
        raise MediaError(f"{path} has no video in it", file=str(path))
    stream = container.streams.video[0]
    stream.thread_type = "NONE"  # a second thread gains nothing at camera rates and delays frames
    stream.thread_count = 1
    return stream


def _duration_s(container: Any, stream: Any) -> float:  # noqa: ANN401 - see above
    """Return how long the video should be, 0 when nobody knows."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return float(container.duration / av.time_base)
    return 0.0
