"""Takes typed fields out of decoded MxPack dictionaries; every error says at which byte."""

from collections.abc import Iterator

from engine.dfp.byte_reader import damaged_at
from engine.dfp.mxpack import ARRAY, BINARY, BOOL, DICT, FLOAT, LIST, TEXTS, Value, kind_name

__all__ = ("Fields",)


class Fields:
    """The keys of a dictionary, read with the type they must have.

    Parameters
    ----------
    value : a decoded dictionary.
    where : what it is called in errors.
    source : what the file is called in errors.

    Raises
    ------
    ProgramMalformedError
        When it is no dictionary; so do all methods for a missing or wrong field.
    """

    def __init__(self, value: Value, where: str, source: str) -> None:
        self.where = where
        self.source = source
        self.offset = value.offset
        if value.kind != DICT or not isinstance(value.content, dict):
            raise damaged_at(
                source, value.offset, f"{where} is {kind_name(value.kind)}, not a dictionary"
            )
        self._values: dict[str, Value] = value.content

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def offset_of(self, key: str) -> int:
        """Return where a field's content begins."""
        return self._values[key].offset if key in self._values else self.offset

    def value(self, key: str) -> Value:
        """Return a field as it was decoded."""
        if key not in self._values:
            raise damaged_at(self.source, self.offset, f"{self.where} has no {key!r}")
        return self._values[key]

    def integer(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """Return a whole number within limits; without a default it must be there."""
        if default is not None and key not in self._values:
            return default
        return self._integer(self.value(key), key, least, most)

    def integers(self, key: str, least: int, most: int) -> tuple[int, ...]:
        """Return a list of whole numbers; none when the key is missing."""
        if key not in self._values:
            return ()
        return tuple(self._integer(item, key, least, most) for item in self.items(key))

    def truth(self, key: str, default: bool | None = None) -> bool:
        """Return a truth value; 0 and 1 count as well."""
        if default is not None and key not in self._values:
            return default
        value = self.value(key)
        if isinstance(value.content, int) and value.content in (0, 1):
            return bool(value.content)
        raise self._wrong(key, value, kind_name(BOOL))

    def real(self, key: str, default: float) -> float:
        """Return a number."""
        if key not in self._values:
            return default
        value = self.value(key)
        if isinstance(value.content, int | float) and value.kind != BOOL:
            return float(value.content)
        raise self._wrong(key, value, kind_name(FLOAT))

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        if default is not None and key not in self._values:
            return default
        return self._text(self.value(key), key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; none when the key is missing."""
        return tuple(self._text(item, key) for item in self.items(key)) if key in self else ()

    def binary(self, key: str) -> memoryview:
        """Return bytes, as a view into the file."""
        value = self.value(key)
        if value.kind != BINARY or not isinstance(value.content, memoryview):
            raise self._wrong(key, value, kind_name(BINARY))
        return value.content

    def table(self, key: str) -> "Fields":
        """Return a dictionary inside this one."""
        return Fields(self.value(key), f"{self.where}.{key}", self.source)

    def items(self, key: str) -> list[Value]:
        """Return the elements of a list or an array."""
        value = self.value(key)
        if value.kind not in (LIST, ARRAY) or not isinstance(value.content, list):
            raise self._wrong(key, value, kind_name(LIST))
        return value.content

    def tables(self, key: str) -> Iterator["Fields"]:
        """Yield the dictionaries of a list."""
        for number, item in enumerate(self.items(key)):
            yield Fields(item, f"{key}[{number}]", self.source)

    def keys(self) -> tuple[str, ...]:
        """Return all keys, in the order of the file."""
        return tuple(self._values)

    def _integer(self, value: Value, key: str, least: int, most: int) -> int:
        content = value.content
        if not isinstance(content, int) or value.kind == BOOL:
            raise self._wrong(key, value, "a whole number")
        if not least <= content <= most:
            raise damaged_at(
                self.source,
                value.offset,
                f"{self.where}.{key} is {content}, it can be {least} to {most}",
            )
        return content

    def _text(self, value: Value, key: str) -> str:
        if value.kind not in TEXTS or not isinstance(value.content, str):
            raise self._wrong(key, value, "a text")
        return value.content

    def _wrong(self, key: str, value: Value, wanted: str) -> Exception:
        return damaged_at(
            self.source,
            value.offset,
            f"{self.where}.{key} is {kind_name(value.kind)}, not {wanted}",
        )
