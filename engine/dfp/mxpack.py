"""Decodes MxPack, the tagged values that DFP files of MemryX (version 6) are made of.

A value is a type byte and its content. Dictionaries hold keys of 64 bytes, lists hold elements of
one type. Nothing here trusts a length: depth, number of values and every size are limited by what
the file has, so damaged bytes cost neither time nor memory.
"""

from typing import NamedTuple

from engine.dfp.byte_reader import ByteReader, damaged_at

__all__ = (
    "ARRAY",
    "BINARY",
    "BOOL",
    "DICT",
    "FLOAT",
    "LIST",
    "TEXTS",
    "VALUES_LIMIT",
    "Value",
    "decode_value",
    "kind_name",
)

DICT, LIST, BINARY, BOOL, FLOAT, ARRAY = 0x01, 0x02, 0x03, 0x70, 0x50, 0xA2
TEXTS = (0x60, 0x61)
"""ASCII with a 32-bit length that counts a zero byte at the end, and UTF-8 with a 64-bit length."""

VALUES_LIMIT = 50_000
"""Most values in one file; genuine ones have some hundreds."""

_DEPTH_LIMIT = 16
_KEY_BYTES = 64
_INTEGERS = {
    0x10: "u8",
    0x11: "i8",
    0x20: "u16",
    0x21: "i16",
    0x30: "u32",
    0x31: "i32",
    0x40: "u64",
    0x41: "i64",
}
_WIDTHS = {"8": 1, "16": 2, "32": 4, "64": 8}
_NAMES = {
    DICT: "a dictionary",
    LIST: "a list",
    ARRAY: "an array",
    BINARY: "bytes",
    BOOL: "a truth value",
    FLOAT: "a number",
    0x60: "a text",
    0x61: "a text",
}
_SMALLEST = {DICT: 4, LIST: 5, ARRAY: 5, BINARY: 8, BOOL: 1, FLOAT: 4, 0x60: 4, 0x61: 8}


class Value(NamedTuple):
    """A decoded value: its type byte, where its content begins in the file, and the content.

    Binary content is a view into the file, not a copy.
    """

    kind: int
    offset: int
    content: "dict[str, Value] | list[Value] | memoryview | str | bool | int | float"


def kind_name(kind: int) -> str:
    """Return what values of a type byte are, in words."""
    return _NAMES.get(kind, "a whole number" if kind in _INTEGERS else f"type 0x{kind:02X}")


def decode_value(reader: ByteReader) -> Value:
    """Read a type byte and the value behind it.

    Raises
    ------
    ProgramMalformedError
        When it is cut off, of an unknown type, nested too deep, or holds too many values.
    """
    return _Decoder(reader).value()


class _Decoder:
    def __init__(self, reader: ByteReader) -> None:
        self._reader = reader
        self._left = VALUES_LIMIT

    def value(self, depth: int = 0) -> Value:
        at = self._reader.offset
        kind = self._reader.integer("u8", "a value's type")
        if kind not in _NAMES and kind not in _INTEGERS:
            raise damaged_at(self._reader.source, at, f"there is no type 0x{kind:02X}")
        return self._content(kind, depth)

    def _content(self, kind: int, depth: int) -> Value:
        reader = self._reader
        at = reader.offset
        self._spend(1, at)
        if kind == DICT:
            return Value(kind, at, self._dictionary(depth))
        if kind in (LIST, ARRAY):
            return Value(kind, at, self._elements(depth))
        if kind == BINARY:
            return Value(kind, at, reader.take(reader.integer("u64", "a length"), "binary data"))
        if kind in TEXTS:
            size_bytes = reader.integer("u32" if kind == 0x60 else "u64", "a text's length")
            return Value(kind, at, reader.text(size_bytes, "a text").partition("\0")[0])
        if kind == BOOL:
            return Value(kind, at, bool(reader.integer("u8", "a truth value")))
        if kind == FLOAT:
            return Value(kind, at, reader.real("a number"))
        return Value(kind, at, reader.integer(_INTEGERS[kind], "a number"))

    def _dictionary(self, depth: int) -> dict[str, Value]:
        reader = self._reader
        self._check_depth(depth)
        at = reader.offset
        count = reader.integer("u32", "a dictionary's size")
        self._check_fits(count, _KEY_BYTES + 2, at, "keys")
        found: dict[str, Value] = {}
        for _ in range(count):
            at = reader.offset
            key = _key(bytes(reader.take(_KEY_BYTES, "a key")))
            if key is None:
                raise damaged_at(reader.source, at, "a key is not 1 to 63 printable characters")
            if key in found:
                raise damaged_at(reader.source, at, f"the key {key!r} is there twice")
            found[key] = self.value(depth + 1)
        return found

    def _elements(self, depth: int) -> list[Value]:
        reader = self._reader
        self._check_depth(depth)
        at = reader.offset
        kind = reader.integer("u8", "a list's type")
        count = reader.integer("u32", "a list's length")
        if not count:  # whatever the type byte says
            return []
        if kind not in _NAMES and kind not in _INTEGERS:
            raise damaged_at(reader.source, at, f"there is no type 0x{kind:02X}")
        self._check_fits(count, _smallest(kind), at, "elements")
        return [self._content(kind, depth + 1) for _ in range(count)]

    def _check_depth(self, depth: int) -> None:
        if depth >= _DEPTH_LIMIT:
            raise damaged_at(
                self._reader.source,
                self._reader.offset,
                f"values are nested more than {_DEPTH_LIMIT} deep",
            )

    def _check_fits(self, count: int, least_bytes: int, at: int, what: str) -> None:
        """Refuse a count before anything is made for it."""
        if count * least_bytes > self._reader.remaining:
            raise damaged_at(
                self._reader.source,
                at,
                f"{count} {what} do not fit into the {self._reader.remaining} bytes that are left",
            )
        if count > self._left:
            self._spend(count, at)

    def _spend(self, count: int, at: int) -> None:
        if count > self._left:
            raise damaged_at(self._reader.source, at, f"it holds more than {VALUES_LIMIT} values")
        self._left -= count


def _key(raw: bytes) -> str | None:
    """Return the key in a field of 64 bytes: everything before the first zero byte."""
    text, end, _ = raw.partition(b"\0")
    if not text or not end or not text.isascii():
        return None
    key = text.decode("ascii")
    return key if key.isprintable() else None


def _smallest(kind: int) -> int:
    return _SMALLEST.get(kind) or _WIDTHS[_INTEGERS[kind][1:]]
