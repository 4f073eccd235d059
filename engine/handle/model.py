"""The class `Model`: a compiled program, loaded under a handle."""
# ruff: noqa: N802, N803 - the published names are camelCase

import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.dfp import Dfp, DfpSource, ModelEntry
from engine.errors import ProgramIncompatibleError
from engine.handle._arguments import whole_number
from engine.handle._bound_license import require_connected_device
from engine.handle._chain import GraphChain
from engine.handle._core import HandleCore
from engine.handle._spectra import as_wavelengths
from engine.handle._spectral_info import GraphInfo, read_graph_info
from engine.handle.enums import ValueType
from engine.handle.errors import (
    ArgumentError,
    HandleArgumentTypeError,
    ModelNoLongerValidError,
)
from engine.handle.handle import Handle
from engine.handle.queue_set import core_of
from engine.plugins import ProcessingPlugin, Session
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin

__all__ = ("Model", "ModelCore", "model_core_of")

Array = np.ndarray[Any, Any]


class ModelCore:
    """What contexts hold of a model: its program, and a session for each plugin that was used."""

    def __init__(self, handle: HandleCore, dfp: Dfp, index: int) -> None:
        self.handle = handle
        self.dfp = dfp
        self.index = index
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._finalizer = weakref.finalize(self, _close_all, self._sessions)
        handle.add(self)

    @property
    def entry(self) -> ModelEntry:
        """The manifest's entry of the model."""
        return self.dfp.models[self.index]

    def check(self) -> None:
        """Raise `ModelNoLongerValidError` when the handle is gone."""
        self.handle.guard.check()
        if not self.handle.is_open:
            raise ModelNoLongerValidError(
                f"model {self.entry.name!r} is no longer valid because its handle was deleted or "
                "closed; make a new handle and load the model again"
            )

    def session(self, plugin: ProcessingPlugin) -> Session:
        """Return the model loaded by a plugin, the same one every time.

        Graphs that a program has before and behind that of the device are executed on the host.
        """
        with self._lock:
            session = self._sessions.get(plugin.key)
            if session is None:
                session = self._sessions[plugin.key] = self._load(plugin)
            return session

    def release(self) -> None:
        """Let go of all sessions."""
        _close_all(self._sessions)

    def _load(self, plugin: ProcessingPlugin) -> Session:
        graphs, host = self.entry.graphs, OnnxRuntimeCpuPlugin()
        loaded: list[Session] = []
        try:
            for part in ("pre", "main", "post"):
                if part in graphs:
                    chosen = plugin if part == "main" else host
                    loaded.append(chosen.load(self.dfp.graph(self.index, part)))
        except BaseException:
            for session in loaded:
                session.close()
            raise
        return loaded[0] if len(loaded) == 1 else GraphChain(loaded)


class Model:
    """A model, loaded and ready for contexts; no longer valid when its handle ends.

    Parameters
    ----------
    handle : Handle
        The handle to load it under.
    dfp : str, path, bytes or Dfp
        The compiled program.
    modelIndex : int
        Which of the program's models.
    wavelengths : sequence of float
        Wavelengths in nm the model was made for, one per band; left out, those in its metadata.
    valueType : ValueType
        What the numbers it takes are; left out, what its metadata says, else intensities.
    states : mapping of str to str
        For each input that carries the model's state the output that it gets at the next run; left
        out, what its metadata says. Contexts begin with zeros and keep it to themselves.

    Raises
    ------
    ProgramError
        When the program cannot be used.
    LicenseDeviceError
        When the license is bound to devices and none of them is connected.
    """

    def __init__(
        self,
        handle: Handle,
        dfp: DfpSource | Dfp,
        modelIndex: int = 0,
        *,
        wavelengths: Sequence[float] | None = None,
        valueType: ValueType | None = None,
        states: Mapping[str, str] | None = None,
    ) -> None:
        core = core_of(handle)
        core.check()
        require_connected_device(core, "loading a model")
        program = _open(dfp)
        index = whole_number(modelIndex, "modelIndex")
        if not 0 <= index < len(program.models):
            raise ArgumentError(
                f"modelIndex is 0 to {len(program.models) - 1} for this program, not {index}"
            )
        if valueType is not None and not isinstance(valueType, ValueType):
            raise HandleArgumentTypeError(f"valueType is a ValueType, not {valueType!r}")
        self._wavelengths = (
            None if wavelengths is None else as_wavelengths(wavelengths, "the model's wavelengths")
        )
        self._value_type = valueType
        self._states = None if states is None else _checked_states(states)
        self._told: GraphInfo | None = None
        self._core = ModelCore(core, program, index)

    def __repr__(self) -> str:
        return f"<Model {self.name!r}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._core.entry.name

    @property
    def isValid(self) -> bool:
        """Whether it can still be used."""
        return self._core.handle.is_open

    @property
    def groupNames(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers; empty when it has none."""
        self._core.check()
        return self._core.entry.labels

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Wavelengths in nm of the bands it takes; empty when they are not known."""
        self._core.check()
        if self._wavelengths is not None:
            return tuple(self._wavelengths.tolist())
        return self._metadata().wavelengths

    @property
    def valueType(self) -> ValueType:
        """What the numbers it takes are."""
        self._core.check()
        if self._value_type is not None:
            return self._value_type
        told = self._metadata().value_type
        return ValueType.Intensity if told is None else told

    @property
    def states(self) -> Mapping[str, str]:
        """Output that each input of its state gets, by the input's name; empty without a state."""
        self._core.check()
        if self._states is not None:
            return dict(self._states)
        entry = self._core.entry
        is_single = len(entry.inputs) == 1 or len(entry.outputs) == 1
        if is_single and not (entry.pre_graph or entry.post_graph):
            return {}  # there is nothing besides data and results
        return dict(self._metadata().states)

    @property
    def output_delay(self) -> int:
        """How many lines results lag behind the data; used by this package."""
        return self._metadata().output_delay

    def _metadata(self) -> GraphInfo:
        if self._told is None:
            self._told = read_graph_info(self._core.dfp.graph(self._core.index), self.name)
        return self._told


def model_core_of(model: Model) -> ModelCore:
    """Return what is behind a model."""
    if not isinstance(model, Model):
        raise HandleArgumentTypeError(f"model is a Model, not {type(model).__name__}")
    return model._core  # noqa: SLF001 - a class of this package


def _open(source: DfpSource | Dfp) -> Dfp:
    if not isinstance(source, str | os.PathLike | bytes | bytearray | memoryview | Dfp):
        raise HandleArgumentTypeError(
            f"dfp is a path, the bytes of a program or a Dfp, not {type(source).__name__}"
        )
    if isinstance(source, str | os.PathLike) and str(source).lower().endswith(".fluxmdl"):
        raise ProgramIncompatibleError(
            f"{source} is a model of other software, whose format is not public; export its "
            "network as ONNX and compile that with 'penstock compile'",
            file=str(source),
        )
    return Dfp(source)


def _checked_states(states: object) -> dict[str, str]:
    if not isinstance(states, Mapping) or not all(
        isinstance(name, str) for pair in states.items() for name in pair
    ):
        raise HandleArgumentTypeError(
            f"states maps names of inputs to names of outputs, it is not {states!r}"
        )
    return dict(states)


def _close_all(sessions: dict[str, Session]) -> None:
    while sessions:
        _, session = sessions.popitem()
        session.close()
