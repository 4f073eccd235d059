"""The class a driver module derives from."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.config import ParameterValue
from engine.protocol import FrameFormat, Truth

__all__ = ("BaseDriver", "Frame")

Frame = np.ndarray[Any, np.dtype[Any]]
"""One frame: shape and dtype are those of the driver's `FrameFormat`."""


class BaseDriver:
    """A source of frames, running alone in a process of its own.

    A driver module defines ``class Driver(BaseDriver)``. All methods are called on the main thread
    of the driver's process, in the order open, then read and skip, then close. Raise an
    `engine.errors.MediaError` (or another `EngineError`) with one clear sentence when something is
    wrong; any other exception is reported as a fault of the driver. Log with
    ``logging.getLogger("driver.<name>")``; what is printed is not seen unless the driver dies.

    Attributes
    ----------
    captured_at_ns : monotonic time at which the frame now being read was captured, for sources that
        know it better than the host; 0 leaves it to the host, which takes the time before `read`.
    """

    captured_at_ns: int = 0
    _scratch: Frame | None = None
    _frame_format: FrameFormat | None = None

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Open the source and say what its frames look like.

        Parameters
        ----------
        parameters : all parameters of the manifest, checked, with defaults filled in and paths
            made absolute.

        Returns
        -------
        FrameFormat
            A `rate_hz` above 0 lets the host keep the time: `read` is called at that rate and
            should return at once. With 0, `read` itself waits for the next frame.

        Raises
        ------
        MediaError
            When the source is missing or cannot be read.
        """
        raise NotImplementedError

    def read(self, out: Frame) -> Truth | None:
        """Fill `out` with the next frame and return what is known to be in it, if anything.

        Parameters
        ----------
        out : ndarray of the format's shape and dtype; valid until the method returns.

        Raises
        ------
        EndOfStreamError
            When there are no more frames.
        MediaError
            When the source is damaged or lost.
        """
        raise NotImplementedError

    def skip(self) -> None:
        """Pass over the next frame, because there is no room for it.

        Reads into the void unless a driver knows something cheaper. Raises what `read` raises.
        """
        if self._scratch is None:
            if self._frame_format is None:
                raise NotImplementedError("skip() needs the frame format that open() returned")
            self._scratch = np.empty(self._frame_format.shape, self._frame_format.dtype)
        self.read(self._scratch)

    def close(self) -> None:
        """Release the source. Called once, also after `open` or `read` failed."""

    def remember_format(self, frame_format: FrameFormat) -> None:
        """Keep the format for `skip`; the host calls this after `open`."""
        self._frame_format = frame_format
