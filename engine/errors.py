"""Every error the engine raises, as one tree.

Each error is a sentence for people plus plain details, survives pickling, and has a stable code
under which it travels between processes.
"""

from typing import ClassVar, Self

import msgspec

__all__ = (
    "BrokenError",
    "BusyError",
    "CallbackSignatureError",
    "ClosedError",
    "ConfigError",
    "DeviceError",
    "DeviceLostError",
    "DeviceNotFoundError",
    "DriverCrashedError",
    "DriverDirectoryMissingError",
    "DriverError",
    "DriverNotFoundError",
    "DriverProtocolError",
    "DriverTimeoutError",
    "EndOfStreamError",
    "EngineBugError",
    "EngineDiedError",
    "EngineError",
    "EngineTimeoutError",
    "InvalidArgumentError",
    "LicenseDeviceError",
    "LicenseEmptyError",
    "LicenseError",
    "LicenseExpiredError",
    "LicenseFeatureMissingError",
    "LicenseMachineError",
    "LicenseMalformedError",
    "LicenseNotYetValidError",
    "LicenseProductError",
    "LicenseSignatureError",
    "LicenseSignerError",
    "LicenseTruncatedError",
    "LicenseUnreadableError",
    "MediaError",
    "OutputError",
    "PluginError",
    "PluginNotFoundError",
    "PluginUnavailableError",
    "ProgramCompileError",
    "ProgramError",
    "ProgramIncompatibleError",
    "ProgramMalformedError",
    "RemoteError",
    "SegmentLostError",
    "StreamNotFoundError",
    "UnconnectedPortError",
    "WireError",
    "WorkerDiedError",
    "WrongStateError",
    "from_wire",
    "to_wire",
)

Detail = str | int | float | bool | None


def _rebuild(kind: type["EngineError"], message: str, details: dict[str, Detail]) -> "EngineError":
    error = kind(message)
    error.details = dict(details)  # not as keywords: a key from afar may be called "message"
    return error


class EngineError(Exception):
    """Base of all errors of the engine: a sentence, plain details and a stable code."""

    code: ClassVar[str] = "engine"

    def __init__(self, message: str, **details: Detail) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.details)

    @classmethod
    def chained(cls, message: str, cause: BaseException, **details: Detail) -> Self:
        """Build the error with `cause` as its ``__cause__``, where ``raise from`` cannot stand."""
        error = cls(message, **details)
        error.__cause__ = cause
        return error


class InvalidArgumentError(EngineError, ValueError):
    """An argument has a value that cannot be used."""

    code = "argument"


class WrongStateError(EngineError, RuntimeError):
    """The call does not fit the state the object is in."""

    code = "state"


class ClosedError(WrongStateError):
    """The object was closed by its user."""

    code = "closed"


class BusyError(EngineError, RuntimeError):
    """Somebody else is using the thing that only one may use."""

    code = "busy"


class CallbackSignatureError(EngineError, RuntimeError):
    """A callback does not accept the arguments it will be called with."""

    code = "callback_signature"


class UnconnectedPortError(EngineError, RuntimeError):
    """A model's input or output was never connected."""

    code = "unconnected"


class StreamNotFoundError(EngineError, LookupError):
    """The project has no stream of that name."""

    code = "stream_not_found"


class ConfigError(EngineError, ValueError):
    """A project file or setting is wrong; ``details["path"]`` names the field."""

    code = "config"


class LicenseError(EngineError, RuntimeError):
    """A license does not allow what was asked."""

    code = "license"


class LicenseMalformedError(LicenseError):
    """The bytes are not a license."""

    code = "license_malformed"


class LicenseEmptyError(LicenseMalformedError):
    """The license has no content."""

    code = "license_empty"


class LicenseTruncatedError(LicenseMalformedError):
    """The end of the license is missing."""

    code = "license_truncated"


class LicenseUnreadableError(LicenseError):
    """The license file cannot be read."""

    code = "license_unreadable"


class LicenseSignatureError(LicenseError):
    """The license was changed after it was signed, or is signed by nobody we trust."""

    code = "license_signature"


class LicenseSignerError(LicenseSignatureError):
    """The license is signed with a key that is not trusted here."""

    code = "license_signer"


class LicenseExpiredError(LicenseError):
    """The license is past its last day."""

    code = "license_expired"


class LicenseNotYetValidError(LicenseError):
    """The license's first day has not come."""

    code = "license_not_yet_valid"


class LicenseProductError(LicenseError):
    """The license is for another product."""

    code = "license_product"


class LicenseMachineError(LicenseError):
    """The license is bound to another machine."""

    code = "license_machine"


class LicenseDeviceError(LicenseError):
    """The license is bound to other devices."""

    code = "license_device"


class LicenseFeatureMissingError(LicenseError):
    """The license does not contain the feature, or its limit is reached."""

    code = "license_feature"


class PluginError(EngineError, RuntimeError):
    """A processing plugin failed."""

    code = "plugin"


class PluginNotFoundError(PluginError, LookupError):
    """No processing plugin has that id, name or index."""

    code = "plugin_not_found"


class PluginUnavailableError(PluginError):
    """The processing plugin cannot work on this machine."""

    code = "plugin_unavailable"


class ProgramError(EngineError, RuntimeError):
    """A compiled program (DFP) or the model it is made from cannot be used."""

    code = "program"


class ProgramMalformedError(ProgramError):
    """The file is not a program, or is damaged."""

    code = "program_malformed"


class ProgramIncompatibleError(ProgramError):
    """The program is intact but needs something that is not here."""

    code = "program_incompatible"


class ProgramCompileError(ProgramError):
    """A model cannot be compiled into a program."""

    code = "program_compile"


class DriverError(EngineError, RuntimeError):
    """A driver failed."""

    code = "driver"


class DriverNotFoundError(DriverError, LookupError):
    """No driver has that name."""

    code = "driver_not_found"


class DriverDirectoryMissingError(DriverError, NotADirectoryError):
    """The folder that should contain drivers is not there."""

    code = "driver_directory"


class DriverProtocolError(DriverError):
    """A driver process sent something that is not in the protocol."""

    code = "driver_protocol"


class DriverCrashedError(DriverError):
    """A driver process ended without being asked to."""

    code = "driver_crashed"


class DriverTimeoutError(DriverError, TimeoutError):
    """A driver did not answer in time."""

    code = "driver_timeout"


class MediaError(DriverError):
    """A media file is missing, unreadable or cut off."""

    code = "media"


class DeviceError(EngineError, RuntimeError):
    """A device failed while executing a program."""

    code = "device"


class DeviceNotFoundError(DeviceError, LookupError):
    """No device has that number."""

    code = "device_not_found"


class DeviceLostError(DeviceError):
    """A device answers no more; other frames will fare no better on it."""

    code = "device_lost"


class OutputError(EngineError, OSError):
    """Results cannot be written."""

    code = "output"


class BrokenError(EngineError, RuntimeError):
    """The other side failed."""

    code = "broken"


class WorkerDiedError(BrokenError):
    """A worker process ended; details say role, pid, signal and its last lines."""

    code = "worker_died"


class EngineDiedError(WorkerDiedError):
    """The engine service ended without being asked to."""

    code = "engine_died"


class SegmentLostError(BrokenError):
    """A shared-memory segment is gone or too small."""

    code = "segment_lost"


class EngineTimeoutError(EngineError, TimeoutError):
    """Something did not happen before its deadline; the message names what was awaited."""

    code = "timeout"


class EndOfStreamError(EngineError):
    """There are no more frames."""

    code = "end_of_stream"


class RemoteError(EngineError):
    """Another process reported an error whose code is not known here."""

    code = "remote"


class EngineBugError(EngineError):
    """Our own mistake; the message tells the story, please report it."""

    code = "bug"


class WireError(msgspec.Struct, frozen=True):
    """An error as it travels between processes: text and a code, never a pickle."""

    code: str
    message: str
    details: dict[str, str | int | float | bool | None] = {}


def to_wire(error: BaseException) -> WireError:
    """Describe any exception as plain values."""
    if isinstance(error, EngineError):
        return WireError(error.code, error.message, dict(error.details))
    return WireError("remote", f"{type(error).__name__}: {error}")


def from_wire(error: WireError) -> EngineError:
    """Turn a received description back into the class of its code, or `RemoteError`."""
    kind = _kinds().get(error.code, RemoteError)
    return _rebuild(kind, error.message, dict(error.details))


def _kinds() -> dict[str, type[EngineError]]:
    kinds: dict[str, type[EngineError]] = {}
    waiting: list[type[EngineError]] = [EngineError]
    while waiting:
        kind = waiting.pop()
        kinds[kind.code] = kind
        waiting.extend(kind.__subclasses__())
    return kinds
