"""The class a driver module derives from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.config import ParameterValue
from engine.drivers.live import DeviceInfo, LiveParameter
from engine.errors import WrongStateError
from engine.protocol import FrameFormat, Truth

__all__ = ("BaseDriver", "Frame", "NoFrameYetError")

Frame = np.ndarray[Any, np.dtype[Any]]
"""One frame: shape and dtype are those of the driver's `FrameFormat`."""


class NoFrameYetError(Exception):
    """Raised by `BaseDriver.read` of a driver of version 2 when no frame came for a while.

    The host looks whether something is asked of the device, and calls `read` again.
    """


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
    lost_count : frames that the device or the way from it has lost since `open`, for example those
        with missing packets (version 2).

    The methods from `devices` on are for drivers whose manifest says ``api_version = 2``. All of
    them are called on the same thread, between two frames.
    """

    captured_at_ns: int = 0
    lost_count: int = 0
    _scratch: Frame | None = None
    _frame_format: FrameFormat | None = None

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat | None:
        """Open the source and say what its frames look like; None for a light, which has none.

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
        NoFrameYetError
            When there was none within 0.1 s or so (version 2).
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

    def devices(self) -> Iterable[DeviceInfo]:
        """Return the devices that are there; called instead of `open`, in a process of its own.

        Raises
        ------
        EngineError
            With the sentence why they cannot be listed, for example a library that is missing.
        """
        raise NotImplementedError

    def live_parameters(self) -> Sequence[LiveParameter]:
        """Return all parameters of the open device as they stand now; none by default.

        Called again after every change, so that changes of values, limits and access are noticed.
        """
        return ()

    def live_parameter(self, name: str) -> LiveParameter | None:
        """Return one of them as it stands now; override it where that is faster than all."""
        return next((one for one in self.live_parameters() if one.name == name), None)

    def set_parameter(self, name: str, value: ParameterValue) -> None:
        """Give a parameter another value; it was checked against what was published last.

        Raises
        ------
        EngineError
            When the device refuses it; the parameter must be what it was.
        """
        raise WrongStateError(f"parameter {name!r} cannot be set to {value!r} while it runs")

    def run_command(self, name: str) -> None:
        """Run a command of the device."""
        raise WrongStateError(f"command {name!r} cannot be run")

    def force_light_off(self, *, is_forced_off: bool) -> None:
        """Make the light dark whatever its parameters say, or let it follow them again.

        The parameters themselves stay as the user has set them. For drivers of lights.
        """
        wanted = "forced off" if is_forced_off else "released"
        raise WrongStateError(f"this device is no light and cannot be {wanted}")
