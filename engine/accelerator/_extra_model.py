"""Pre- and post-processing models that run on the host, before and after the device."""

from collections.abc import Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from engine.accelerator.errors import (
    ExtraModelError,
    FrameDtypeError,
    FrameShapeError,
    OptionTypeError,
)
from engine.errors import InvalidArgumentError, ProgramError
from engine.plugins import ProcessingPlugin, Session
from engine.plugins.tensors import describe_shape
from engine.protocol import TensorInfo

__all__ = ("ExtraModel", "load_extra_model")

Array = np.ndarray[Any, Any]

_KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
_EXPORTED = {"keras", "tf_keras", "tensorflow"}
"""Packages whose models are exported to ONNX by themselves."""


class _Serializable(Protocol):
    def SerializeToString(self) -> bytes: ...  # noqa: N802 - the name protocol buffers use


class ExtraModel:
    """A small ONNX model beside the program; tensors are joined with the program's by name.

    Parameters
    ----------
    kind : "pre" or "post".
    is_exported : its framework's exporter chose the names of its tensors: where they are not the
        program's, and there are as many, the order counts.
    """

    def __init__(self, kind: str, session: Session, *, is_exported: bool = False) -> None:
        self._kind = kind
        self._session = session
        self._is_exported = is_exported

    def prepare(self, arrays: Sequence[Array], wanted: Sequence[TensorInfo]) -> list[Array]:
        """Turn what the caller gave into the program's inputs, in the program's order."""
        inputs = self._session.inputs
        if len(arrays) != len(inputs):
            raise FrameShapeError(
                f"the {self._kind}-processing model has {len(inputs)} inputs, "
                f"but the frame has {len(arrays)} arrays; give one array per input"
            )
        fed = [self._with_batch(array, info) for array, info in zip(arrays, inputs, strict=True)]
        try:
            made = dict(
                zip([o.name for o in self._session.outputs], self._session.run(fed), strict=True)
            )
            is_alone = len(wanted) == 1 and len(made) == 1
            if is_alone or self._goes_by_order(made, wanted):
                return list(made.values())
            return [made[info.name] for info in wanted]
        except Exception as error:
            raise self._failed(error) from error

    def finish(self, arrays: Sequence[Array], given: Sequence[TensorInfo]) -> list[Array]:
        """Turn the program's outputs into what the caller gets.

        Outputs that the model has no input for come first, the last of them foremost.
        """
        by_name = {info.name: array for info, array in zip(given, arrays, strict=True)}
        needs = [info.name for info in self._session.inputs]
        if self._goes_by_order(needs, given):
            by_name = dict(zip(needs, arrays, strict=True))
        try:
            outputs = self._session.run([by_name.pop(info.name) for info in self._session.inputs])
        except Exception as error:
            raise self._failed(error) from error
        return [*reversed(by_name.values()), *outputs]

    def close(self) -> None:
        """Let go of the model."""
        self._session.close()

    def _goes_by_order(self, own: Collection[str], program: Sequence[TensorInfo]) -> bool:
        """Whether tensors are joined by their order, because no name is the program's."""
        names = {info.name for info in program}
        return self._is_exported and len(own) == len(names) and names.isdisjoint(own)

    def _with_batch(self, array: Array, info: TensorInfo) -> Array:
        if array.dtype != np.dtype(info.dtype):
            raise FrameDtypeError(
                f"input {info.name!r} of the {self._kind}-processing model takes {info.dtype} "
                f"values, but the array holds {array.dtype}; "
                f"convert it with .astype({info.dtype!r})"
            )
        if array.ndim == len(info.shape) - 1:
            array = array[np.newaxis]
        if array.ndim != len(info.shape) or any(
            want not in (0, size) for size, want in zip(array.shape, info.shape, strict=True)
        ):
            raise FrameShapeError(
                f"input {info.name!r} of the {self._kind}-processing model takes shape "
                f"{describe_shape(info.shape)}, but the array has shape {array.shape}; "
                "resize or reshape it"
            )
        return array

    def _failed(self, cause: Exception) -> ExtraModelError:
        needs = ", ".join(info.name for info in self._session.inputs)
        return ExtraModelError(
            f"Failed to run the {self._kind}-processing model (inputs: {needs}): "
            f"{type(cause).__name__}: {cause}; use the {self._kind}-processing model that belongs "
            "to this program"
        )


def load_extra_model(model: object, kind: str, plugin: ProcessingPlugin) -> ExtraModel:
    """Load a pre- or post-processing model.

    Parameters
    ----------
    model : path of an ONNX file, its bytes, an ONNX model object, or a Keras model or the path
        of one where Keras and its exporter are installed.
    kind : "pre" or "post".

    Raises
    ------
    ExtraModelError
        When there is none, it does not load, or its batch size is fixed to other than 1.
    InvalidArgumentError
        When the file is of another kind.
    """
    if model is None:
        raise ExtraModelError(
            f"the {kind}-processing model is None; give the path or the bytes of an ONNX model"
        )
    try:
        graph = _graph_of(model, kind)
        session = plugin.load(_exported(model, kind) if graph is None else graph)
    except ProgramError as error:
        raise ExtraModelError(
            f"the {kind}-processing model does not load: {error.message}"
        ) from error
    sizes = [info.shape[0] if info.shape else 1 for info in session.inputs]
    if any(size not in (0, 1) for size in sizes):
        session.close()
        raise ExtraModelError(
            f"the {kind}-processing model works on batches of {sizes}; "
            "export it with a batch of 1 or a free batch, or do its work in the callback"
        )
    return ExtraModel(kind, session, is_exported=graph is None)


def _graph_of(model: object, kind: str) -> bytes | None:
    """Return the model as ONNX; None when another framework has to export it first."""
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model)
    if isinstance(model, str | PathLike):
        return _read(Path(model), kind)
    if isinstance(model, dict) and isinstance(model.get("content"), bytes | bytearray):
        return bytes(model["content"])
    if hasattr(model, "SerializeToString"):
        serializable: _Serializable = model
        return bytes(serializable.SerializeToString())
    packages = {one.__module__.partition(".")[0] for one in type(model).__mro__}
    if "torch" in packages and not packages & _EXPORTED:
        raise OptionTypeError(
            f"the {kind}-processing model is a torch module; "
            "export it with torch.onnx.export and give the ONNX file"
        )
    if packages & _EXPORTED:
        return None
    raise OptionTypeError(
        f"the {kind}-processing model is a {type(model).__name__}; "
        "give the path or the bytes of an ONNX model"
    )


def _exported(model: object, kind: str) -> bytes:
    from engine.dfp.foreign_models import export_model  # noqa: PLC0415  (takes a while)

    return export_model(model, f"the {kind}-processing model")


def _read(path: Path, kind: str) -> bytes | None:
    if path.suffix.lower() in _KERAS_SUFFIXES:
        return None
    if path.suffix.lower() != ".onnx":
        raise InvalidArgumentError(
            f"the {kind}-processing model {path} is no .onnx file; "
            "convert it to ONNX, of other kinds only Keras' are supported"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExtraModelError(
            f"the {kind}-processing model {path} cannot be read: {error.strerror}"
        ) from error
