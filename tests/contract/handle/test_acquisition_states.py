"""Any order of the calls of an acquisition: what fits is done, what does not is a clear error."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.handle import (
    ConnectionSettings,
    DeviceGroup,
    DeviceStatus,
    DriverType,
    Handle,
    InstrumentDevice,
)
from engine.handle.errors import BufferLostError, DeviceStateError

pytestmark = pytest.mark.slow  # a real process

STEPS = ("start", "stop", "retrieve", "return", "return again", "use", "buffers")


@pytest.fixture
def device(handle: Handle) -> Iterator[InstrumentDevice]:
    parameters = {"width": "64", "height": "64", "rate_hz": "500"}
    settings_ = ConnectionSettings("pattern", DriverType.Instrument, b"", parameters)
    with DeviceGroup(handle, settings_) as group:
        found = group.primaryDevice()
        assert isinstance(found, InstrumentDevice)
        yield found


class Expected:
    """What a device is said to do, in the plainest words, beside the real one."""

    def __init__(self, device: InstrumentDevice) -> None:
        self.device = device
        self.is_acquiring = False
        self.lent: list[Any] = []
        self.returned: list[Any] = []

    def do(self, step: str) -> None:
        getattr(self, "do_" + step.replace(" ", "_"))()
        wanted = DeviceStatus.Acquiring if self.is_acquiring else DeviceStatus.Connected
        assert self.device.status is wanted

    def do_start(self) -> None:
        if self.is_acquiring:
            with pytest.raises(DeviceStateError, match="call stopAcquisition first"):
                self.device.startAcquisition()
            return
        self.device.startAcquisition()
        self.is_acquiring = True

    def do_stop(self) -> None:
        if not self.is_acquiring:
            with pytest.raises(DeviceStateError, match="call startAcquisition first"):
                self.device.stopAcquisition()
            return
        self.device.stopAcquisition()
        self.is_acquiring = False
        self.returned += self.lent  # all are taken back
        self.lent.clear()

    def do_retrieve(self) -> None:
        if not self.is_acquiring:
            with pytest.raises(DeviceStateError, match="call startAcquisition first"):
                self.device.retrieveBuffer(0)
            return
        if len(self.lent) >= 6:  # the ring may be empty
            return
        buffer = self.device.retrieveBuffer(20_000)
        assert buffer is not None
        assert buffer.data.shape == (64, 64, 3)
        assert all(buffer.number > other.number for other in self.lent)
        self.lent.append(buffer)

    def do_return(self) -> None:
        if self.lent:
            buffer = self.lent.pop()
            self.device.returnBuffer(buffer)
            self.returned.append(buffer)

    def do_return_again(self) -> None:
        for buffer in self.returned[-1:]:
            with pytest.raises(BufferLostError, match="was returned"):
                self.device.returnBuffer(buffer)

    def do_use(self) -> None:
        for buffer in self.lent:
            assert np.asarray(buffer.data).any()
        for buffer in self.returned[-2:]:
            with pytest.raises(BufferLostError, match="was returned"):
                _ = buffer.data

    def do_buffers(self) -> None:
        if self.is_acquiring:
            with pytest.raises(DeviceStateError, match="call stopAcquisition first"):
                self.device.setupInternalBuffers(8)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(STEPS), max_size=25))
def test_property_calls_in_any_order(device: InstrumentDevice, steps: list[str]) -> None:
    expected = Expected(device)
    for step in steps:
        expected.do(step)
    if expected.is_acquiring:
        expected.do("stop")


def test_the_number_of_buffers_can_be_changed_between_acquisitions(
    device: InstrumentDevice,
) -> None:
    for count in (1, 16):
        device.setupInternalBuffers(count)
        device.startAcquisition()
        buffer = device.retrieveBuffer(20_000)
        assert buffer is not None
        device.returnBuffer(buffer)
        device.stopAcquisition()
