"""USB cameras of the video class, through Video4Linux; not yet run with a camera."""

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from engine.config import ParameterValue
from engine.drivers import BaseDriver, DeviceInfo, Frame, LiveParameter, NoFrameYetError
from engine.drivers.builtin.uvc_camera.controls import Controls, capability
from engine.drivers.builtin.uvc_camera.sysfs import cameras_in
from engine.drivers.camera_features import apply_settings
from engine.drivers.parameters import number
from engine.errors import DriverError, MediaError
from engine.protocol import FrameFormat, FrameKind

__all__ = ("Driver",)

_MANIFEST = ("device", "pixel_format", "width", "height", "rate_hz")
_STAMP_TRUST_NS = 10_000_000_000
_SILENCE_VARIABLE = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"


class Driver(BaseDriver):
    """Delivers the pictures of one camera as RGB."""

    def __init__(self) -> None:
        self._path = ""
        self._capture: cv2.VideoCapture | None = None
        self._control_fd = -1
        self._controls: Controls | None = None

    def devices(self) -> list[DeviceInfo]:
        """Return the cameras that the kernel lists."""
        return cameras_in()

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Open the camera, choose its format and set its controls."""
        self._path = _path_of(str(parameters["device"]))
        controls = self._open_controls()
        own = {name: value for name, value in parameters.items() if name not in _MANIFEST}
        apply_settings(controls, {}, own, device=self._path)
        capture = self._capture = self._open_capture(parameters)
        is_read, picture = capture.read()
        if not is_read:
            raise DriverError(
                f"camera {self._path} delivers nothing; try another size or pixel format, and "
                f"close other programs that use it"
            )
        height, width = picture.shape[:2]
        return FrameFormat(FrameKind.IMAGE, (height, width, 3), "uint8")

    def read(self, out: Frame) -> None:
        """Wait for the next picture, at most a second."""
        picture = self._next()
        if picture.shape != out.shape:
            raise DriverError(
                f"camera {self._path} now sends pictures of {picture.shape[1]} x "
                f"{picture.shape[0]} instead of {out.shape[1]} x {out.shape[0]} pixels; start the "
                f"stream again"
            )
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=out)

    def skip(self) -> None:
        """Pass over a picture without decoding it."""
        capture = self._opened()
        if not capture.grab():
            self._check_there()
            raise NoFrameYetError

    def live_parameters(self) -> Sequence[LiveParameter]:
        """Read the camera's controls."""
        return () if self._controls is None else self._controls.parameters()

    def live_parameter(self, name: str) -> LiveParameter | None:
        """Read one control."""
        return None if self._controls is None else self._controls.find(name)

    def set_parameter(self, name: str, value: ParameterValue) -> None:
        """Set a control."""
        if self._controls is not None:
            self._controls.set_value(name, value)

    def run_command(self, name: str) -> None:
        """Press a button."""
        if self._controls is not None:
            self._controls.run(name)

    def close(self) -> None:
        """Let go of the camera."""
        capture, self._capture = self._capture, None
        fd, self._control_fd = self._control_fd, -1
        self._controls = None
        if capture is not None:
            capture.release()
        if fd >= 0:
            os.close(fd)

    def _open_controls(self) -> Controls:
        import fcntl  # noqa: PLC0415 - not on every system

        try:
            self._control_fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
            ask = partial(fcntl.ioctl, self._control_fd)
            found = capability(ask)
        except OSError as error:
            raise _no_camera(self._path, error) from error
        if not found.can_capture:
            raise MediaError(
                f"{self._path} ({found.card}) is no camera; take another node of the same device",
                device=self._path,
            )
        self._controls = Controls(ask, f"camera {self._path}")
        return self._controls

    def _open_capture(self, parameters: Mapping[str, ParameterValue]) -> cv2.VideoCapture:
        # A silent camera must not keep the host from what is asked of it; this process is ours.
        os.environ.setdefault(_SILENCE_VARIABLE, "1")
        wanted = [
            (cv2.CAP_PROP_FRAME_WIDTH, number(parameters, "width")),
            (cv2.CAP_PROP_FRAME_HEIGHT, number(parameters, "height")),
        ]
        if (pixel_format := str(parameters["pixel_format"])) != "auto":
            code = cv2.VideoWriter.fourcc(*pixel_format)
            wanted.insert(0, (cv2.CAP_PROP_FOURCC, float(code)))
        if rate_hz := number(parameters, "rate_hz"):
            wanted.append((cv2.CAP_PROP_FPS, rate_hz))
        capture = cv2.VideoCapture(self._path, cv2.CAP_V4L2)
        for key, value in wanted:
            capture.set(key, value)
        if not capture.isOpened():
            capture.release()
            raise DriverError(f"camera {self._path} is in use; close other programs that use it")
        return capture

    def _next(self) -> Frame:
        capture = self._opened()
        is_read, picture = capture.read()
        if not is_read:
            self._check_there()
            raise NoFrameYetError
        now_ns = time.monotonic_ns()
        stamp_ns = int(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)  # monotonic with these cameras
        if 0 <= now_ns - stamp_ns < _STAMP_TRUST_NS:
            self.captured_at_ns = stamp_ns
        return np.asarray(picture)

    def _check_there(self) -> None:
        if not Path(self._path).exists():
            raise DriverError(f"camera {self._path} was unplugged; plug it in again")

    def _opened(self) -> cv2.VideoCapture:
        if self._capture is None:
            raise MediaError("the camera is not open")
        return self._capture


def _path_of(wanted: str) -> str:
    """Return the node of a camera that is given by node, serial number or name."""
    if wanted.startswith("/"):
        return wanted
    found = cameras_in()
    for one in found:
        if wanted in ("", one.serial, one.name, one.model):
            return one.device_id
    known = ", ".join(one.name for one in found) or "none"
    raise DriverError(
        f"there is no USB camera {wanted or 'at all'}; there are: {known}; plug one in"
    )


def _no_camera(path: str, error: OSError) -> DriverError:
    if isinstance(error, FileNotFoundError):
        return DriverError(f"there is no camera {path}; plug it in, or choose another device")
    if isinstance(error, PermissionError):
        return MediaError(
            f"camera {path} may not be used by this user; join the group video: "
            f"sudo usermod -aG video $USER, then log in again"
        )
    return MediaError(f"{path} cannot be used as a camera: {error.strerror}")
