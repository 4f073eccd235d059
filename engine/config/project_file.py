"""Reads and writes project files (TOML)."""

import difflib
import os
import tomllib
from pathlib import Path

import msgspec
import tomli_w

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
            raise ConfigError(f"project file {path} is larger than 4 MiB; is it a project file?")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"project file {path} cannot be read: {reason}", file=str(path)
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
        raise _explain(error, source) from error


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
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(dump_project(project))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(
            f"project file {path} cannot be written: {error.strerror}", file=str(path)
        ) from error


def _explain(error: msgspec.ValidationError, source: str) -> ConfigError:
    """Turn msgspec's message into one that names the field first."""
    text = str(error)
    problem, _, path = text.partition(" - at `")
    path = path.rstrip("`").removeprefix("$.")
    if "unknown field" in problem:
        unknown = problem.rsplit("`", 2)[-2]
        near = difflib.get_close_matches(unknown, _field_names(), n=1)
        field = f"{path}.{unknown}" if path and path != "$" else unknown
        hint = f"; did you mean {near[0]!r}?" if near else "; remove it or correct its name"
        return ConfigError(f"{source}: unknown key {field!r}{hint}", file=source, path=field)
    field = path if path and path != "$" else ""
    where = f"{field}: " if field else ""
    return ConfigError(
        f"{source}: {where}{problem[:1].lower()}{problem[1:]}", file=source, path=field
    )


def _field_names() -> list[str]:
    names: list[str] = []
    waiting: list[type[msgspec.Struct]] = [Project]
    while waiting:
        for field in msgspec.structs.fields(waiting.pop()):
            names.append(field.encode_name)
            kinds = [field.type, *getattr(field.type, "__args__", ())]
            waiting += [k for k in kinds if isinstance(k, type) and issubclass(k, msgspec.Struct)]
    return names
