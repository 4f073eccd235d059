"""Reads the frames that a model is tried out and quantized with."""

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InvalidArgumentError
from engine.protocol import TensorInfo

__all__ = (
    "FRAMES_LIMIT",
    "CalibrationSource",
    "Frames",
    "pack_frames",
    "read_frames",
    "unpack_frames",
)

FRAMES_LIMIT = 512
"""Most frames that are used; more change the result no further."""

Array = np.ndarray[Any, Any]
Frames = dict[str, Array]
"""Frames by input name: arrays of shape (frames, *shape of the input)."""

CalibrationSource = str | os.PathLike[str] | Array | Mapping[str, Array] | Sequence[Any]
"""A file (.npy for one input, .npz by input name), an array of frames, arrays by input name, or a
list of frames, each an array, a list of arrays (one per input) or arrays by input name."""


def read_frames(given: CalibrationSource, inputs: Sequence[TensorInfo], source: str) -> Frames:
    """Return the frames as one array per input, of the type and shape that the model takes.

    Parameters
    ----------
    given : the frames; each may leave out a leading 1 of the input's shape.
    inputs : the model's inputs.
    source : what the model is called in errors.

    Raises
    ------
    InvalidArgumentError
        When they cannot be read or do not fit the inputs.
    """
    if isinstance(given, str | os.PathLike):
        given = _load(Path(given))
    by_name = _by_name(given, inputs, source)
    unknown = sorted(by_name.keys() - {tensor.name for tensor in inputs})
    missing = [tensor.name for tensor in inputs if tensor.name not in by_name]
    if unknown or missing:
        raise _wrong(
            source,
            f"they are for {', '.join(map(repr, by_name)) or 'nothing'}, but the inputs are "
            f"{', '.join(repr(tensor.name) for tensor in inputs)}",
        )
    frames = {tensor.name: _fitted(by_name[tensor.name], tensor, source) for tensor in inputs}
    if len({len(array) for array in frames.values()}) != 1:
        raise _wrong(source, "the inputs have different numbers of frames")
    return frames


def pack_frames(frames: Frames) -> bytes:
    """Return the frames as bytes for another process; no pickles."""
    buffer = io.BytesIO()
    arrays = [frames[name] for name in sorted(frames)]
    np.savez(buffer, *arrays, names=np.array(sorted(frames), dtype=np.str_))
    return buffer.getvalue()


def unpack_frames(data: bytes) -> Frames:
    """Return what `pack_frames` packed."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {str(name): file[f"arr_{number}"] for number, name in enumerate(file["names"])}


def _load(path: Path) -> Array | dict[str, Array]:
    try:
        with path.open("rb") as file:  # NumPy leaves a broken file open
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, SyntaxError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else None
        raise InvalidArgumentError(
            f"calibration file {path} cannot be read: "
            f"{reason or 'it is no .npy or .npz file of numbers'}; save frames with numpy.save",
            file=str(path),
        ) from error


def _by_name(
    given: Any,  # noqa: ANN401 - it is what is checked here
    inputs: Sequence[TensorInfo],
    source: str,
) -> dict[str, Array]:
    if isinstance(given, np.ndarray):
        return {inputs[0].name: given}
    if isinstance(given, Mapping):
        return {str(name): np.asarray(array) for name, array in given.items()}
    if not isinstance(given, list | tuple) or not given:
        raise _wrong(source, "they are an array, arrays by input name, or a list of frames")
    columns: dict[str, list[Array]] = {}
    for frame in given[:FRAMES_LIMIT]:
        named = frame if isinstance(frame, Mapping) else _named(frame, inputs, source)
        for name, array in named.items():
            columns.setdefault(str(name), []).append(np.asarray(array))
    try:
        return {name: np.stack(arrays) for name, arrays in columns.items()}
    except ValueError as error:
        raise _wrong(source, "the frames have different shapes") from error


def _named(
    frame: Any,  # noqa: ANN401 - it is what is checked here
    inputs: Sequence[TensorInfo],
    source: str,
) -> dict[str, Array]:
    arrays = list(frame) if isinstance(frame, list | tuple) else [frame]
    if len(arrays) != len(inputs):
        raise _wrong(source, f"a frame has {len(arrays)} arrays for {len(inputs)} inputs")
    return {tensor.name: np.asarray(a) for tensor, a in zip(inputs, arrays, strict=True)}


def _fitted(array: Array, tensor: TensorInfo, source: str) -> Array:
    shape = tensor.shape
    inner = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if array.dtype.kind not in "biuf":
        raise _wrong(source, f"those for {tensor.name!r} hold {array.dtype}, not numbers")
    if array.shape in (shape, inner):
        array = array[np.newaxis]
    if not len(array) or array.shape[1:] not in (shape, inner):
        raise _wrong(
            source,
            f"those for {tensor.name!r} have the shape {array.shape}, a frame has {shape}",
        )
    kept = array[:FRAMES_LIMIT].reshape(-1, *shape)
    return np.ascontiguousarray(kept, dtype=tensor.dtype)


def _wrong(source: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"model {source}: calibration data do not fit: {reason}")
