"""Reads the manifest of a driver: a TOML file that describes it without running its code."""

import os
import tomllib
from enum import StrEnum
from pathlib import Path, PurePosixPath

import msgspec

from engine.errors import DriverError
from engine.protocol import DriverParameter, DriverState

__all__ = ("API_VERSION", "MANIFEST_NAME", "DeviceKind", "DriverEntry", "read_manifest")

API_VERSION = 2
"""Drivers of this version and of all before it run."""
MANIFEST_NAME = "manifest.toml"
_KINDS = ("boolean", "choice", "folder", "integer", "number", "path", "secret", "text", "url")
_VALUE_KINDS = ("boolean", "choice", "integer", "number")
_SIZE_LIMIT_BYTES = 256 * 1024


class DeviceKind(StrEnum):
    """What a driver drives."""

    INSTRUMENT = "instrument"
    LIGHT = "light"


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    label: str
    description: str = ""
    module: str = "driver.py"
    executable: str = ""
    device_kind: DeviceKind = DeviceKind.INSTRUMENT
    has_own_parameters: bool = False
    api_version: int = 1
    parameters: tuple[DriverParameter, ...] = ()


class DriverEntry(msgspec.Struct, frozen=True):
    """A driver as its manifest describes it; `problem` is a sentence when it cannot be used.

    Attributes
    ----------
    module, executable : what is run: a Python module, or, when there is one, a program that speaks
        the documented protocol. Both are relative to `folder`.
    has_own_parameters : the driver takes parameters that are not in the manifest, and checks them.
    """

    name: str
    label: str
    folder: str
    module: str = "driver.py"
    description: str = ""
    parameters: tuple[DriverParameter, ...] = ()
    problem: str = ""
    api_version: int = 1
    executable: str = ""
    device_kind: DeviceKind = DeviceKind.INSTRUMENT
    has_own_parameters: bool = False

    def state(self) -> DriverState:
        """Return what clients see of the driver."""
        return DriverState(
            name=self.name,
            label=self.label,
            description=self.description,
            folder=self.folder,
            parameters=self.parameters,
            problem=self.problem,
        )


def read_manifest(folder: Path) -> DriverEntry:
    """Read ``manifest.toml`` of a driver's folder.

    Raises
    ------
    DriverError
        When the manifest cannot be read or is wrong; the sentence names file and field.
    """
    path = folder / MANIFEST_NAME
    manifest = _parse(path)
    problem = _problem(manifest, folder)
    if problem:
        raise DriverError(f"driver manifest {path}: {problem}", file=str(path))
    return DriverEntry(
        name=manifest.name,
        label=manifest.label,
        folder=str(folder),
        module=manifest.module,
        description=manifest.description,
        parameters=manifest.parameters,
        api_version=manifest.api_version,
        executable=manifest.executable,
        device_kind=manifest.device_kind,
        has_own_parameters=manifest.has_own_parameters,
    )


def _parse(path: Path) -> _Manifest:
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            raise DriverError(f"driver manifest {path} is larger than 256 KiB", file=str(path))
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        _check_parameter_keys(raw)
        return msgspec.convert(raw, _Manifest)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DriverError(
            f"driver manifest {path} cannot be read: {reason}", file=str(path)
        ) from error
    except ValueError as error:  # not UTF-8, not TOML, or not as the struct says
        raise DriverError(f"driver manifest {path} is wrong: {error}", file=str(path)) from error


def _check_parameter_keys(raw: dict[str, object]) -> None:
    known = {field.name for field in msgspec.structs.fields(DriverParameter)}
    parameters = raw.get("parameters", [])
    for parameter in parameters if isinstance(parameters, list) else []:
        unknown = sorted(set(parameter) - known) if isinstance(parameter, dict) else []
        if unknown:
            name = parameter.get("name", "?")
            raise ValueError(f"parameter {name!r} has the unknown key {unknown[0]!r}")


def _problem(manifest: _Manifest, folder: Path) -> str:
    if not 1 <= manifest.api_version <= API_VERSION:
        return (
            f"api_version is {manifest.api_version}; "
            f"this Penstock runs drivers of version 1 to {API_VERSION}"
        )
    if problem := _version_problem(manifest):
        return problem
    if not manifest.name or not all(c.isalnum() or c in "-_" for c in manifest.name):
        return f"name {manifest.name!r} needs letters, digits, dashes or underscores"
    if manifest.executable:
        return _executable_problem(manifest.executable, folder) or _parameter_problem(
            manifest.parameters
        )
    module = PurePosixPath(manifest.module)
    if module.is_absolute() or ".." in module.parts or module.suffix != ".py":
        return f"module {manifest.module!r} is not a .py file inside the driver's folder"
    if not (folder / module).is_file():
        return f"module {manifest.module!r} is not in the folder"
    return _parameter_problem(manifest.parameters)


def _version_problem(manifest: _Manifest) -> str:
    is_newer = manifest.executable or manifest.has_own_parameters
    if manifest.api_version < 2 and (is_newer or manifest.device_kind is not DeviceKind.INSTRUMENT):
        return (
            "executable, device_kind and has_own_parameters are for api_version = 2; "
            "write that into the manifest"
        )
    return ""


def _executable_problem(executable: str, folder: Path) -> str:
    path = PurePosixPath(executable)
    if path.is_absolute() or ".." in path.parts:
        return f"executable {executable!r} is not a file inside the driver's folder"
    if not os.access(folder / path, os.X_OK) or not (folder / path).is_file():
        return f"executable {executable!r} is not in the folder, or may not be run"
    return ""


def _parameter_problem(parameters: tuple[DriverParameter, ...]) -> str:
    names = [parameter.name for parameter in parameters]
    for parameter in parameters:
        if parameter.kind not in _KINDS:
            return (
                f"parameter {parameter.name!r} is of the unknown kind {parameter.kind!r}; "
                f"known are {', '.join(_KINDS)}"
            )
        if parameter.kind == "choice" and not parameter.choices:
            return f"parameter {parameter.name!r} is a choice without choices"
        if not parameter.is_required and parameter.default == "" and parameter.kind in _VALUE_KINDS:
            return f"parameter {parameter.name!r} is not required and has no default"
        if names.count(parameter.name) > 1:
            return f"parameter {parameter.name!r} stands there twice"
    return ""
