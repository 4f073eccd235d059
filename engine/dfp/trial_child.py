"""The child process of `engine.dfp.trial`: reads a model from stdin, writes reports to stdout.

Usage: ``python -m engine.dfp.trial_child SECONDS PARENT``: SECONDS limits the reference evaluator,
PARENT is the process id with which this process leaves.
"""

import os
import sys
import threading
from collections.abc import Sequence
from typing import TextIO

import msgspec
import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from engine.dfp.parity import Parity
from engine.dfp.trial import TrialReport
from engine.process import leave_with_parent

__all__ = ("main",)

_SEED = 20260
_WORD_BYTES = 300

Arrays = dict[str, np.ndarray]


def main() -> int:
    """Try the model on stdin; one JSON line says how it ran, a second one how it compares."""
    limit_s, parent_pid = float(sys.argv[1]), int(sys.argv[2])
    leave_with_parent(parent_pid)
    graph = sys.stdin.buffer.read()
    out, sys.stdout = sys.stdout, sys.stderr  # operators of the reference evaluator may print
    np.seterr(all="ignore")
    try:
        session = _load(graph)
        inputs = _random_inputs(session)
        outputs = _run(session, inputs)
    except _UnusableError as error:
        _tell(out, TrialReport(problem=str(error)))
        return 1
    shapes = tuple(_known_shape(tensor.shape) for tensor in session.get_outputs())
    _tell(out, TrialReport(outputs=shapes))
    is_told = threading.Lock()

    def give_up() -> None:
        if is_told.acquire(blocking=False):
            reason = f"the reference evaluator took more than {limit_s:g} s"
            _tell(out, TrialReport(parity=Parity(reason=reason)))
            os._exit(0)

    clock = threading.Timer(limit_s, give_up)
    clock.daemon = True  # whoever tells the result first ends the process
    clock.start()
    parity = _compare(graph, inputs, outputs)
    if is_told.acquire(blocking=False):
        clock.cancel()
        _tell(out, TrialReport(parity=parity))
    clock.join()
    return 0


def _tell(out: TextIO, report: TrialReport) -> None:
    out.write(msgspec.json.encode(report).decode() + "\n")
    out.flush()


class _UnusableError(Exception):
    """The model cannot be used; the text is part of a sentence."""


def _load(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's have no common base
        raise _UnusableError(f"onnxruntime cannot load it: {_words(error)}") from error


def _run(session: onnxruntime.InferenceSession, inputs: Arrays) -> list[object]:
    try:
        return list(session.run(None, inputs))
    except Exception as error:  # onnxruntime's have no common base
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
        raise _UnusableError(
            f"onnxruntime cannot run it on {shapes}: {_words(error)}; try another shape"
        ) from error


def _random_inputs(session: onnxruntime.InferenceSession) -> Arrays:
    """Return one value per input: 0..1 for floats, bytes for uint8, else zeros (often indices)."""
    rng = np.random.default_rng(_SEED)
    inputs: Arrays = {}
    for tensor in session.get_inputs():
        dtype = np.dtype(_NAMES.get(tensor.type, "float32"))
        if dtype.kind == "f":
            inputs[tensor.name] = rng.random(tensor.shape).astype(dtype)
        elif dtype == np.uint8:
            inputs[tensor.name] = rng.integers(0, 256, tensor.shape, dtype=np.uint8)
        else:
            inputs[tensor.name] = np.zeros(tensor.shape, dtype)
    return inputs


def _compare(graph: bytes, inputs: Arrays, outputs: Sequence[object]) -> Parity:
    """Return how far onnxruntime's outputs are from the reference evaluator's."""
    try:
        expected = ReferenceEvaluator(_comparable(onnx.load_model_from_string(graph))).run(
            None, inputs
        )
    except Exception as error:  # noqa: BLE001  (its operators raise whatever NumPy raises)
        return Parity(reason=f"the reference evaluator cannot run it ({_words(error)})")
    worst = largest = 0.0
    for found, wanted in zip(outputs, expected, strict=True):
        left, right = np.asarray(found), np.asarray(wanted)
        if left.shape != right.shape:
            return Parity(reason=f"the shapes {left.shape} and {right.shape} differ")
        if left.size:
            difference = np.abs(left.astype(np.float64) - right.astype(np.float64))
            worst = max(worst, float(difference.max()))
            largest = max(largest, float(np.abs(right.astype(np.float64)).max()))
    if not np.isfinite([worst, largest]).all():
        return Parity(reason="an output is not a finite number")
    return Parity(worst, largest, "")


def _comparable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that means the same and that the reference evaluator computes correctly.

    It takes BatchNormalization of operator sets before 14 for training, whatever the model says
    (seen with onnx 1.23), so such a model is converted to a set where the choice is explicit.
    """
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < 14 and any(node.op_type == "BatchNormalization" for node in model.graph.node):
        return onnx.version_converter.convert_version(model, 15)
    return model


def _known_shape(shape: Sequence[int | str | None]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else 0 for size in shape)


def _words(error: BaseException) -> str:
    """Return what a library says, without its codes and on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    return text[:_WORD_BYTES].rstrip(". ")


_NAMES = {
    "tensor(bool)": "bool",
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
} | {
    f"tensor({kind}{bits})": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}


if __name__ == "__main__":
    sys.exit(main())
