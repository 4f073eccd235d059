"""The outer shape of a DFP: a ZIP without compression, read strictly and written reproducibly.

The reader accepts only what the writer's format allows: members stored as they are, one behind the
other from the first byte on, headers that agree with the directory, nothing before, between or
after. So a member can neither grow when it is read nor overlap another one.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from engine.errors import OutputError, ProgramMalformedError

__all__ = ("SIZE_LIMIT_BYTES", "Member", "is_archive", "pack_members", "read_members")

SIZE_LIMIT_BYTES = 2_000_000_000
"""Largest DFP; an ONNX graph cannot be larger than 2 GiB either."""

_MEMBER_LIMIT = 4096
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_UTF8_FLAG = 0x800
_OLDEST_DATE = (1980, 1, 1, 0, 0, 0)


class Member(NamedTuple):
    """Where the bytes of one member lie in the file."""

    name: str
    offset: int
    size_bytes: int
    crc32: int


class _Entry(NamedTuple):
    """What a header and the directory both say about a member, compared as a whole."""

    flags: int
    method: int
    crc32: int
    stored_bytes: int
    size_bytes: int
    name: bytes


def is_archive(data: bytes) -> bool:
    """Tell whether the bytes begin like a ZIP that has at least one member."""
    return data[:4] == b"PK\x03\x04"


def pack_members(members: Mapping[str, bytes]) -> bytes:
    """Return a ZIP of the members in their order; equal members give equal bytes.

    Raises
    ------
    OutputError
        When the result would be larger than a DFP may be.
    """
    size_bytes = sum(len(data) for data in members.values())
    if size_bytes > SIZE_LIMIT_BYTES - 1024 * (len(members) + 1):
        raise OutputError(
            f"the program would have {size_bytes} bytes, a DFP holds at most {SIZE_LIMIT_BYTES}; "
            "put the models into separate DFPs"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _OLDEST_DATE)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def read_members(data: bytes, source: str) -> dict[str, Member]:
    """List the members of a DFP and check the CRC of each.

    Parameters
    ----------
    data : the whole file.
    source : what the file is called in errors.

    Raises
    ------
    ProgramMalformedError
        When the file is cut off or its structure was changed.
    """
    directory_offset, count = _read_end(data, source)
    members: dict[str, Member] = {}
    at, entry_at = 0, directory_offset
    for _ in range(count):
        entry, offset, entry_at = _read_directory_entry(data, entry_at, source)
        if offset != at:
            raise _damaged(source, "its members do not lie one behind the other")
        member = _read_member(data, entry, offset, directory_offset, source)
        if member.name in members:
            raise _damaged(source, f"it holds the member {member.name!r} twice")
        members[member.name] = member
        at = member.offset + member.size_bytes
    if at != directory_offset or entry_at != len(data) - _END.size:
        raise _damaged(source, "it holds bytes that belong to no member")
    return members


def _read_end(data: bytes, source: str) -> tuple[int, int]:
    """Return where the directory begins and how many members it lists."""
    if len(data) < _END.size or data[-_END.size :][:4] != b"PK\x05\x06":
        raise ProgramMalformedError(
            f"DFP {source} is cut off: its end is missing after {len(data)} bytes; copy it again",
            file=source,
        )
    _, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(
        data, len(data) - _END.size
    )
    if disk or first_disk or comment or here != count or count > _MEMBER_LIMIT:
        raise _damaged(source, "its directory is not one that Penstock writes")
    if offset + size != len(data) - _END.size:
        raise _damaged(source, "its directory is not where the file says, so bytes are missing")
    return offset, count


def _read_directory_entry(data: bytes, at: int, source: str) -> tuple[_Entry, int, int]:
    """Return an entry of the directory, where its member begins, and where the next entry is."""
    limit = len(data) - _END.size
    if at + _CENTRAL.size > limit or data[at : at + 4] != b"PK\x01\x02":
        raise _damaged(source, "its directory lists fewer members than it says")
    fields = _CENTRAL.unpack_from(data, at)
    _, _, _, flags, method, _, _, crc32, stored, size = fields[:10]
    name_bytes, extra_bytes, comment_bytes, disk, _, _, offset = fields[10:]
    name_at = at + _CENTRAL.size
    end = name_at + name_bytes + extra_bytes + comment_bytes
    if end > limit or disk:
        raise _damaged(source, "its directory is longer than the file")
    name = data[name_at : name_at + name_bytes]
    return _Entry(flags, method, crc32, stored, size, name), offset, end


def _read_member(data: bytes, entry: _Entry, at: int, limit: int, source: str) -> Member:
    """Check the header at `at` against the directory's entry, and the bytes behind it."""
    name = _decode_name(entry, source)
    if at + _LOCAL.size > limit or data[at : at + 4] != b"PK\x03\x04":
        raise _damaged(source, f"the member {name!r} does not begin where the directory says")
    fields = _LOCAL.unpack_from(data, at)
    _, _, flags, method, _, _, crc32, stored, size, name_bytes, extra_bytes = fields
    begin = at + _LOCAL.size + name_bytes + extra_bytes
    own_name = data[at + _LOCAL.size : at + _LOCAL.size + name_bytes]
    if _Entry(flags, method, crc32, stored, size, own_name) != entry:
        raise _damaged(source, f"the member {name!r} and the directory contradict each other")
    if begin + size > limit:
        raise _damaged(source, f"the member {name!r} is longer than the file")
    if zlib.crc32(memoryview(data)[begin : begin + size]) != crc32:
        raise _damaged(source, f"the member {name!r} was changed")
    return Member(name, begin, size, crc32)


def _decode_name(entry: _Entry, source: str) -> str:
    try:
        name = entry.name.decode("utf-8")
    except UnicodeDecodeError:
        raise _damaged(source, "a member's name is not readable") from None
    if entry.method != zipfile.ZIP_STORED or entry.stored_bytes != entry.size_bytes:
        raise _damaged(source, f"the member {name!r} is compressed, which a DFP never is")
    if entry.flags & ~_UTF8_FLAG:
        raise _damaged(source, f"the member {name!r} is encrypted or written in pieces")
    return name


def _damaged(source: str, reason: str) -> ProgramMalformedError:
    return ProgramMalformedError(
        f"DFP {source} is damaged: {reason}; copy it again or compile the model again",
        file=source,
    )
