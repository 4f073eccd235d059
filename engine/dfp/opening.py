"""Reads the bytes of a program and checks everything that can be checked without running it."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from engine.dfp.archive import SIZE_LIMIT_BYTES, Member, is_archive, read_members
from engine.dfp.genuine import GenuineProgram, genuine_version
from engine.dfp.genuine_v5 import read_v5
from engine.dfp.genuine_v6 import read_v6
from engine.dfp.manifest import MANIFEST_MEMBER, Manifest, decode_manifest
from engine.errors import InvalidArgumentError, ProgramError, ProgramMalformedError

__all__ = ("DfpSource", "Opened", "cut", "open_program", "read_source")

DfpSource = str | os.PathLike[str] | bytes | bytearray | memoryview
"""Where a program comes from: a file, or the bytes of one."""


class Opened(NamedTuple):
    """What is in a file: a manifest with its members, or what is known of a MemryX file."""

    manifest: Manifest | None
    members: dict[str, Member]
    genuine: GenuineProgram | None


def read_source(source: DfpSource) -> tuple[Path | None, bytes]:
    """Return the path and the bytes of a source.

    Raises
    ------
    InvalidArgumentError
        When it is neither a path nor bytes.
    ProgramError
        When the file cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return None, bytes(source)
    if not isinstance(source, str | os.PathLike):
        raise InvalidArgumentError(
            f"a DFP is given as a path, bytes, bytearray, memoryview or Dfp, "
            f"not as {type(source).__name__}"
        )
    path = Path(source)
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            data = b"" if size_bytes > SIZE_LIMIT_BYTES else file.read(SIZE_LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ProgramError(
            f"DFP {path} cannot be read: {reason or error}", file=str(path)
        ) from error
    if max(size_bytes, len(data)) > SIZE_LIMIT_BYTES:
        raise ProgramMalformedError(
            f"{path} is not a DFP: a DFP has at most {SIZE_LIMIT_BYTES} bytes", file=str(path)
        )
    return path, data


def open_program(data: bytes, source: str) -> Opened:
    """Check the bytes of a program of either format.

    Raises
    ------
    ProgramMalformedError
        When they are none, are cut off or were changed.
    ProgramIncompatibleError
        When a newer Penstock wrote them.
    """
    if not is_archive(data):
        return Opened(None, {}, _read_genuine(data, source))
    members = read_members(data, source)
    if MANIFEST_MEMBER not in members:
        raise ProgramMalformedError(
            f"{source} is not a DFP: it is a ZIP file without {MANIFEST_MEMBER}; "
            "make a DFP with 'penstock compile MODEL.onnx'",
            file=source,
        )
    manifest = decode_manifest(cut(data, members[MANIFEST_MEMBER]), source)
    _check_members(data, members, manifest, source)
    return Opened(manifest, members, None)


def cut(data: bytes, member: Member) -> bytes:
    """Return the bytes of a member."""
    return data[member.offset : member.offset + member.size_bytes]


def _read_genuine(data: bytes, source: str) -> GenuineProgram:
    version = genuine_version(data)
    if version is not None:
        return read_v5(data, source) if version == 5 else read_v6(data, source)
    if not data:
        raise ProgramMalformedError(f"{source} is not a DFP: it is empty", file=source)
    raise ProgramMalformedError(
        f"{source} is not a DFP: it does not begin like one; "
        "make a DFP with 'penstock compile MODEL.onnx'",
        file=source,
    )


def _check_members(
    data: bytes, members: dict[str, Member], manifest: Manifest, source: str
) -> None:
    """Compare what is in the file with what the manifest says, member by member."""
    for name in manifest.members.keys() - members.keys():
        raise _wrong_member(source, name, "is missing")
    for name in members.keys() - manifest.members.keys() - {MANIFEST_MEMBER}:
        raise _wrong_member(source, name, "is not in the manifest")
    view = memoryview(data)
    for name, info in manifest.members.items():
        member = members[name]
        if member.size_bytes != info.size_bytes:
            raise _wrong_member(
                source, name, f"has {member.size_bytes} instead of {info.size_bytes} bytes"
            )
        found = hashlib.sha256(view[member.offset : member.offset + member.size_bytes])
        if found.hexdigest() != info.sha256:
            raise _wrong_member(source, name, "was changed, its SHA-256 is another one")


def _wrong_member(source: str, name: str, problem: str) -> ProgramMalformedError:
    return ProgramMalformedError(
        f"DFP {source} is damaged: the member {name!r} {problem}; "
        "copy it again or compile the model again",
        file=source,
        member=name,
    )
