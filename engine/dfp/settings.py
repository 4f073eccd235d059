"""Reads the settings that a model is compiled with (TOML)."""

import tomllib
from pathlib import Path

import msgspec

from engine.config import PostSettings, PreSettings, Task
from engine.errors import ConfigError

__all__ = ("CompileSettings", "load_compile_settings")

_SIZE_LIMIT_BYTES = 4 * 1024 * 1024


class CompileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a program needs besides the model; a file may leave out anything.

    Attributes
    ----------
    name : name of the program; empty takes the model's.
    task : what the results are.
    labels : name of each class; empty takes those in the model's metadata.
    shapes : sizes by input name, for inputs that have none of their own.
    pre, post : how frames get in and results get out.
    """

    name: str = ""
    task: Task = Task.TENSOR
    labels: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = {}
    pre: PreSettings = PreSettings()
    post: PostSettings = PostSettings()


def load_compile_settings(path: Path) -> CompileSettings:
    """Read a settings file.

    Raises
    ------
    ConfigError
        When it cannot be read, is not TOML, or a field is unknown or of the wrong type
        (``details["path"]`` names the field).
    """
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            raise ConfigError(
                f"settings file {path} is larger than 4 MiB; is it one?", file=str(path)
            )
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"settings file {path} cannot be read: {error.strerror or error}", file=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"settings file {path} is not UTF-8 text; save it as UTF-8", file=str(path)
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"settings file {path} is not valid TOML: {error}", file=str(path)
        ) from error
    try:
        return msgspec.convert(raw, CompileSettings)
    except msgspec.ValidationError as error:
        raise _explain(error, path) from error


def _explain(error: msgspec.ValidationError, path: Path) -> ConfigError:
    """Name the field first, then what is wrong with it."""
    problem, _, where = str(error).partition(" - at `")
    field = where.rstrip("`").removeprefix("$").removeprefix(".")
    if "unknown field" in problem:
        unknown = problem.rsplit("`", 2)[-2]
        field = f"{field}.{unknown}" if field else unknown
        problem = "there is no such key, remove it or correct its name"
    about = f"{field}: " if field else ""
    return ConfigError(
        f"settings file {path}: {about}{problem[:1].lower()}{problem[1:]}",
        file=str(path),
        path=field,
    )
