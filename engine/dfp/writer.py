"""Writes compiled programs (DFP)."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.dfp.archive import pack_members
from engine.dfp.container import Dfp
from engine.dfp.manifest import (
    FORMAT,
    MANIFEST_MEMBER,
    VERSION,
    Manifest,
    MemberInfo,
    ModelEntry,
    encode_manifest,
)
from engine.dfp.saving import save_dfp
from engine.dfp.tuned import Tuned
from engine.errors import InvalidArgumentError

__all__ = ("pack_dfp", "write_dfp")


def pack_dfp(
    *,
    name: str,
    models: Sequence[ModelEntry],
    graphs: Mapping[str, bytes],
    created: str = "",
    compiler: str = "",
    tuned: Tuned | None = None,
) -> bytes:
    """Return the bytes of a DFP; equal arguments give equal bytes.

    Parameters
    ----------
    name : the program's name.
    models : the models; their ports are numbered over the whole program.
    graphs : ONNX graphs, serialized, by member name.
    created : time of creation, ISO 8601 in UTC; empty means now.
    compiler : who made it; empty means this Penstock.
    tuned : how it runs best; None when nobody found out.

    Raises
    ------
    InvalidArgumentError
        When the parts do not fit together.
    OutputError
        When the DFP would be too large.
    """
    members = {
        member: MemberInfo(hashlib.sha256(graph).hexdigest(), len(graph))
        for member, graph in sorted(graphs.items())
    }
    try:
        manifest = Manifest(
            format=FORMAT,
            version=VERSION,
            name=name,
            created=created or datetime.now(UTC).isoformat(timespec="seconds"),
            compiler=compiler or _own_name(),
            models=tuple(models),
            members=members,
            tuned=tuned,
        )
    except ValueError as error:
        raise InvalidArgumentError(f"program {name!r} cannot be packed: {error}") from error
    parts = {MANIFEST_MEMBER: encode_manifest(manifest)}
    return pack_members(parts | {member: graphs[member] for member in members})


def write_dfp(
    path: str | os.PathLike[str],
    *,
    name: str,
    models: Sequence[ModelEntry],
    graphs: Mapping[str, bytes],
    created: str = "",
    compiler: str = "",
) -> Dfp:
    """Write a DFP so that a crash leaves either the old file or the new one, and open it.

    The parameters are those of `pack_dfp`.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    data = pack_dfp(name=name, models=models, graphs=graphs, created=created, compiler=compiler)
    save_dfp(data, Path(path))
    return Dfp(path)


def _own_name() -> str:
    try:
        return f"Penstock {version('penstock')}"
    except PackageNotFoundError:
        return "Penstock (not installed)"
