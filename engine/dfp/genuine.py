"""Recognizes DFP files of MemryX, which share the suffix but not the format."""

import struct

__all__ = ("genuine_version",)

_VERSION = struct.Struct("<Q")
_DICT = 1


def genuine_version(data: bytes) -> int | None:
    """Return the format version (5 or 6) when the bytes begin like a DFP of MemryX, else None.

    Such a file begins with its version as 64-bit little-endian number; version 6 goes on with the
    type byte of a dictionary.
    """
    if len(data) <= _VERSION.size:
        return None
    version = int(_VERSION.unpack_from(data)[0])
    if version == 5 or (version == 6 and data[_VERSION.size] == _DICT):
        return version
    return None
