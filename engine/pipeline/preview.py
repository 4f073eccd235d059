"""Display-size pictures of a stream for those who look at it, with the result they show."""

import threading
import time
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.protocol import (
    FrameFormat,
    FrameKind,
    PreviewMeta,
    PreviewPlace,
    Result,
)
from engine.shm import Mailbox

__all__ = ("PreviewWriter",)

_LINES_SHOWN = 256
_SHORTEST_INTERVAL_NS = 15_000_000
_NO_CLASS = 255
_META_BYTES = 256 * 1024


class PreviewWriter:
    """Writes the newest picture into a mailbox, only while somebody watches.

    `watch` is called by the control thread, `write` by the stream's result thread.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._mailbox: Mailbox | None = None
        self._size = (0, 0)
        self._capacity = 0
        self._is_watched = False
        self._waterfall: _Waterfall | None = None
        self._written_ns = 0

    @property
    def place(self) -> PreviewPlace | None:
        """Where readers find the pictures; None while nobody watches."""
        with self._lock:
            if self._mailbox is None or not self._is_watched:
                return None
            return PreviewPlace(self._mailbox.name, *self._size)

    def watch(self, is_watched: bool, width: int, height: int) -> None:
        """Begin or end writing; the size is the largest that is useful to the viewer, in pixels."""
        with self._lock:
            self._is_watched = is_watched
            self._size = (max(16, min(width, 3840)), max(16, min(height, 2160)))
            needed = max(self._size[0] * self._size[1] * 4, _LINES_SHOWN * 4096 * 5)
            if is_watched and needed > self._capacity:
                self._close_mailbox()
                self._capacity = -(-needed // (1 << 18)) * (1 << 18)
                self._mailbox = Mailbox.create(
                    self._capacity + _META_BYTES, purpose=f"preview-{_plain(self._stream)}"
                )

    def write(self, frame: NDArray[Any], frame_format: FrameFormat, result: Result) -> None:
        """Write the picture of `frame` and its result, when watched and not too soon."""
        if frame_format.kind is FrameKind.LINE:
            self._write_line(frame, frame_format, result)
        elif self._is_due():
            self._write_picture(frame, result)

    def close(self) -> None:
        """Release the mailbox."""
        with self._lock:
            self._is_watched = False
            self._close_mailbox()

    def _is_due(self) -> bool:
        now_ns = time.monotonic_ns()
        if not self._is_watched or now_ns - self._written_ns < _SHORTEST_INTERVAL_NS:
            return False
        self._written_ns = now_ns
        return True

    def _write_picture(self, frame: NDArray[Any], result: Result) -> None:
        height, width = frame.shape[:2]
        with self._lock:
            if self._mailbox is None:
                return
            scale = min(1.0, self._size[0] / width, self._size[1] / height)
            shown = frame
            if scale < 1.0:
                size = (max(1, round(width * scale)), max(1, round(height * scale)))
                shown = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
            picture = cv2.cvtColor(shown, cv2.COLOR_RGB2BGRA)
            self._put(
                self._mailbox, PreviewMeta(result, picture.shape[1], picture.shape[0]), picture
            )

    def _write_line(self, frame: NDArray[Any], frame_format: FrameFormat, result: Result) -> None:
        if self._waterfall is None or self._waterfall.pixels != frame.shape[0]:
            self._waterfall = _Waterfall(frame.shape[0], frame_format)
        classes = result.line.classes if result.line is not None else b""
        self._waterfall.append(frame, classes)
        if not self._is_due():
            return
        picture, class_map = self._waterfall.view()
        with self._lock:
            if self._mailbox is not None:
                meta = PreviewMeta(result, picture.shape[1], picture.shape[0], has_class_map=True)
                self._put(self._mailbox, meta, picture, class_map)

    @staticmethod
    def _put(mailbox: Mailbox, meta: PreviewMeta, *parts: NDArray[Any]) -> None:
        encoded = msgspec.msgpack.encode(meta)
        if len(encoded) > _META_BYTES:
            plain = msgspec.structs.replace(meta.result, mask=None)
            encoded = msgspec.msgpack.encode(msgspec.structs.replace(meta, result=plain))
        mailbox.write(encoded, tuple(part.data.cast("B") for part in parts))

    def _close_mailbox(self) -> None:
        mailbox, self._mailbox, self._capacity = self._mailbox, None, 0
        if mailbox is not None:
            mailbox.close()


class _Waterfall:
    """The last lines as a false-color picture and a class map, the newest at the bottom."""

    def __init__(self, pixels: int, frame_format: FrameFormat) -> None:
        self.pixels = pixels
        bands = frame_format.shape[1]
        # Blue, green, red from bands near 470, 550 and 640 nm, or from equal parts of the range.
        self._bands = _false_color_bands(bands, frame_format.wavelengths_nm)
        self._picture = np.zeros((2 * _LINES_SHOWN, pixels, 4), np.uint8)
        self._picture[..., 3] = 255
        self._classes = np.full((2 * _LINES_SHOWN, pixels), _NO_CLASS, np.uint8)
        self._end = _LINES_SHOWN
        self._low = np.zeros(3, np.float32)
        self._high = np.ones(3, np.float32)
        self._is_scaled = False

    def append(self, line: NDArray[Any], classes: bytes) -> None:
        if self._end == 2 * _LINES_SHOWN:
            self._picture[:_LINES_SHOWN] = self._picture[_LINES_SHOWN:]
            self._classes[:_LINES_SHOWN] = self._classes[_LINES_SHOWN:]
            self._end = _LINES_SHOWN
        values = line[:, self._bands].astype(np.float32)
        self._follow_range(values)
        scaled = (values - self._low) * (255.0 / np.maximum(self._high - self._low, 1e-6))
        self._picture[self._end, :, :3] = np.clip(scaled, 0, 255)
        if len(classes) == self.pixels:
            self._classes[self._end] = np.frombuffer(classes, np.uint8)
        else:
            self._classes[self._end] = _NO_CLASS
        self._end += 1

    def view(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rows = slice(self._end - _LINES_SHOWN, self._end)
        return self._picture[rows], self._classes[rows]

    def _follow_range(self, values: NDArray[np.float32]) -> None:
        low, high = np.percentile(values, (1, 99), axis=0).astype(np.float32)
        if not self._is_scaled:
            self._low, self._high, self._is_scaled = low, high, True
        # The range widens at once and narrows slowly, so that the picture does not flicker.
        self._low = np.minimum(low, self._low + 0.01 * (low - self._low))
        self._high = np.maximum(high, self._high + 0.01 * (high - self._high))


def _false_color_bands(bands: int, wavelengths_nm: tuple[float, ...]) -> list[int]:
    if len(wavelengths_nm) == bands:
        axis = np.asarray(wavelengths_nm)
        return [int(np.argmin(np.abs(axis - nm))) for nm in (470.0, 550.0, 640.0)]
    return [bands * part // 32 for part in (3, 5, 9)]


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)[:24]
