"""The table of contents of a DFP: what models are in it, how they are fed and drawn, and hashes."""

import re
from collections.abc import Sequence

import msgspec

from engine.config import PostSettings, PreSettings, Task
from engine.dfp.parity import Parity
from engine.dfp.tuned import Tuned
from engine.errors import ProgramIncompatibleError, ProgramMalformedError
from engine.protocol import TensorInfo

__all__ = (
    "DTYPES",
    "FORMAT",
    "MANIFEST_MEMBER",
    "VERSION",
    "Manifest",
    "MemberInfo",
    "ModelEntry",
    "check_name",
    "decode_manifest",
    "encode_manifest",
)

FORMAT = "penstock-dfp"
VERSION = 1
MANIFEST_MEMBER = "manifest.json"
DTYPES = (
    "bool",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)
"""Value types that inputs and outputs may have, as NumPy names."""

_MANIFEST_LIMIT_BYTES = 64 * 1024 * 1024
_NAME_LIMIT = 200
_PORT_LIMIT = 2**16
_MEMBER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


class MemberInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size and SHA-256 (64 hexadecimal digits) of one member."""

    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError("sha256 is 64 hexadecimal digits in lower case")
        if self.size_bytes < 0:
            raise ValueError("size_bytes is 0 or more")


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of a DFP.

    Attributes
    ----------
    main, pre_graph, post_graph : names of the members that hold the ONNX graphs; the last two are
        empty unless the model was cropped. They run on the host, before and after the device.
    inputs, outputs : tensors of the main graph, with port numbers that run over the whole DFP.
    pre, post : how frames become inputs and outputs become results.
    labels : name of each class, may be empty.
    parity : how well it did what the original does when the model was compiled.
    """

    name: str
    main: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    task: Task = Task.TENSOR
    pre_graph: str = ""
    post_graph: str = ""
    pre: PreSettings = PreSettings()
    post: PostSettings = PostSettings()
    labels: tuple[str, ...] = ()
    parity: Parity = Parity()

    def __post_init__(self) -> None:
        check_name("a model's name", self.name)
        if not self.inputs or not self.outputs:
            raise ValueError(f"model {self.name!r} needs an input and an output")
        for tensor in (*self.inputs, *self.outputs):
            _check_tensor(tensor)

    @property
    def graphs(self) -> dict[str, str]:
        """Member name of each graph there is, by part ("main", "pre", "post")."""
        parts = {"main": self.main, "pre": self.pre_graph, "post": self.post_graph}
        return {part: member for part, member in parts.items() if member or part == "main"}


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a DFP says about itself.

    `created` is ISO 8601 in UTC; `tuned` is how it runs best, None when nobody found out.
    """

    format: str
    version: int
    name: str
    created: str
    compiler: str
    models: tuple[ModelEntry, ...]
    members: dict[str, MemberInfo]
    tuned: Tuned | None = None

    def __post_init__(self) -> None:
        check_name("the program's name", self.name)
        if not self.models:
            raise ValueError("models needs at least one model")
        for member in self.members:
            if len(member) > _NAME_LIMIT or not _MEMBER_NAME.fullmatch(member):
                raise ValueError(f"members has a name that cannot be a file's: {member!r}")
        for model in self.models:
            for part, member in model.graphs.items():
                if member not in self.members:
                    raise ValueError(f"{part} graph {member!r} of model {model.name!r} is missing")
        _check_ports("input", [model.inputs for model in self.models])
        _check_ports("output", [model.outputs for model in self.models])


class _Head(msgspec.Struct):
    """What every version of the manifest begins with."""

    format: str = ""
    version: int = 0


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes, source: str) -> Manifest:
    """Read a manifest; `source` names the DFP in errors.

    Raises
    ------
    ProgramMalformedError
        When it is not a manifest or contradicts itself.
    ProgramIncompatibleError
        When a newer Penstock wrote it.
    """
    if len(data) > _MANIFEST_LIMIT_BYTES:
        raise ProgramMalformedError(
            f"DFP {source} is damaged: its manifest has {len(data)} bytes, "
            f"at most {_MANIFEST_LIMIT_BYTES} are sensible; compile the model again",
            file=source,
        )
    try:
        head = msgspec.json.decode(data, type=_Head)
        _check_head(head, source)
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).replace(" - at `$.", ", at `").rstrip(".")
        raise ProgramMalformedError(
            f"DFP {source} is damaged: its manifest cannot be read ({reason}); "
            "compile the model again",
            file=source,
        ) from error


def check_name(what: str, name: str) -> None:
    """Refuse a name that cannot be shown on one line."""
    if not name.strip() or len(name) > _NAME_LIMIT or not name.isprintable():
        raise ValueError(f"{what} is 1 to {_NAME_LIMIT} printable characters, not {name[:50]!r}")


def _check_head(head: _Head, source: str) -> None:
    if head.format != FORMAT:
        raise ProgramMalformedError(
            f"{source} is not a DFP: its manifest is of the format {head.format[:50]!r}, "
            f"not {FORMAT!r}",
            file=source,
        )
    if head.version > VERSION:
        raise ProgramIncompatibleError(
            f"DFP {source} is of version {head.version}, this Penstock reads up to {VERSION}; "
            "update Penstock or compile the model again with this one",
            file=source,
            version=head.version,
        )
    if head.version < 1:
        raise ProgramMalformedError(
            f"DFP {source} is damaged: there is no version {head.version}; compile the model again",
            file=source,
        )


def _check_tensor(tensor: TensorInfo) -> None:
    if not tensor.name or not tensor.name.isprintable():
        raise ValueError(f"a tensor's name is not printable: {tensor.name[:50]!r}")
    if tensor.dtype not in DTYPES:
        raise ValueError(f"tensor {tensor.name!r} has the unknown dtype {tensor.dtype[:50]!r}")
    if len(tensor.shape) > 32 or any(not 0 <= size < 2**40 for size in tensor.shape):
        raise ValueError(f"tensor {tensor.name!r} has an impossible shape")


def _check_ports(kind: str, models: Sequence[tuple[TensorInfo, ...]]) -> None:
    """Refuse port numbers that are used twice or do not ascend within a model."""
    ports = [tensor.port for tensors in models for tensor in tensors]
    if len(set(ports)) < len(ports) or any(not 0 <= port < _PORT_LIMIT for port in ports):
        raise ValueError(f"the {kind} ports are not different numbers from 0 on")
    for tensors in models:
        own = [tensor.port for tensor in tensors]
        if own != sorted(own):
            raise ValueError(f"the {kind} ports of a model are not in ascending order")
