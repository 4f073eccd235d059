"""Pictures as tensors: fit, order the channels, normalize."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from engine.config import PreSettings
from engine.errors import InvalidArgumentError
from engine.pipeline.pre.geometry import fit
from engine.protocol import FrameFormat, FrameKind, TensorInfo

__all__ = ("PictureFiller",)

Bytes = npt.NDArray[np.uint8]


class PictureFiller:
    """Fits 8-bit RGB pictures to a tensor of four dimensions, "nchw" or "nhwc".

    A byte has only 256 values, so the normalization is a table per channel that also widens to
    the tensor's dtype: exact, and one pass. Channels are reordered while they are separated (nchw)
    or on the small fitted picture (nhwc).
    """

    def __init__(
        self, settings: PreSettings, tensor: TensorInfo, frame_format: FrameFormat
    ) -> None:
        _check_frames(tensor, frame_format)
        self._is_planar = settings.layout == "nchw"
        self._channels = settings.channels
        count = 1 if settings.channels == "gray" else 3
        width, height = _model_size(settings, tensor, count, frame_format)
        planes = (count, height, width) if self._is_planar else (height, width, count)
        self.shape: tuple[int, ...] = (1, *planes)
        frame_height, frame_width = frame_format.shape[:2]
        self._fit = fit(settings.resize, (frame_width, frame_height), (width, height))
        self.geometry = self._fit.geometry
        self._tables = _tables(settings, np.dtype(tensor.dtype), count)
        self._is_written_directly = settings.channels == "rgb" and tensor.dtype == "uint8"
        self._picture: Bytes = np.zeros((height, width, 3), np.uint8)
        self._planes: list[Bytes] = [np.empty((height, width), np.uint8) for _ in range(count)]
        self._swapped: Bytes = np.empty((height, width, 3), np.uint8)

    def fill(self, frame: Bytes, out: npt.NDArray[Any]) -> None:
        """Fit `frame`, reorder its channels and write the normalized values into ``out[0]``."""
        target = out[0]
        if self._is_planar:
            for index, plane in enumerate(self._separate(self._fitted(frame, self._picture))):
                self._convert(plane, target[index], index)
        elif self._channels == "gray":
            (plane,) = self._separate(self._fitted(frame, self._picture))
            self._convert(plane, target[..., 0], 0)
        else:
            self._fill_interleaved(frame, target)

    def _fill_interleaved(self, frame: Bytes, target: npt.NDArray[Any]) -> None:
        if self._is_written_directly:
            self._fitted(frame, target, is_final=True)
            return
        picture = self._fitted(frame, self._picture)
        if self._channels == "bgr":
            cv2.cvtColor(picture, cv2.COLOR_RGB2BGR, dst=self._swapped)
            picture = self._swapped
        if self._tables is None:
            np.copyto(target, picture)
        else:
            cv2.LUT(picture, self._tables, dst=target)

    def _fitted(self, frame: Bytes, canvas: Bytes, *, is_final: bool = False) -> Bytes:
        """Scale the part that the model sees into `canvas`, or return it where it already fits."""
        part, width, height = self._fit.source, self._fit.width, self._fit.height
        source = frame[part.y : part.y + part.height, part.x : part.x + part.width]
        if is_final:
            canvas[height:] = 0
            canvas[:height, width:] = 0
        if source.shape != (height, width, 3):
            inner = canvas[:height, :width]
            cv2.resize(source, (width, height), dst=inner, interpolation=cv2.INTER_LINEAR)
        elif not is_final and source.shape == canvas.shape:
            return source
        else:
            np.copyto(canvas[:height, :width], source)
        return canvas

    def _separate(self, picture: Bytes) -> list[Bytes]:
        if self._channels == "gray":
            cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY, dst=self._planes[0])
            return self._planes
        cv2.split(picture, self._planes)
        return self._planes[::-1] if self._channels == "bgr" else self._planes

    def _convert(self, plane: Bytes, target: npt.NDArray[Any], index: int) -> None:
        if self._tables is None:
            np.copyto(target, plane)
        else:
            cv2.LUT(plane, self._tables[0, :, index], dst=target)


def _check_frames(tensor: TensorInfo, frame_format: FrameFormat) -> None:
    shape = frame_format.shape
    is_rgb = len(shape) == 3 and shape[-1] == 3 and frame_format.dtype == "uint8"
    if frame_format.kind is not FrameKind.IMAGE or not is_rgb:
        raise InvalidArgumentError(
            f"input {tensor.name!r} takes pictures, but the source delivers frames of kind "
            f"{frame_format.kind.value!r}, shape {shape}, {frame_format.dtype}; "
            "choose a source of 8-bit RGB pictures"
        )


def _model_size(
    settings: PreSettings, tensor: TensorInfo, count: int, frame_format: FrameFormat
) -> tuple[int, int]:
    """Return (width, height), or say which dimension does not fit."""
    shape = tensor.shape
    if len(shape) != 4:
        raise InvalidArgumentError(
            f"input {tensor.name!r} has {len(shape)} dimensions; a picture needs 4 "
            f"({settings.layout})"
        )
    batch, *rest = shape
    channels, height, width = rest if settings.layout == "nchw" else (rest[2], *rest[:2])
    if batch not in (0, 1) or channels not in (0, count):
        raise InvalidArgumentError(
            f"input {tensor.name!r} has shape {shape}; layout {settings.layout!r} with channels "
            f"{settings.channels!r} needs a batch of 1 and {count} channels"
        )
    frame_height, frame_width = frame_format.shape[:2]
    is_free = settings.resize.value == "none"
    return (
        _size(tensor, "width", width, settings.width, frame_width if is_free else 0),
        _size(tensor, "height", height, settings.height, frame_height if is_free else 0),
    )


def _size(tensor: TensorInfo, axis: str, fixed: int, chosen: int, otherwise: int) -> int:
    if fixed and chosen and fixed != chosen:
        raise InvalidArgumentError(
            f"input {tensor.name!r} has a {axis} of {fixed}, but the settings say {chosen}; "
            f"set {axis} to 0 to take the input's"
        )
    size = fixed or chosen or otherwise
    if not size:
        raise InvalidArgumentError(
            f"input {tensor.name!r} has a free {axis}; give its size in pixels in the settings"
        )
    return size


def _tables(settings: PreSettings, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any] | None:
    """Return what each byte becomes, shape (1, 256, channels), or None where it keeps its value."""
    mean, scale = settings.normalization.mean, settings.normalization.scale
    for field, values in (("mean", mean), ("scale", scale)):
        if len(values) not in (0, 1, count):
            raise InvalidArgumentError(
                f"normalization.{field} has {len(values)} values; give 1 or one for each of the "
                f"{count} channels"
            )
    if dtype == np.uint8:
        if mean or scale:
            raise InvalidArgumentError(
                "the input is uint8, which cannot be normalized; leave normalization empty"
            )
        return None
    if dtype not in (np.float32, np.float64):
        raise InvalidArgumentError(
            f"the input is {dtype}; pictures can be given to uint8, float32 and float64 inputs"
        )
    if not mean and not scale:
        return None
    table: npt.NDArray[Any] = np.repeat(np.arange(256, dtype=dtype)[:, None], count, axis=1)
    if mean:
        table -= np.asarray(mean, dtype)
    if scale:
        table *= np.asarray(scale, dtype)
    return table[np.newaxis]
