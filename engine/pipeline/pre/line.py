"""Lines of spectra as tensors."""

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import Normalization, PreSettings
from engine.errors import InvalidArgumentError
from engine.pipeline.pre.geometry import Geometry
from engine.protocol import FrameFormat, FrameKind, TensorInfo

__all__ = ("LineFiller",)


class LineFiller:
    """Puts one line (pixels, bands) into a tensor (1, pixels, bands)."""

    def __init__(
        self, settings: PreSettings, tensor: TensorInfo, frame_format: FrameFormat
    ) -> None:
        if frame_format.kind is not FrameKind.LINE or len(frame_format.shape) != 2:
            raise InvalidArgumentError(
                f"input {tensor.name!r} takes lines of spectra, but the source delivers frames of "
                f"kind {frame_format.kind.value!r} and shape {frame_format.shape}; "
                "choose a line camera as the source"
            )
        self.geometry = Geometry()
        self.shape = _resolve(tensor, frame_format.shape)
        source, target = np.dtype(frame_format.dtype), np.dtype(tensor.dtype)
        if not np.can_cast(source, target, "same_kind"):
            raise InvalidArgumentError(
                f"input {tensor.name!r} is {target}, which cannot hold the {source} values "
                "of the source"
            )
        bands = self.shape[-1]
        self._mean = _per_band(settings.normalization, "mean", bands, target)
        self._scale = _per_band(settings.normalization, "scale", bands, target)

    def fill(self, frame: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Copy `frame` into `out` and normalize it there."""
        line = out[0]
        np.copyto(line, frame, casting="same_kind")
        if self._mean is not None:
            np.subtract(line, self._mean, out=line)
        if self._scale is not None:
            np.multiply(line, self._scale, out=line)


def _resolve(tensor: TensorInfo, line: tuple[int, ...]) -> tuple[int, ...]:
    wanted = (1, *line)
    matches = len(tensor.shape) == 3 and all(
        size in (0, have) for size, have in zip(tensor.shape, wanted, strict=True)
    )
    if not matches:
        raise InvalidArgumentError(
            f"input {tensor.name!r} has shape {tensor.shape} (lines, pixels, bands; 0 is free), "
            f"but the source delivers lines of {line[0]} pixels and {line[1]} bands"
        )
    return wanted


def _per_band(
    settings: Normalization, field: str, bands: int, dtype: np.dtype[Any]
) -> npt.NDArray[Any] | None:
    values: tuple[float, ...] = getattr(settings, field)
    if not values:
        return None
    if len(values) not in (1, bands):
        raise InvalidArgumentError(
            f"normalization.{field} has {len(values)} values; give 1 or one for each of the "
            f"{bands} bands"
        )
    if dtype.kind != "f":
        raise InvalidArgumentError(
            f"the input is {dtype}, which cannot be normalized; leave normalization empty"
        )
    return np.asarray(values, dtype)
