"""GigE Vision cameras, through the library aravis."""

import ctypes
import time
from collections.abc import Mapping, Sequence

import numpy as np

from engine.config import ParameterValue
from engine.drivers import BaseDriver, DeviceInfo, Frame, LiveParameter, NoFrameYetError
from engine.drivers.builtin.gige_vision.aravis import AravisError, load_aravis
from engine.drivers.builtin.gige_vision.connection import Connection, found_devices, open_camera
from engine.drivers.camera_features import FrameNumbers, apply_settings, check_size, frozen
from engine.drivers.parameters import number
from engine.drivers.pixel_formats import bytes_needed, check_pixel_format, to_rgb
from engine.errors import DriverError, MediaError
from engine.protocol import FrameFormat, FrameKind

__all__ = ("Driver",)

_MANIFEST = ("device", "pixel_format", "width", "height", "rate_hz", "exposure_us", "buffers")
_WAIT_US = 100_000
_SILENCE_S = 1.0
_COMPLETE = 0


class Driver(BaseDriver):
    """Delivers the pictures of one camera as RGB, and none that has missing packets."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._opened = (0, 0, "")
        self._pixel_code = 0
        self._numbers = FrameNumbers()
        self._last_sign_s = 0.0

    def devices(self) -> list[DeviceInfo]:
        """Return the cameras that answer in all networks of this machine; takes a second."""
        return found_devices(load_aravis())

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Connect, set the camera up and let it deliver."""
        connection = self._connection = open_camera(load_aravis(), str(parameters["device"]))
        features, name = connection.features, connection.name
        own = {one: value for one, value in parameters.items() if one not in _MANIFEST}
        apply_settings(features, parameters, own, device=name)
        width, height = int(str(features.value("Width"))), int(str(features.value("Height")))
        pixel_format = str(features.value("PixelFormat"))
        check_pixel_format(pixel_format, device=name)
        self._opened = (width, height, pixel_format)
        try:
            self._pixel_code = connection.pixel_code()
            connection.start(int(number(parameters, "buffers")))
        except AravisError as error:
            raise DriverError(f"{name} does not start to deliver: {error}") from error
        self._last_sign_s = time.monotonic()
        return FrameFormat(FrameKind.IMAGE, (height, width, 3), "uint8")

    def read(self, out: Frame) -> None:
        """Wait for the next complete frame, at most 0.1 s."""
        connection, buffer = self._fetch()
        try:
            plain = connection.library.plain
            code = plain.arv_buffer_get_image_pixel_format(buffer)
            found = (
                plain.arv_buffer_get_image_width(buffer),
                plain.arv_buffer_get_image_height(buffer),
                self._opened[2] if code == self._pixel_code else f"pixel format {code:#x}",
            )
            check_size(found, self._opened, device=connection.name)
            size = ctypes.c_size_t()
            place = plain.arv_buffer_get_data(buffer, ctypes.byref(size))
            if not place or size.value < bytes_needed(found[2], found[0], found[1]):
                self.lost_count += 1
                raise NoFrameYetError
            data = np.ctypeslib.as_array((ctypes.c_uint8 * size.value).from_address(place))
            to_rgb(found[2], data, out)
        finally:
            connection.give_back(buffer)

    def skip(self) -> None:
        """Give the next frame back unseen."""
        connection, buffer = self._fetch()
        connection.give_back(buffer)

    def live_parameters(self) -> Sequence[LiveParameter]:
        """Read the camera's features; those that change its frames are read-only."""
        return frozen(self._connected().features.parameters())

    def live_parameter(self, name: str) -> LiveParameter | None:
        """Read one feature of the camera."""
        found = self._connected().features.find(name)
        return None if found is None else frozen([found])[0]

    def set_parameter(self, name: str, value: ParameterValue) -> None:
        """Set a feature of the camera."""
        self._connected().features.set_value(name, value)

    def run_command(self, name: str) -> None:
        """Run a command of the camera."""
        self._connected().features.run(name)

    def close(self) -> None:
        """Stop and disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _fetch(self) -> tuple[Connection, int]:
        """Return the next complete buffer; incomplete ones are counted as lost."""
        connection = self._connected()
        plain = connection.library.plain
        buffer = plain.arv_stream_timeout_pop_buffer(connection.stream, _WAIT_US)
        if not buffer:
            self._check_alive(connection)
            raise NoFrameYetError
        self._last_sign_s = time.monotonic()
        self.lost_count += self._numbers.missing_before(plain.arv_buffer_get_frame_id(buffer))
        if plain.arv_buffer_get_status(buffer) != _COMPLETE:
            connection.give_back(buffer)
            self.lost_count += 1
            raise NoFrameYetError
        arrived_ns = plain.arv_buffer_get_system_timestamp(buffer)
        age_ns = max(0, time.time_ns() - arrived_ns) if arrived_ns else 0
        self.captured_at_ns = time.monotonic_ns() - age_ns
        return connection, buffer

    def _check_alive(self, connection: Connection) -> None:
        """Tell a camera that is gone from one that waits for a trigger."""
        if time.monotonic() - self._last_sign_s < _SILENCE_S:
            return
        if not connection.is_controller() or not connection.answers():
            raise DriverError(
                f"{connection.name} is lost: it does not answer any more, or another program has "
                f"taken it; check cable and power"
            )
        self._last_sign_s = time.monotonic()

    def _connected(self) -> Connection:
        if self._connection is None:
            raise MediaError("the camera is not connected")
        return self._connection
