"""Receives video over the network."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from engine.config import ParameterValue
from engine.drivers.base import BaseDriver, Frame, NoFrameYetError
from engine.drivers.builtin.network_stream.address import parse_address
from engine.drivers.builtin.network_stream.connection import Picture
from engine.drivers.builtin.network_stream.options import open_options
from engine.drivers.builtin.network_stream.receiver import Receiver, ReceiverSettings
from engine.drivers.builtin.video_file.convert import write_rgb
from engine.drivers.live import LiveParameter
from engine.drivers.parameters import number
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind, Truth

__all__ = ("Driver",)

_MAX_RATE_HZ = 1000.0  # as in the manifest
_TAKE_S = 0.1  # then the host looks whether it is to stop

log = logging.getLogger("driver.network-stream")


class Driver(BaseDriver):
    """Delivers the newest frame of a network stream, in the size the stream began with."""

    _receiver: Receiver | None = None

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Connect and wait for the first frame."""
        address = parse_address(
            str(parameters["url"]), str(parameters["user"]), str(parameters["password"])
        )
        timeout_s = number(parameters, "connect_timeout_s")
        self._shown = address.shown
        self._receiver = Receiver(
            address,
            ReceiverSettings(
                options=open_options(
                    address,
                    transport=str(parameters["transport"]),
                    is_low_latency=bool(parameters["low_latency"]),
                ),
                connect_timeout_s=timeout_s,
                read_timeout_s=number(parameters, "read_timeout_s"),
                reconnect_attempts=int(number(parameters, "reconnect_attempts")),
                reconnect_pause_s=number(parameters, "reconnect_pause_s"),
                max_rate_hz=number(parameters, "max_rate_hz"),
            ),
        )
        first = self._receiver.peek(timeout_s).frame
        shape = (int(first.height), int(first.width), 3)
        write_rgb(first, np.empty(shape, np.uint8))  # what fails or is slow once, does so now
        log.info("receiving %d x %d pixels from %s", shape[1], shape[0], address.shown)
        return FrameFormat(kind=FrameKind.IMAGE, shape=shape, dtype="uint8")

    def read(self, out: Frame) -> Truth | None:
        """Wait for the newest frame and convert it into `out`."""
        picture = self._take()
        self.captured_at_ns = picture.captured_at_ns
        write_rgb(picture.frame, out)
        return None

    def skip(self) -> None:
        """Wait for a frame and forget it."""
        self._take()

    def live_parameters(self) -> Sequence[LiveParameter]:
        """Return how the connection stands, and the rate limit, which may be changed."""
        receiver = self._receiver
        if receiver is None:
            return ()
        return (
            LiveParameter("connected", "boolean", value=receiver.is_connected, access="ro"),
            LiveParameter("frames_received", "integer", value=receiver.frames, access="ro"),
            LiveParameter("frames_passed_over", "integer", value=receiver.passed_over, access="ro"),
            LiveParameter("reconnects", "integer", value=receiver.reconnects, access="ro"),
            LiveParameter(
                "max_rate_hz",
                "number",
                value=receiver.max_rate_hz,
                unit="Hz",
                minimum=0.0,
                maximum=_MAX_RATE_HZ,
            ),
        )

    def set_parameter(self, name: str, value: ParameterValue) -> None:
        """Change the rate limit."""
        if self._receiver is None or name != "max_rate_hz":
            super().set_parameter(name, value)
            return
        self._receiver.limit_rate(number({name: value}, name))

    def close(self) -> None:
        """End the connection and say what came over it."""
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        receiver.close()
        log.info(
            "closed %s: %d frames received, %d passed over, %d reconnects",
            self._shown,
            receiver.frames,
            receiver.passed_over,
            receiver.reconnects,
        )

    def _take(self) -> Picture:
        if self._receiver is None:
            raise EndOfStreamError("the network stream is closed")
        picture = self._receiver.take(_TAKE_S)
        self.lost_count = self._receiver.passed_over
        if picture is None:
            raise NoFrameYetError
        return picture
