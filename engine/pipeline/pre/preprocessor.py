"""The pre-processing stage of one stream: frames in, tensors out."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.config import PreSettings
from engine.errors import InvalidArgumentError
from engine.pipeline.pre.geometry import Geometry
from engine.pipeline.pre.line import LineFiller
from engine.pipeline.pre.picture import PictureFiller
from engine.protocol import FrameFormat, TensorInfo

__all__ = ("Preprocessor",)


class _Filler(Protocol):
    shape: tuple[int, ...]
    geometry: Geometry

    def fill(self, frame: npt.NDArray[Any], out: npt.NDArray[Any]) -> None: ...


class Preprocessor:
    """Fill a program's input tensor from the frames of one source.

    One object serves one stream, from one thread at a time: it keeps scratch pictures. The work
    is done by OpenCV and NumPy calls that release the interpreter lock.

    Parameters
    ----------
    settings : what the program asks for.
    tensor : the program's input; a free dimension is resolved from `settings` and the frames.
    frame_format : what the source delivers.

    Raises
    ------
    InvalidArgumentError
        When the frames cannot be made to fit the tensor; the sentence says why.
    """

    def __init__(
        self, settings: PreSettings, tensor: TensorInfo, frame_format: FrameFormat
    ) -> None:
        self._filler: _Filler = (
            LineFiller(settings, tensor, frame_format)
            if settings.layout == "lines"
            else PictureFiller(settings, tensor, frame_format)
        )
        self._dtype = np.dtype(tensor.dtype)
        self._frame_shape = tuple(frame_format.shape)
        self._frame_dtype = np.dtype(frame_format.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape without free dimensions."""
        return self._filler.shape

    @property
    def geometry(self) -> Geometry:
        """The way back from the model's coordinates to the frame's; the same for every frame."""
        return self._filler.geometry

    def new_tensor(self) -> npt.NDArray[Any]:
        """Return a zeroed tensor of the program's shape and dtype, to be filled again and again."""
        return np.zeros(self._filler.shape, self._dtype)

    def __call__(self, frame: npt.NDArray[Any], out: npt.NDArray[Any]) -> Geometry:
        """Fill `out` from `frame` and return the way back to the frame's coordinates.

        Parameters
        ----------
        frame : ndarray, shape and dtype of the frame format; it is only read.
        out : ndarray, as made by `new_tensor`, C-contiguous.

        Raises
        ------
        InvalidArgumentError
            When `frame` or `out` has another shape or dtype.
        """
        if frame.shape != self._frame_shape or frame.dtype != self._frame_dtype:
            raise InvalidArgumentError(
                f"the frame is {frame.dtype} {frame.shape}, but its source announced "
                f"{self._frame_dtype} {self._frame_shape}"
            )
        if out.shape != self._filler.shape or out.dtype != self._dtype:
            raise InvalidArgumentError(
                f"the tensor is {out.dtype} {out.shape}, but the program wants "
                f"{self._dtype} {self._filler.shape}; take one from new_tensor()"
            )
        self._filler.fill(frame, out)
        return self._filler.geometry
