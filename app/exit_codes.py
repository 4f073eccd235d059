"""Exit codes of the command line, and which error leads to which."""

from engine.errors import (
    ConfigError,
    DeviceError,
    DriverError,
    EngineDiedError,
    EngineError,
    LicenseError,
    PluginError,
    ProgramError,
)

__all__ = (
    "DEVICE",
    "DONE",
    "ENGINE_DIED",
    "FAILED",
    "INTERRUPTED",
    "LICENSE",
    "PROGRAM",
    "USAGE",
    "exit_code_of",
)

DONE = 0
FAILED = 1
USAGE = 2
LICENSE = 3
PROGRAM = 4
DEVICE = 5
ENGINE_DIED = 6
INTERRUPTED = 130

_CODES: tuple[tuple[type[EngineError], int], ...] = (
    (EngineDiedError, ENGINE_DIED),
    (LicenseError, LICENSE),
    (ProgramError, PROGRAM),
    (DriverError, DEVICE),
    (DeviceError, DEVICE),
    (PluginError, DEVICE),
    (ConfigError, USAGE),
)


def exit_code_of(error: EngineError) -> int:
    """Return the exit code that tells scripts what kind of thing went wrong."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return FAILED
