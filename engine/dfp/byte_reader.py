"""Reads numbers and pieces out of bytes of unknown origin; every error says at which byte."""

import struct

from engine.errors import ProgramMalformedError

__all__ = ("ByteReader", "damaged_at")

_FORMATS = {
    "u8": struct.Struct("<B"),
    "i8": struct.Struct("<b"),
    "u16": struct.Struct("<H"),
    "i16": struct.Struct("<h"),
    "u32": struct.Struct("<I"),
    "i32": struct.Struct("<i"),
    "u64": struct.Struct("<Q"),
    "i64": struct.Struct("<q"),
    "f32": struct.Struct("<f"),
}


class ByteReader:
    """A place in a file that moves forward and never past its end.

    Parameters
    ----------
    data : the whole file; pieces of it are handed out without a copy.
    source : what the file is called in errors.
    begin, end : the part that may be read; offsets in errors always count from the file's start.
    """

    def __init__(
        self, data: bytes | memoryview, source: str, *, begin: int = 0, end: int | None = None
    ) -> None:
        self._view = memoryview(data)
        self.source = source
        self.offset = begin
        self.end = len(self._view) if end is None else end

    @property
    def remaining(self) -> int:
        """Bytes that are left."""
        return self.end - self.offset

    def integer(self, kind: str, what: str) -> int:
        """Read a little-endian number; `kind` is u8, i8, u16 and so on, `what` is for errors."""
        layout = _FORMATS[kind]
        return int(layout.unpack(self.take(layout.size, what))[0])

    def real(self, what: str) -> float:
        """Read a 32-bit float."""
        return float(_FORMATS["f32"].unpack(self.take(4, what))[0])

    def take(self, size_bytes: int, what: str) -> memoryview:
        """Return the next bytes.

        Raises
        ------
        ProgramMalformedError
            When fewer are left; nothing is read then.
        """
        if size_bytes > self.remaining:
            raise damaged_at(
                self.source,
                self.offset,
                f"{what} takes {size_bytes} bytes, but only {max(0, self.remaining)} are left",
            )
        begin = self.offset
        self.offset += size_bytes
        return self._view[begin : self.offset]

    def text(self, size_bytes: int, what: str) -> str:
        """Return the next bytes as text; bytes that are no UTF-8 are written as escapes."""
        return bytes(self.take(size_bytes, what)).decode("utf-8", "backslashreplace")


def damaged_at(source: str, offset: int, problem: str) -> ProgramMalformedError:
    """Return the error for a file that is wrong at a byte (``details["offset"]``)."""
    return ProgramMalformedError(
        f"DFP {source} is damaged at byte {offset}: {problem}; copy it again",
        file=source,
        offset=offset,
    )
