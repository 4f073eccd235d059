"""Errors of the handle classes. All are a RuntimeError, as published, and carry a code."""
# ruff: noqa: N802 - the published names are camelCase

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from engine.errors import (
    BusyError,
    ClosedError,
    EndOfStreamError,
    EngineError,
    InvalidArgumentError,
    MediaError,
    OutputError,
    PluginNotFoundError,
    WrongStateError,
)

__all__ = (
    "AcquisitionEndedError",
    "ArgumentError",
    "BufferLostError",
    "CalibrationError",
    "ContextBusyError",
    "DeviceStateError",
    "HandleAlreadyCreatedError",
    "HandleArgumentTypeError",
    "HandleError",
    "HandleNoLongerValidError",
    "HandleReentryError",
    "MeasurementFileError",
    "MeasurementOutputError",
    "MissingReferenceError",
    "ModelNoLongerValidError",
    "NoLicenseDataError",
    "NoSourceDataError",
    "ObjectNoLongerValidError",
    "OutputNotReadyError",
    "PluginIndexError",
    "ProcessingAbortedError",
    "ProcessingContextNoLongerValidError",
    "ReferenceMismatchError",
    "SinkIndexError",
    "SourceDataError",
    "ThreadStartError",
    "ThreadsExistError",
    "WavelengthRangeError",
    "as_runtime_error",
    "runtime_errors",
)


@contextmanager
def runtime_errors() -> Iterator[None]:
    """Turn errors of the engine that are no RuntimeError into one, as published."""
    try:
        yield
    except EngineError as error:
        if isinstance(error, RuntimeError):
            raise
        raise as_runtime_error(error) from error


def as_runtime_error(error: EngineError) -> EngineError:
    """Return the error itself when it is a RuntimeError, else one that says the same."""
    if isinstance(error, RuntimeError):
        return error
    kind = ArgumentError if isinstance(error, InvalidArgumentError) else HandleError
    return kind(error.message, **error.details)


class HandleError(EngineError, RuntimeError):
    """Something went wrong in a call to the handle or to what was made with it."""

    code: ClassVar[str] = "handle"

    @property
    def osErrorCode(self) -> int:
        """The operating system's number for the error, 0 when it had no part in it."""
        number = self.details.get("os_error", 0)
        return number if isinstance(number, int) else 0


class ArgumentError(HandleError, InvalidArgumentError):
    """An argument of a call to the handle has a value that cannot be used."""

    code = "handle_argument"


class HandleArgumentTypeError(ArgumentError, TypeError):
    """An argument is of a type that cannot be used."""

    code = "handle_argument_type"


class NoLicenseDataError(HandleArgumentTypeError):
    """What was given as a license are no bytes."""

    code = "handle_license_data"


class HandleAlreadyCreatedError(HandleError, BusyError):
    """A second handle was asked for while the first one lives."""

    code = "handle_already_created"


class HandleReentryError(HandleError, WrongStateError):
    """A thread's initialization function used the handle that is waiting for it."""

    code = "handle_reentry"


class ThreadsExistError(HandleError, WrongStateError):
    """Processing threads were to be created while there are some."""

    code = "threads_exist"


class ThreadStartError(HandleError):
    """The system did not give us a thread."""

    code = "thread_start"


class ObjectNoLongerValidError(HandleError, ClosedError):
    """The object outlived what it was made for, and can only be destroyed."""

    code = "no_longer_valid"


class HandleNoLongerValidError(ObjectNoLongerValidError):
    """The handle was closed."""

    code = "handle_no_longer_valid"


class ModelNoLongerValidError(ObjectNoLongerValidError):
    """The model's handle is gone."""

    code = "model_no_longer_valid"


class ProcessingContextNoLongerValidError(ObjectNoLongerValidError):
    """The context's handle, queue set or threads are not those it was made for."""

    code = "context_no_longer_valid"


class BufferLostError(ObjectNoLongerValidError):
    """The buffer was returned to its device."""

    code = "buffer_no_longer_valid"


class ProcessingAbortedError(HandleError):
    """Processing was aborted before it was complete; there are no results."""

    code = "processing_aborted"


class ContextBusyError(HandleError, BusyError):
    """Another thread is processing with this very context."""

    code = "context_busy"


class NoSourceDataError(HandleError, WrongStateError):
    """Processing was asked for before there was anything to process."""

    code = "no_source_data"


class OutputNotReadyError(HandleError, WrongStateError):
    """Results were asked for before there were any."""

    code = "output_not_ready"


class SourceDataError(ArgumentError):
    """The data does not have the type or the shape that the context was made for."""

    code = "source_data"


class SinkIndexError(HandleError, IndexError):
    """The context has no output sink of that number."""

    code = "sink_index"


class PluginIndexError(HandleError, PluginNotFoundError, IndexError):
    """There is no processing plugin of that number."""

    code = "plugin_index"


class MissingReferenceError(ArgumentError):
    """The model needs reflectances, and there is no white reference to compute them with."""

    code = "missing_reference"


class ReferenceMismatchError(ArgumentError):
    """A reference does not fit the data or was measured with other settings."""

    code = "reference_mismatch"


class WavelengthRangeError(ArgumentError):
    """The camera does not see all wavelengths that the model needs."""

    code = "wavelength_range"


class CalibrationError(ArgumentError):
    """A calibration setting has a wrong value or unit."""

    code = "calibration"


class MeasurementFileError(HandleError, MediaError):
    """A measurement file is missing, damaged or of a kind that cannot be read."""

    code = "measurement_file"


class MeasurementOutputError(HandleError, OutputError):
    """A measurement file cannot be written."""

    code = "measurement_output"


class DeviceStateError(HandleError, WrongStateError):
    """The call does not fit what the device is doing."""

    code = "device_state"


class AcquisitionEndedError(HandleError, EndOfStreamError):
    """The device's source has no more frames."""

    code = "acquisition_ended"
