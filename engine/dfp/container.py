"""Opens compiled programs (DFP)."""

import hashlib
import os
from functools import cached_property
from pathlib import Path

from engine.dfp.archive import SIZE_LIMIT_BYTES, Member, is_archive, read_members
from engine.dfp.genuine import genuine_version
from engine.dfp.manifest import MANIFEST_MEMBER, Manifest, ModelEntry, decode_manifest
from engine.errors import (
    InvalidArgumentError,
    ProgramError,
    ProgramIncompatibleError,
    ProgramMalformedError,
)
from engine.protocol import TensorInfo

__all__ = ("Dfp", "DfpSource")

DfpSource = str | os.PathLike[str] | bytes | bytearray | memoryview
"""Where a program comes from: a file, or the bytes of one."""


class Dfp:
    """A compiled program: ONNX graphs, how to feed them and how to draw what they find.

    The whole file is read and every hash is checked when it is opened; nothing is executed and no
    inference library is imported. An object never changes, so threads may share it.

    Parameters
    ----------
    source : a file's path, the bytes of a file (a copy is kept), or another `Dfp`.

    Attributes
    ----------
    manifest : everything the file says about itself.
    path : where it was read from; None when it came as bytes.

    Raises
    ------
    ProgramError
        When the file cannot be read.
    ProgramMalformedError
        When it is not a DFP, is cut off, or a member was changed (``details["member"]``).
    ProgramIncompatibleError
        When a newer Penstock wrote it, or when it was compiled for MemryX hardware.
    """

    manifest: Manifest
    path: Path | None
    _data: bytes
    _members: dict[str, Member]

    def __init__(self, source: "DfpSource | Dfp") -> None:
        if isinstance(source, Dfp):
            self.path, self._data = source.path, source._data  # noqa: SLF001  (our own class)
            self._members, self.manifest = source._members, source.manifest  # noqa: SLF001  (same)
            return
        self.path, self._data = _read(source)
        self._members, self.manifest = _open(self._data, self.source)

    def __repr__(self) -> str:
        return f"Dfp({self.source}, {len(self.models)} models, {self.size_bytes} bytes)"

    @property
    def source(self) -> str:
        """What the program is called in messages."""
        return "in memory" if self.path is None else str(self.path)

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """The models, in the order of their numbers."""
        return self.manifest.models

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return len(self._data)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file as 64 hexadecimal digits."""
        return hashlib.sha256(self._data).hexdigest()

    @cached_property
    def input_ports(self) -> dict[int, TensorInfo]:
        """Input tensors by port number; ports run over all models."""
        return {tensor.port: tensor for model in self.models for tensor in model.inputs}

    @cached_property
    def output_ports(self) -> dict[int, TensorInfo]:
        """Output tensors by port number; ports run over all models."""
        return {tensor.port: tensor for model in self.models for tensor in model.outputs}

    def graph(self, model_idx: int = 0, part: str = "main") -> bytes:
        """Return an ONNX graph, serialized.

        Parameters
        ----------
        model_idx : number of the model, from 0.
        part : "main", "pre" or "post".

        Raises
        ------
        InvalidArgumentError
            When there is no such model, or the model has no such part.
        """
        if model_idx not in range(len(self.models)):
            raise InvalidArgumentError(
                f"DFP {self.source} has the models 0 to {len(self.models) - 1}, not {model_idx}"
            )
        model = self.models[model_idx]
        if part not in model.graphs:
            raise InvalidArgumentError(
                f"model {model.name!r} of DFP {self.source} has no {part!r} graph, "
                f"only {', '.join(model.graphs)}"
            )
        return self.member(model.graphs[part])

    def member(self, name: str) -> bytes:
        """Return the bytes of a member (see ``manifest.members``), or of the manifest itself."""
        if name not in self._members:
            raise InvalidArgumentError(f"DFP {self.source} has no member {name!r}")
        return _cut(self._data, self._members[name])

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of all members, the manifest first."""
        return tuple(self._members)


def _read(source: DfpSource) -> tuple[Path | None, bytes]:
    """Return the path and the bytes of a source."""
    if isinstance(source, bytes | bytearray | memoryview):
        return None, bytes(source)
    path = Path(source)
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            data = b"" if size_bytes > SIZE_LIMIT_BYTES else file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise ProgramError(
            f"DFP {path} cannot be read: {error.strerror or error}", file=str(path)
        ) from error
    if max(size_bytes, len(data)) > SIZE_LIMIT_BYTES:
        raise ProgramMalformedError(
            f"{path} is not a DFP: a DFP has at most {SIZE_LIMIT_BYTES} bytes", file=str(path)
        )
    return path, data


def _open(data: bytes, source: str) -> tuple[dict[str, Member], Manifest]:
    """Check everything that can be checked without running the program."""
    if not is_archive(data):
        raise _not_a_dfp(data, source)
    members = read_members(data, source)
    if MANIFEST_MEMBER not in members:
        raise ProgramMalformedError(
            f"{source} is not a DFP: it is a ZIP file without {MANIFEST_MEMBER}; "
            "make a DFP with 'penstock compile MODEL.onnx'",
            file=source,
        )
    manifest = decode_manifest(_cut(data, members[MANIFEST_MEMBER]), source)
    _check_members(data, members, manifest, source)
    return members, manifest


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


def _cut(data: bytes, member: Member) -> bytes:
    return data[member.offset : member.offset + member.size_bytes]


def _wrong_member(source: str, name: str, problem: str) -> ProgramMalformedError:
    return ProgramMalformedError(
        f"DFP {source} is damaged: the member {name!r} {problem}; "
        "copy it again or compile the model again",
        file=source,
        member=name,
    )


def _not_a_dfp(data: bytes, source: str) -> ProgramError:
    version = genuine_version(data)
    if version is not None:
        return ProgramIncompatibleError(
            f"{source} is a DFP of format version {version} for MemryX hardware, which Penstock "
            "cannot execute; compile the ONNX model it was made from with "
            "'penstock compile MODEL.onnx'",
            file=source,
            version=version,
        )
    if not data:
        return ProgramMalformedError(f"{source} is not a DFP: it is empty", file=source)
    return ProgramMalformedError(
        f"{source} is not a DFP: it does not begin like one; "
        "make a DFP with 'penstock compile MODEL.onnx'",
        file=source,
    )
