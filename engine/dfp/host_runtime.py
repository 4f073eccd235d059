"""Runs ONNX graphs in the compiler's child processes, one thread, errors in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

__all__ = ("Chain", "UnusableError", "load_graph", "random_frame", "words_of")

_SEED = 20260
_WORD_BYTES = 300

Array = np.ndarray[Any, Any]


class UnusableError(Exception):
    """The model cannot be used; the text is part of a sentence."""


class Chain:
    """Parts of a model, one behind the other; tensors go from one to the next by their names."""

    def __init__(self, graphs: Sequence[bytes]) -> None:
        self.sessions = [load_graph(graph) for graph in graphs]
        self.inputs = self.sessions[0].get_inputs()

    @property
    def output_names(self) -> list[str]:
        """Names of what comes out at the end, including what later parts do not use."""
        names: list[str] = []
        for session in self.sessions:
            used = {tensor.name for tensor in session.get_inputs()}
            names = [name for name in names if name not in used]
            names += [tensor.name for tensor in session.get_outputs()]
        return names

    def run(self, frame: Mapping[str, Array]) -> dict[str, Array]:
        """Return every tensor that comes out of a part, by name.

        Raises
        ------
        UnusableError
            When a part fails.
        """
        known = dict(frame)
        for session in self.sessions:
            names = [tensor.name for tensor in session.get_outputs()]
            feed = {tensor.name: known[tensor.name] for tensor in session.get_inputs()}
            known |= dict(zip(names, _run(session, feed), strict=True))
        return known


def load_graph(graph: bytes) -> onnxruntime.InferenceSession:
    """Load a graph with onnxruntime, or raise `UnusableError`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's have no common base
        raise UnusableError(f"onnxruntime cannot load it: {words_of(error)}") from error


def random_frame(inputs: Sequence[Any]) -> dict[str, Array]:
    """Return one value per input: 0..1 for floats, bytes for uint8, else zeros (often indices)."""
    rng = np.random.default_rng(_SEED)
    frame: dict[str, Array] = {}
    for tensor in inputs:
        dtype = np.dtype(_NAMES.get(tensor.type, "float32"))
        if dtype.kind == "f":
            frame[tensor.name] = rng.random(tensor.shape).astype(dtype)
        elif dtype == np.uint8:
            frame[tensor.name] = rng.integers(0, 256, tensor.shape, dtype=np.uint8)
        else:
            frame[tensor.name] = np.zeros(tensor.shape, dtype)
    return frame


def words_of(error: BaseException) -> str:
    """Return what a library says, without its codes and on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    return text[:_WORD_BYTES].rstrip(". ")


def _run(session: onnxruntime.InferenceSession, inputs: Mapping[str, Array]) -> list[Array]:
    try:
        return [np.asarray(output) for output in session.run(None, inputs)]
    except Exception as error:  # onnxruntime's have no common base
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
        raise UnusableError(
            f"onnxruntime cannot run it on {shapes}: {words_of(error)}; try another shape"
        ) from error


_NAMES = {
    "tensor(bool)": "bool",
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
} | {
    f"tensor({kind}{bits})": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}
