"""Cameras behind a GenTL producer, through harvesters."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.config import ParameterValue
from engine.drivers import BaseDriver, DeviceInfo, Frame, LiveParameter, NoFrameYetError
from engine.drivers.builtin.genicam.producers import device_list, gentl_error, open_producers
from engine.drivers.camera_features import FrameNumbers, apply_settings, check_size, frozen
from engine.drivers.pixel_formats import bytes_needed, check_pixel_format, to_rgb
from engine.errors import DriverError, MediaError
from engine.protocol import FrameFormat, FrameKind

if TYPE_CHECKING:
    from engine.drivers.builtin.genicam.features import NodeMapFeatures

__all__ = ("Driver",)

_MANIFEST = ("producer", "device", "pixel_format", "width", "height", "rate_hz", "exposure_us")
_WAIT_S = 0.1
_SILENCE_S = 2.0


class Driver(BaseDriver):
    """Delivers the pictures of one camera as RGB."""

    def __init__(self) -> None:
        self._harvester: Any = None
        self._acquirer: Any = None
        self._features: NodeMapFeatures | None = None
        self._name = "the camera"
        self._opened = (0, 0, "")
        self._numbers = FrameNumbers()
        self._last_sign_s = 0.0

    def devices(self) -> list[DeviceInfo]:
        """Return the cameras of all producers; needs GENICAM_GENTL64_PATH."""
        self._harvester = open_producers("")
        try:
            return device_list(self._harvester)
        finally:
            self.close()

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Connect, set the camera up and let it deliver."""
        self._harvester = open_producers(str(parameters["producer"]))
        features = self._connect(str(parameters["device"]))
        own = {name: value for name, value in parameters.items() if name not in _MANIFEST}
        apply_settings(features, parameters, own, device=self._name)
        width, height = int(features.value("Width")), int(features.value("Height"))
        pixel_format = str(features.value("PixelFormat"))
        check_pixel_format(pixel_format, device=self._name)
        self._opened = (width, height, pixel_format)
        self._start()
        return FrameFormat(FrameKind.IMAGE, (height, width, 3), "uint8")

    def read(self, out: Frame) -> None:
        """Wait for the next complete frame, at most 0.1 s."""
        buffer = self._fetch()
        try:
            if not buffer.payload.components:
                self.lost_count += 1
                raise NoFrameYetError
            picture = buffer.payload.components[0]
            found = (int(picture.width), int(picture.height), str(picture.data_format))
            check_size(found, self._opened, device=self._name)
            data = np.ascontiguousarray(picture.data).view(np.uint8).reshape(-1)
            if len(data) < bytes_needed(found[2], found[0], found[1]):
                self.lost_count += 1
                raise NoFrameYetError
            to_rgb(found[2], data, out)
        finally:
            buffer.queue()

    def skip(self) -> None:
        """Give the next frame back unseen."""
        self._fetch().queue()

    def live_parameters(self) -> Sequence[LiveParameter]:
        """Read the camera's features; those that change its frames are read-only."""
        return frozen(self._connected().parameters())

    def live_parameter(self, name: str) -> LiveParameter | None:
        """Read one feature of the camera."""
        found = self._connected().find(name)
        return None if found is None else frozen([found])[0]

    def set_parameter(self, name: str, value: ParameterValue) -> None:
        """Set a feature of the camera."""
        self._connected().set_value(name, value)

    def run_command(self, name: str) -> None:
        """Run a command of the camera."""
        self._connected().run(name)

    def close(self) -> None:
        """Stop and disconnect."""
        acquirer, self._acquirer = self._acquirer, None
        harvester, self._harvester = self._harvester, None
        self._features = None
        try:
            if acquirer is not None:
                acquirer.destroy()
        finally:
            if harvester is not None:
                harvester.reset()

    def _connect(self, device: str) -> "NodeMapFeatures":
        from engine.drivers.builtin.genicam.features import NodeMapFeatures  # noqa: PLC0415

        found = device_list(self._harvester)
        wanted = [one for one in found if device in ("", one.device_id, one.serial, one.name)]
        if not wanted:
            known = ", ".join(f"{one.device_id} ({one.name})" for one in found) or "none"
            raise DriverError(
                f"there is no camera {device or 'at all'} at this producer; there are: {known}; "
                f"check cable and power"
            )
        self._name = f"camera {wanted[0].name}"
        try:
            self._acquirer = self._harvester.create({"id_": wanted[0].device_id})
        except (gentl_error(), ValueError, RuntimeError) as error:
            raise DriverError(
                f"{self._name} cannot be opened: {error}; close other programs that use it"
            ) from error
        self._features = NodeMapFeatures(self._acquirer.remote_device.node_map, self._name)
        return self._features

    def _start(self) -> None:
        try:
            self._acquirer.start()
        except (gentl_error(), RuntimeError) as error:
            raise MediaError(f"{self._name} does not start to deliver: {error}") from error
        self._last_sign_s = time.monotonic()

    def _fetch(self) -> Any:  # noqa: ANN401 - harvesters has no types
        """Return the next complete buffer; incomplete ones are counted as lost."""
        try:
            buffer = self._acquirer.try_fetch(timeout=_WAIT_S)
        except gentl_error() as error:
            raise DriverError(f"{self._name} is lost: {error}; check cable and power") from error
        if buffer is None:
            self._check_alive()
            raise NoFrameYetError
        self._last_sign_s = time.monotonic()
        self.captured_at_ns = time.monotonic_ns()
        self.lost_count += self._missing(buffer)
        if not buffer.is_complete():
            buffer.queue()
            self.lost_count += 1
            raise NoFrameYetError
        return buffer

    def _missing(self, buffer: Any) -> int:  # noqa: ANN401 - harvesters has no types
        try:
            return self._numbers.missing_before(int(buffer.frame_id))
        except gentl_error():
            return 0  # not every producer numbers its frames

    def _check_alive(self) -> None:
        """Ask a silent camera something; one that waits for a trigger answers."""
        if time.monotonic() - self._last_sign_s > _SILENCE_S:
            self._connected().value("Width")
            self._last_sign_s = time.monotonic()

    def _connected(self) -> "NodeMapFeatures":
        if self._features is None:
            raise DriverError("the camera is not connected")
        return self._features
