"""Turns models of other frameworks into ONNX, with the exporter of their own framework.

The frameworks are imported only for their own models, and none of them has to be installed.
"""

import inspect
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, ValueInfoProto

from engine.config import PostSettings, PreSettings, Task
from engine.dfp.model_source import CompleteSource, ModelSource
from engine.dfp.onnx_file import first_line
from engine.dfp.shapes import shape_of
from engine.errors import ProgramCompileError

__all__ = ("export_model", "shapes_by_name", "to_onnx")

OnnxModel = str | os.PathLike[str] | bytes | ModelProto
Exporter = Callable[[Any, CompleteSource], bytes]

_KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
_OTHER_SUFFIXES = {
    ".tflite": "convert it with tf2onnx",
    ".pb": "convert it with tf2onnx",
    ".pt": "load it with torch and give the module, or export it with torch.onnx.export",
    ".pth": "load it with torch and give the module, or export it with torch.onnx.export",
    ".joblib": "load it and give the estimator",
    ".pkl": "load it and give the estimator",
}


def to_onnx(source: CompleteSource) -> OnnxModel:
    """Return the model as something that onnx reads, exporting it where needed.

    Parameters
    ----------
    source : the model; besides paths, bytes and ONNX models it may hold a ``torch.nn.Module``, a
        Keras model or the path of one, or a scikit-learn estimator. Modules need `input_shapes`.

    Raises
    ------
    ProgramCompileError
        When it is of no known kind, its exporter is not installed, or the export fails.
    """
    model = source.model
    if isinstance(model, bytes | ModelProto):
        return model
    if isinstance(model, bytearray | memoryview):
        return bytes(model)
    if isinstance(model, str | os.PathLike):
        return _from_path(Path(model), source)
    for family, export in _EXPORTERS.items():
        if _is_of(model, family):
            return _export(model, source, export)
    raise ProgramCompileError(
        f"model {source.called} is a {type(model).__name__}; give an ONNX file, its bytes, an ONNX "
        "model, a torch.nn.Module, a Keras model or a scikit-learn estimator",
        file=source.called,
    )


def export_model(model: object, called: str) -> bytes:
    """Return a model of another framework, or the path of one, as ONNX bytes.

    Parameters
    ----------
    called : what it is called in errors.

    Raises
    ------
    ProgramCompileError
        As `to_onnx`.
    """
    source = CompleteSource.of(
        ModelSource(model, name="" if isinstance(model, str | os.PathLike) else called),
        0,
        task=Task.TENSOR,
        pre=PreSettings(),
        post=PostSettings(),
        labels=(),
    )
    made = to_onnx(source)
    if isinstance(made, ModelProto):
        return bytes(made.SerializeToString())
    return made if isinstance(made, bytes) else Path(made).read_bytes()


def shapes_by_name(
    source: CompleteSource, inputs: Sequence[ValueInfoProto]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes given for a model by input name.

    Shapes given in order go to the inputs in order; one that leaves out the batch gets a 1.

    Raises
    ------
    ProgramCompileError
        When there are more shapes than inputs.
    """
    given = source.input_shapes
    if isinstance(given, Mapping):
        unknown = sorted(given.keys() - {value.name for value in inputs})
        if unknown:
            raise ProgramCompileError(
                f"model {source.called}: a shape was given for the input {unknown[0]!r}, "
                f"which it does not have; its inputs are "
                f"{', '.join(repr(value.name) for value in inputs)}",
                file=source.called,
                input=unknown[0],
            )
        return {name: tuple(shape) for name, shape in given.items()}
    if len(given) > len(inputs):
        raise ProgramCompileError(
            f"model {source.called} has {len(inputs)} inputs, but {len(given)} shapes were given",
            file=source.called,
        )
    found = {}
    for value, shape in zip(inputs, given, strict=False):
        rank = len(shape_of(value))
        sizes = (1, *shape) if len(shape) == rank - 1 else tuple(shape)
        if sizes:
            found[value.name] = sizes
    return found


def _from_path(path: Path, source: CompleteSource) -> OnnxModel:
    suffix = path.suffix.lower()
    if suffix in _KERAS_SUFFIXES:
        keras = _keras(source)
        try:
            loaded = keras.models.load_model(path, compile=False)
        except Exception as error:
            raise _failed(source, error) from error
        return _export(loaded, source, _export_keras)
    if suffix in _OTHER_SUFFIXES:
        raise ProgramCompileError(
            f"{source.called} is not an ONNX file; {_OTHER_SUFFIXES[suffix]}", file=source.called
        )
    return path


def _keras(source: CompleteSource) -> Any:  # noqa: ANN401 - a module
    """Return what loads Keras files: Keras, else the old one that TensorFlow brought."""
    try:
        return import_module("keras")
    except ImportError:
        try:
            return import_module("tf_keras")
        except ImportError:
            return _import("keras", "Keras files", source)  # says what is missing


def _is_of(model: object, family: str) -> bool:
    """Tell whether a class of a package is among the model's, without importing the package."""
    return any(kind.__module__.split(".")[0] in family.split("|") for kind in type(model).__mro__)


def _export(model: object, source: CompleteSource, export: Exporter) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the exporter's own future
            return export(model, source)
    except ProgramCompileError:
        raise
    except Exception as error:
        raise _failed(source, error) from error


def _export_torch(model: Any, source: CompleteSource) -> bytes:  # noqa: ANN401 - torch's own
    torch = _import("torch", "torch modules", source)
    names = [
        name
        for name, parameter in inspect.signature(model.forward).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    given = source.input_shapes
    shapes = [given.get(name, ()) for name in names] if isinstance(given, Mapping) else list(given)
    if len(shapes) != len(names) or not all(shapes):
        raise ProgramCompileError(
            f"model {source.called} is a torch module, whose shapes only the caller knows; "
            f"give input_shapes for {', '.join(map(repr, names))}",
            file=source.called,
        )
    model.eval()
    buffer = io.BytesIO()
    with torch.no_grad():
        arguments = tuple(torch.zeros(tuple(shape)) for shape in shapes)
        known = inspect.signature(torch.onnx.export).parameters
        # The older exporter takes no further package; versions before 2.5 have no other.
        older = {"dynamo": False} if "dynamo" in known else {}
        torch.onnx.export(model, arguments, buffer, input_names=names, **older)
    return buffer.getvalue()


def _export_keras(model: Any, source: CompleteSource) -> bytes:  # noqa: ANN401 - Keras' own
    with tempfile.TemporaryDirectory(prefix="penstock-keras-") as folder:
        path = Path(folder) / "model.onnx"
        if "format" in inspect.signature(getattr(model, "export", _export_keras)).parameters:
            _call_once(model, source)
            model.export(str(path), format="onnx", verbose=False)
            return path.read_bytes()
        tf2onnx = _import("tf2onnx", "models of this Keras", source)
        tf2onnx.convert.from_keras(model, output_path=str(path))
        return path.read_bytes()


def _call_once(model: Any, source: CompleteSource) -> None:  # noqa: ANN401 - Keras' own
    """Run a Keras model on zeros: one that was never called cannot be exported."""
    own = getattr(model, "input_shape", None)
    if own is None:
        return
    given = source.input_shapes
    shapes = list(given.values() if isinstance(given, Mapping) else given)
    shapes = shapes or (own if isinstance(own, list) else [own])
    sizes = [(shape[0] or 1, *shape[1:]) for shape in shapes]
    if any(size is None for shape in sizes for size in shape):
        raise ProgramCompileError(
            f"model {source.called} takes inputs of free size; give input_shapes",
            file=source.called,
        )
    zeros = [np.zeros(shape, np.float32) for shape in sizes]
    model(zeros if isinstance(own, list) else zeros[0])


def _export_sklearn(model: Any, source: CompleteSource) -> bytes:  # noqa: ANN401 - its own
    skl2onnx = _import("skl2onnx", "scikit-learn estimators", source)
    types = import_module("skl2onnx.common.data_types")
    features = getattr(model, "n_features_in_", None)
    if features is None:
        raise ProgramCompileError(
            f"model {source.called} is not fitted; call fit before compiling it", file=source.called
        )
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    converted = skl2onnx.convert_sklearn(
        model,
        initial_types=[("input", types.FloatTensorType([1, int(features)]))],
        options=options,
    )
    return bytes(converted.SerializeToString())


def _import(package: str, what: str, source: CompleteSource) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(package)
    except ImportError as error:
        raise ProgramCompileError(
            f"model {source.called}: {what} need the package {package!r}, which is not installed; "
            "install it, or export the model to ONNX elsewhere",
            file=source.called,
            package=package,
        ) from error


def _failed(source: CompleteSource, error: BaseException) -> ProgramCompileError:
    if isinstance(error, ImportError) and error.name:
        reason = f"the package {error.name!r} is not installed; install it"
    else:
        reason = first_line(error)
    return ProgramCompileError(
        f"model {source.called} cannot be exported to ONNX: {reason}", file=source.called
    )


_EXPORTERS: dict[str, Exporter] = {
    "keras|tf_keras|tensorflow": _export_keras,  # before torch: Keras may sit on top of it
    "torch": _export_torch,
    "sklearn": _export_sklearn,
}
"""By the packages whose classes a model has; the first that matches exports it."""
