"""The class `InstrumentDevice`: a connected camera, and the buffers it lends out."""
# ruff: noqa: N802 - the published names are camelCase

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from engine.config import ParameterValue
from engine.drivers import DriverEntry, Ended, Failed, FrameReady
from engine.errors import EngineError, WrongStateError
from engine.handle._arguments import milliseconds, whole_number
from engine.handle._core import HandleCore
from engine.handle._device import ConnectedDevice, DeviceStatus
from engine.handle._envi import read_envi_calibration
from engine.handle.calibration import CalibrationInfo
from engine.handle.errors import (
    AcquisitionEndedError,
    ArgumentError,
    BufferLostError,
    HandleArgumentTypeError,
    as_runtime_error,
    runtime_errors,
)
from engine.handle.light import LightControlDevice, make_dark, make_light
from engine.process import Deadline
from engine.protocol import FrameFormat

__all__ = ("Buffer", "BufferContainer", "InstrumentDevice")

Array = np.ndarray[Any, Any]

_DEFAULT_BUFFERS = 8
_WHITE, _DARK = "WhiteReference", "DarkReference"


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

    @classmethod
    def of(cls, frames: Array) -> Self:
        """Make a container that holds these frames; used by this package."""
        container = cls()
        container._frames.extend(frames)
        return container

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


class InstrumentDevice(ConnectedDevice):
    """A connected instrument; made by `DeviceGroup`.

    The device delivers all the time. Between `startAcquisition` and `stopAcquisition` its frames
    can be retrieved; who does not return buffers finds frames dropped.
    """

    def __init__(
        self, core: HandleCore, entry: DriverEntry, parameters: Mapping[str, ParameterValue]
    ) -> None:
        super().__init__(core, entry, parameters)
        self._dropped = 0
        self._lost_before = 0
        self._not_before_ns = 0
        self._next_number: int | None = None
        self._lent: dict[int, Buffer] = {}
        self._calibration: CalibrationInfo | None = None
        self._format = self._connect(_DEFAULT_BUFFERS)
        self._status = DeviceStatus.Connected
        core.add(self)

    @property
    def droppedFrames(self) -> int:
        """Frames of this acquisition that are missing: no buffer was free, or they were lost."""
        return self._dropped + self.lostFrames

    @property
    def lostFrames(self) -> int:
        """Frames of this acquisition that the device, or the way from it, has lost."""
        return self._host.lost_frames - self._lost_before

    @property
    def frame_format(self) -> FrameFormat:
        """Shape, dtype and wavelengths of its frames; used by this package."""
        return self._format

    def wavelengths(self) -> tuple[float, ...]:
        """Return the wavelength of each band in nm; empty when the driver does not say."""
        return self._format.wavelengths_nm

    def calibrationInfo(self) -> CalibrationInfo | None:
        """Return a copy of what `setCalibrationInfo` was given, or else what the source says.

        Returns
        -------
        CalibrationInfo or None
            None when nothing is known.
        """
        if self._calibration is not None:
            return self._calibration.copy()
        if not self._format.calibration:
            return None
        found = read_envi_calibration(Path(self._format.calibration))
        return None if found == CalibrationInfo() else found

    def setCalibrationInfo(self, info: CalibrationInfo | None) -> None:
        """Say how the device is mounted and what its white reflects; for contexts made later.

        None goes back to what the source says about itself, as a recording that is played does.
        """
        if info is not None and not isinstance(info, CalibrationInfo):
            raise HandleArgumentTypeError(
                f"info is a CalibrationInfo or None, not {type(info).__name__}"
            )
        self._calibration = None if info is None else info.copy()

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
        self._format = self._connect(number)

    def startAcquisition(self, referenceName: str | None = None) -> None:  # noqa: N803
        """Let frames be retrieved from now on; what was captured before is thrown away.

        Parameters
        ----------
        referenceName : what the frames are for: "DarkReference" forces all lights of the handle
            off until the acquisition ends, however it does; "WhiteReference" and None do not.

        Raises
        ------
        DeviceStateError
            When it is acquiring already, or not connected.
        ArgumentError
            When there is no such reference.
        """
        self._check(DeviceStatus.Connected)
        if referenceName not in (None, _WHITE, _DARK):
            raise ArgumentError(f"a reference is {_WHITE!r} or {_DARK!r}, not {referenceName!r}")
        lights = self._lights()
        if referenceName == _DARK:
            make_dark(lights, id(self))
        try:
            self._begin()
        except BaseException:
            make_light(lights, id(self))
            raise
        self._not_before_ns = time.monotonic_ns() if lights else 0

    def _begin(self) -> None:
        while isinstance(event := self._host.receive(0.0), FrameReady):
            self._host.frame(event.slot)
            self._host.free(event.slot)
        if event is not None:
            raise self._ending(event)
        self._dropped = 0
        self._lost_before = self._host.lost_frames
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
        while isinstance(event, FrameReady) and event.captured_at_ns < self._not_before_ns:
            self._host.frame(event.slot)  # the light was not yet as it should be
            self._host.free(event.slot)
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
        make_light(self._lights(), id(self))

    def notificationHandle(self) -> int:
        """Return a descriptor that is readable when there is a frame or something went wrong."""
        if self._status is DeviceStatus.Disconnected:
            self._check(DeviceStatus.Connected)
        return self._host.fileno()

    def release(self) -> None:
        """Disconnect. Safe to call twice, and from any thread."""
        self._lent.clear()
        super().release()
        make_light(self._lights(), id(self))

    def _connect(self, buffers: int) -> FrameFormat:
        with runtime_errors():
            self._host = self._new_host(buffers)
            return self._host.start()

    def _lights(self) -> list[LightControlDevice]:
        return self._core.all_dependents(LightControlDevice)

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
        make_light(self._lights(), id(self))
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
