"""Finds the names of classes in a model's metadata and in label files."""

import ast
from collections.abc import Mapping
from pathlib import Path

from engine.errors import ConfigError

__all__ = ("labels_from_metadata", "labels_from_text", "read_labels")

_KEYS = ("labels", "names", "classes", "class_names")
_SIZE_LIMIT_BYTES = 4 * 1024 * 1024


def labels_from_metadata(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the labels that exporters leave in a model, or nothing.

    They are a line each, or a Python or JSON list, or a dictionary by class index.
    """
    for key in _KEYS:
        text = metadata.get(key, "").strip()
        if text and len(text) <= _SIZE_LIMIT_BYTES:
            return labels_from_text(text) if text[0] not in "[{" else _from_literal(text)
    return ()


def labels_from_text(text: str) -> tuple[str, ...]:
    """Return one label per line; blank lines at the end do not count."""
    lines = [line.strip() for line in text.rstrip().splitlines()]
    return tuple(lines)


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a label file: UTF-8 text, one label per line.

    Raises
    ------
    ConfigError
        When the file cannot be read or has no label in it.
    """
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            raise ConfigError(f"label file {path} is larger than 4 MiB; is it one?", file=str(path))
        labels = labels_from_text(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"label file {path} cannot be read: {error.strerror or error}", file=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"label file {path} is not UTF-8 text; save it with one label per line", file=str(path)
        ) from error
    if not labels:
        raise ConfigError(f"label file {path} is empty; write one label per line", file=str(path))
    return labels


def _from_literal(text: str) -> tuple[str, ...]:
    """Read a list or a dictionary by index; anything else has no labels in it."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    if isinstance(value, list):
        return tuple(str(label) for label in value)
    if isinstance(value, dict):
        by_index = {int(key): str(label) for key, label in value.items() if str(key).isdigit()}
        if len(by_index) == len(value) and sorted(by_index) == list(range(len(by_index))):
            return tuple(by_index[index] for index in range(len(by_index)))
    return ()
