"""The class `InstrumentDevice`: a connected camera, and the buffers it lends out."""
# ruff: noqa: N802 - the published names are camelCase

import contextlib
import os
import threading
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from engine.config import ParameterValue
from engine.drivers import DriverEntry, DriverProcess, Ended, Failed, FrameReady
from engine.errors import EngineError, WrongStateError
from engine.handle._arguments import milliseconds, whole_number
from engine.handle._core import HandleCore
from engine.handle._lines import DataForm
from engine.handle._orders import frame_order
from engine.handle._spectral_setup import ReferenceInfo, SpectralData, describe
from engine.handle.enums import PushBroomFrame_StorageOrder
from engine.handle.errors import (
    AcquisitionEndedError,
    ArgumentError,
    BufferLostError,
    DeviceStateError,
    HandleArgumentTypeError,
    as_runtime_error,
    runtime_errors,
)
from engine.handle.parameter_info import ParameterInfo
from engine.process import Channel, ChildProcess, Deadline
from engine.protocol import FrameFormat, FrameKind

__all__ = ("Buffer", "BufferContainer", "DeviceStatus", "InstrumentDevice", "device_data")

Array = np.ndarray[Any, Any]

_DEFAULT_BUFFERS = 8


class DeviceStatus(IntEnum):
    """What a device is doing."""

    Connected = 0
    Acquiring = 1
    Error = 2
    Disconnected = 3


class Buffer:
    """A frame that a device lends out until `InstrumentDevice.returnBuffer`.

    Attributes
    ----------
    number : of the frame in the device; numbers of dropped frames are missing.
    capturedAtNs : monotonic time of capture.
    """

    def __init__(self, data: Array, slot: int, message: FrameReady) -> None:
        self.number = message.frame_id
        self.capturedAtNs = message.captured_at_ns
        self._data: Array | None = data
        self._slot = slot

    @property
    def data(self) -> Array:
        """The frame, read-only, without a copy; not to be used after the buffer was returned.

        Raises
        ------
        BufferLostError
            After that.
        """
        if self._data is None:
            raise BufferLostError(
                f"buffer {self.number} was returned to its device; copy what you want to keep"
            )
        return self._data

    def take_back(self) -> int:
        """Make the buffer useless and return its slot; used by this package."""
        _ = self.data
        self._data = None
        return self._slot


class BufferContainer:
    """Copies of buffers, for references; contexts and `ReferenceInfo` take it as an array."""

    def __init__(self) -> None:
        self._frames: list[Array] = []

    def add(self, buffer: Buffer) -> None:
        """Keep a copy of a buffer's frame."""
        self._frames.append(buffer.data.copy())

    def count(self) -> int:
        """Return the number of frames."""
        return len(self._frames)

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: ANN401
        """Return all frames as one array."""
        del copy
        if not self._frames:
            raise ArgumentError("the buffer container is empty; add buffers first")
        return np.stack(self._frames).astype(dtype or self._frames[0].dtype, copy=False)


class _Host(DriverProcess):
    """A driver process that may be started by another executable than our own."""

    executable: Path | None = None

    def _launch(self) -> None:
        if self.executable is None:
            super()._launch()
            return
        self._channel, theirs = Channel.pair()
        with theirs:
            self._child = ChildProcess(
                f"driver host {self.executable.name}",
                [str(self.executable), str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
            )


class InstrumentDevice:
    """A connected instrument; made by `DeviceGroup`.

    The device delivers all the time. Between `startAcquisition` and `stopAcquisition` its frames
    can be retrieved; who does not return buffers finds frames dropped.
    """

    def __init__(
        self, core: HandleCore, entry: DriverEntry, parameters: Mapping[str, ParameterValue]
    ) -> None:
        self._core = core
        self._entry = entry
        self._parameters = dict(parameters)
        self._lock = threading.Lock()
        self._status = DeviceStatus.Disconnected
        self._last_error = ""
        self._dropped = 0
        self._next_number: int | None = None
        self._lent: dict[int, Buffer] = {}
        self._host, self._format = self._connect(_DEFAULT_BUFFERS)
        self._status = DeviceStatus.Connected
        core.add(self)

    @property
    def name(self) -> str:
        """The driver's name for people."""
        return self._entry.label

    @property
    def status(self) -> DeviceStatus:
        """What the device is doing."""
        return self._status

    @property
    def lastError(self) -> str:
        """What went wrong, empty when nothing did."""
        return self._last_error

    @property
    def droppedFrames(self) -> int:
        """Frames of this acquisition that were lost because no buffer was free."""
        return self._dropped

    @property
    def core(self) -> HandleCore:
        """The handle it belongs to; used by this package."""
        return self._core

    @property
    def frame_format(self) -> FrameFormat:
        """Shape, dtype and wavelengths of its frames; used by this package."""
        return self._format

    def wavelengths(self) -> tuple[float, ...]:
        """Return the wavelength of each band in nm; empty when the driver does not say."""
        return self._format.wavelengths_nm

    def parameterInfo(self) -> ParameterInfo:
        """Return the parameters that the device was connected with."""
        return ParameterInfo(self._entry.parameters)

    def setupInternalBuffers(self, count: int) -> None:
        """Have so many buffers; the device is connected anew for it.

        Raises
        ------
        DeviceStateError
            While it is acquiring.
        """
        number = whole_number(count, "the number of buffers")
        if not 1 <= number <= 4096:
            raise ArgumentError(f"the number of buffers is 1 to 4096, not {number}")
        self._check(DeviceStatus.Connected)
        self._host.stop()
        self._host, self._format = self._connect(number)

    def startAcquisition(self) -> None:
        """Let frames be retrieved from now on; what was captured before is thrown away.

        Raises
        ------
        DeviceStateError
            When it is acquiring already, or not connected.
        """
        self._check(DeviceStatus.Connected)
        while isinstance(event := self._host.receive(0.0), FrameReady):
            self._host.frame(event.slot)
            self._host.free(event.slot)
        if event is not None:
            raise self._ending(event)
        self._dropped = 0
        self._next_number = None
        self._status = DeviceStatus.Acquiring

    def retrieveBuffer(self, timeout: float) -> Buffer | None:
        """Return the next frame, or None when there was none in time.

        Parameters
        ----------
        timeout : in milliseconds.

        Raises
        ------
        DriverError
            When the driver failed or its process died, at once.
        AcquisitionEndedError
            When the source has no more frames.
        """
        self._check(DeviceStatus.Acquiring)
        deadline = Deadline(milliseconds(timeout, "timeout"))
        event = self._host.receive(deadline.left_s())
        if event is None:
            self._check(DeviceStatus.Acquiring)  # another thread may have disconnected it
            return None
        if isinstance(event, FrameReady):
            return self._lend(event)
        raise self._ending(event)

    def returnBuffer(self, buffer: Buffer) -> None:
        """Give a buffer back; its frame must not be used any more.

        Raises
        ------
        BufferLostError
            When it was returned before.
        """
        slot = buffer.take_back()
        if self._lent.pop(slot, None) is buffer:
            with contextlib.suppress(WrongStateError):  # disconnected meanwhile
                self._host.free(slot)

    def stopAcquisition(self) -> None:
        """Stop retrieving; buffers that are still lent are taken back.

        Raises
        ------
        DeviceStateError
            When it is not acquiring.
        """
        self._check(DeviceStatus.Acquiring)
        self._take_all_back()
        self._status = DeviceStatus.Connected

    def notificationHandle(self) -> int:
        """Return a descriptor that is readable when there is a frame or something went wrong."""
        if self._status is DeviceStatus.Disconnected:
            self._check(DeviceStatus.Connected)
        return self._host.fileno()

    def release(self) -> None:
        """Disconnect. Safe to call twice, and from any thread."""
        with self._lock:
            if self._status is DeviceStatus.Disconnected:
                return
            self._status = DeviceStatus.Disconnected
        self._lent.clear()
        self._host.stop()

    def _connect(self, buffers: int) -> tuple[_Host, FrameFormat]:
        with runtime_errors():
            host = _Host(self._entry, self._parameters, stream=self._entry.name, slots=buffers)
            host.executable = self._core.isolation_executable
            return host, host.start()

    def _lend(self, message: FrameReady) -> Buffer:
        if self._next_number is not None:
            self._dropped += message.frame_id - self._next_number
        self._next_number = message.frame_id + 1
        buffer = Buffer(self._host.frame(message.slot), message.slot, message)
        self._lent[message.slot] = buffer
        return buffer

    def _ending(self, event: Ended | Failed) -> EngineError:
        """Note that nothing more will come, and return the error that says why."""
        self._take_all_back()
        self._status = DeviceStatus.Error
        if isinstance(event, Failed):
            self._last_error = event.message
            return as_runtime_error(event.to_error())
        self._last_error = "its source has no more frames"
        return AcquisitionEndedError(
            f"device {self.name!r} has no more frames; connect it again to begin anew"
        )

    def _take_all_back(self) -> None:
        for buffer in list(self._lent.values()):
            self.returnBuffer(buffer)

    def _check(self, wanted: DeviceStatus) -> None:
        self._core.check()
        if self._status is wanted:
            return
        why = f" ({self._last_error})" if self._last_error else ""
        words = {
            DeviceStatus.Connected: "is not acquiring; call startAcquisition first",
            DeviceStatus.Acquiring: "is acquiring; call stopAcquisition first",
            DeviceStatus.Error: f"has failed{why}; connect it again",
            DeviceStatus.Disconnected: "was disconnected; connect it again",
        }
        raise DeviceStateError(f"device {self.name!r} {words[self._status]}")


def device_data(device: InstrumentDevice, references: ReferenceInfo | None) -> SpectralData:
    """Return what a line camera's frames are, as contexts take it; used by this package."""
    if not isinstance(device, InstrumentDevice):
        raise HandleArgumentTypeError(f"device is an InstrumentDevice, not {type(device).__name__}")
    device.core.check()
    found = device.frame_format
    if found.kind is not FrameKind.LINE:
        raise ArgumentError(
            f"device {device.name!r} delivers pictures; contexts for instruments take the lines "
            "of a line camera"
        )
    order = frame_order(PushBroomFrame_StorageOrder.LambdaX)
    form = DataForm(order, found.shape, np.dtype(found.dtype))
    return describe(form, found.wavelengths_nm or None, references)
