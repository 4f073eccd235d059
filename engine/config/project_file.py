"""Reads and writes project files (TOML)."""

import contextlib
import os
import tomllib
from pathlib import Path

import msgspec
import tomli_w

from engine.config.explain import explain
from engine.config.project import Project
from engine.errors import ConfigError

__all__ = ("dump_project", "load_project", "parse_project", "save_project")

_SIZE_LIMIT_BYTES = 4 * 1024 * 1024


def load_project(path: str | Path) -> Project:
    """Read a project file.

    Raises
    ------
    ConfigError
        When the file cannot be read, is not TOML, or a field is unknown or of the wrong type
        (``details["path"]`` names the field).
    """
    path = Path(path)
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            raise ConfigError(
                f"project file {path} is larger than 4 MiB; is it a project file?", file=str(path)
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"project file {path} cannot be read: {error.strerror}; choose another file",
            file=str(path),
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"project file {path} cannot be read: it is not UTF-8 text; is it a project file?",
            file=str(path),
        ) from error
    return parse_project(text, source=str(path))


def parse_project(text: str, *, source: str = "project") -> Project:
    """Read a project from TOML text; `source` is named in errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {error}", file=source) from error
    try:
        return msgspec.convert(raw, Project)
    except msgspec.ValidationError as error:
        raise explain(error, raw, Project, source) from error


def dump_project(project: Project) -> str:
    """Return the project as TOML text that `parse_project` reads back to an equal struct."""
    raw = msgspec.to_builtins(project)
    for stream in raw["streams"]:
        if stream["threshold"] is None:
            del stream["threshold"]
    return tomli_w.dumps(raw, multiline_strings=False)


def save_project(project: Project, path: str | Path) -> None:
    """Write the project file so that a crash leaves either the old or the new one.

    Raises
    ------
    ConfigError
        When the folder or file cannot be written.
    """
    path = Path(path).resolve()  # a link stays a link
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(dump_project(project).encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, UnicodeEncodeError) as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        reason = error.strerror if isinstance(error, OSError) else "a name in it is not text"
        raise ConfigError(
            f"project file {path} cannot be written: {reason}; save it somewhere else",
            file=str(path),
        ) from error
