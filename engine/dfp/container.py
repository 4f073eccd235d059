"""Opens compiled programs (DFP)."""

import hashlib
import io
import os
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from engine.dfp.archive import Member
from engine.dfp.genuine import GenuineProgram
from engine.dfp.manifest import Manifest, ModelEntry
from engine.dfp.opening import DfpSource, cut, open_program, read_source
from engine.dfp.published import PortTable, device_shape, own_port, port_table, tensor_of
from engine.dfp.saving import save_dfp
from engine.dfp.tuned import Tuned
from engine.errors import InvalidArgumentError, ProgramIncompatibleError
from engine.protocol import TensorInfo

__all__ = ("Dfp", "DfpSource")


class Dfp:
    """A compiled program: ONNX graphs, how to feed them and how to draw what they find.

    The whole file is read and every hash is checked when it is opened; nothing is executed and no
    inference library is imported. An object never changes, so threads may share it.

    Files of MemryX open as well: `genuine` and the ports say what is in them; asking for their
    models or graphs raises `ProgramIncompatibleError` with what is needed to execute them.

    Parameters
    ----------
    source : a file's path, the bytes of a file (a copy is kept), or another `Dfp`.

    Attributes
    ----------
    path : where it was read from; None when it came as bytes.
    genuine : what is known of a file of MemryX; None for our own format.

    Raises
    ------
    InvalidArgumentError
        When the source is neither a path nor bytes.
    ProgramError
        When the file cannot be read.
    ProgramMalformedError
        When it is not a DFP, is cut off, or a member was changed (``details["member"]``); for files
        of MemryX ``details["offset"]`` is the byte that is wrong.
    ProgramIncompatibleError
        When a newer Penstock wrote it.
    """

    path: Path | None
    genuine: GenuineProgram | None
    _data: bytes
    _members: dict[str, Member]
    _manifest: Manifest | None

    def __init__(self, source: "DfpSource | Dfp") -> None:
        if isinstance(source, Dfp):
            self.__dict__.update(source.__dict__)
            return
        self.path, self._data = read_source(source)
        self._manifest, self._members, self.genuine = open_program(self._data, self.source)

    def __repr__(self) -> str:
        return f"Dfp({self.source}, {len(self.model_names)} models, {self.size_bytes} bytes)"

    @property
    def source(self) -> str:
        """What the program is called in messages."""
        return "in memory" if self.path is None else str(self.path)

    @property
    def is_genuine(self) -> bool:
        """Whether the file is one of MemryX, which can be looked into but not executed here."""
        return self.genuine is not None

    @property
    def manifest(self) -> Manifest:
        """Everything the file says about itself.

        Raises
        ------
        ProgramIncompatibleError
            When it is a file of MemryX; the message says what is needed to execute it.
        """
        if self._manifest is None:
            raise ProgramIncompatibleError(
                self.needs,
                file=self.source,
                version=self.genuine.version if self.genuine else 0,
            )
        return self._manifest

    @property
    def needs(self) -> str:
        """What executing the program needs, a sentence; empty when it can be executed."""
        genuine = self.genuine
        if genuine is None:
            return ""
        made_from = ", ".join(repr(name[-80:]) for name in genuine.models[:3]) or "a model"
        return (
            f"{self.source} is a DFP of format version {genuine.version} for MemryX hardware "
            f"({genuine.chip_generation}, {genuine.num_chips} chips), made from {made_from}; "
            "executing it needs such a card with the runtime of its vendor, to run it elsewhere "
            f"compile that model as ONNX with 'penstock compile --for {self.path or 'FILE'} "
            "MODEL.onnx'"
        )

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """The models, in the order of their numbers; raises like `manifest`."""
        return self.manifest.models

    @property
    def tuned(self) -> Tuned | None:
        """How it runs best, as `penstock tune` found out; None when nobody did."""
        return None if self._manifest is None else self._manifest.tuned

    @property
    def model_names(self) -> tuple[str, ...]:
        """Name of each model; for a file of MemryX what it was made from, mostly a path."""
        if self.genuine is not None:
            return self.genuine.models
        return tuple(model.name for model in self.models)

    @property
    def data(self) -> bytes:
        """The whole file."""
        return self._data

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return len(self._data)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file as 64 hexadecimal digits."""
        return hashlib.sha256(self._data).hexdigest()

    @cached_property
    def input_tensors(self) -> dict[int, TensorInfo]:
        """Input tensors by port number, active ones only; ports run over all models."""
        if self.genuine is not None:
            return {port.port: tensor_of(port) for port in self.genuine.active_inputs}
        return {tensor.port: tensor for _, _, tensor in self._own_tensors("inputs")}

    @cached_property
    def output_tensors(self) -> dict[int, TensorInfo]:
        """Output tensors by port number, active ones only; ports run over all models."""
        if self.genuine is not None:
            return {port.port: tensor_of(port) for port in self.genuine.active_outputs}
        return {tensor.port: tensor for _, _, tensor in self._own_tensors("outputs")}

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
        ProgramIncompatibleError
            When it is a file of MemryX.
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
        return cut(self._data, self._members[name])

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of all members, the manifest first; none in a file of MemryX."""
        return tuple(self._members)

    def write(self, fname: str | os.PathLike[str]) -> str | os.PathLike[str]:
        """Write the file as it is and return its name.

        Raises
        ------
        OutputError
            When it cannot be written; what was there stays.
        """
        save_dfp(self._data, Path(fname))
        return fname

    # The rest is what the published class of that name offers; see `engine.dfp.published`.

    @property
    def version(self) -> str:
        """The published format whose rules hold: "5" or "6"; "6" for our own format."""
        return str(self.genuine.version) if self.genuine else "6"

    @property
    def sub_version(self) -> int:
        """1 when the models' own shapes are known, which our own format always has; else 0."""
        return self.genuine.sub_version if self.genuine else 1

    @property
    def num_inports(self) -> int:
        """Input ports, inactive ones included."""
        return len(self.genuine.inputs if self.genuine else self.input_tensors)

    @property
    def num_outports(self) -> int:
        """Output ports, inactive ones included."""
        return len(self.genuine.outputs if self.genuine else self.output_tensors)

    @property
    def num_chips(self) -> int:
        """Chips that the program needs; 1 for our own format."""
        return self.genuine.num_chips if self.genuine else 1

    @property
    def chip_gen(self) -> str:
        """Name of the hardware generation; our own format has the interface of "Cascade+"."""
        return self.genuine.chip_generation if self.genuine else "Cascade+"

    @cached_property
    def input_ports(self) -> dict[int, PortTable]:
        """Everything about each input port, by number: ``input_ports[0]["layer_name"]``."""
        if self.genuine is not None:
            return {port.port: port_table(port, is_input=True) for port in self.genuine.inputs}
        return {
            tensor.port: own_port(tensor, layout, number, is_input=True)
            for number, layout, tensor in self._own_tensors("inputs")
        }

    @cached_property
    def output_ports(self) -> dict[int, PortTable]:
        """Everything about each output port, by number."""
        if self.genuine is not None:
            return {port.port: port_table(port, is_input=False) for port in self.genuine.outputs}
        return {
            tensor.port: own_port(tensor, layout, number, is_input=False)
            for number, layout, tensor in self._own_tensors("outputs")
        }

    @property
    def input_shapes(self) -> list[list[int]]:
        """Shape of each active input in device form: height, width, depth, channels."""
        if self.genuine is not None:
            return [list(port.mxa_shape) for port in self.genuine.active_inputs]
        return [list(device_shape(t, layout)) for _, layout, t in self._own_tensors("inputs")]

    @property
    def output_shapes(self) -> list[list[int]]:
        """Shape of each active output in device form: height, width, depth, channels."""
        if self.genuine is not None:
            return [list(port.mxa_shape) for port in self.genuine.active_outputs]
        return [list(device_shape(t, layout)) for _, layout, t in self._own_tensors("outputs")]

    @property
    def output_names(self) -> list[str]:
        """Name of each active output, by port."""
        return [tensor.name for tensor in self.output_tensors.values()]

    def _own_tensors(self, kind: Literal["inputs", "outputs"]) -> list[tuple[int, str, TensorInfo]]:
        """Return number and layout of the model with each tensor, in the order of the ports."""
        found = [
            (number, model.pre.layout, tensor)
            for number, model in enumerate(self.models)
            for tensor in (model.inputs if kind == "inputs" else model.outputs)
        ]
        return sorted(found, key=lambda one: one[2].port)

    @property
    def _dfp_bytes(self) -> io.BytesIO:
        """The file as a stream, which scripts of the published class read."""
        return io.BytesIO(self._data)

    @property
    def _metadata(self) -> dict[str, object]:
        """Everything the file says about itself as plain values."""
        found = msgspec.to_builtins(self.genuine or self.manifest)
        return dict(found)
