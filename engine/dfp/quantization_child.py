"""The child process of `engine.dfp.quantization`: reads a job from stdin, writes an ONNX file.

Usage: ``python -m engine.dfp.quantization_child FOLDER PARENT``: FOLDER takes ``int8.onnx`` and
files on the way to it, PARENT is the process id with which this process leaves. When it fails, the
last line on stdout says why.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime

from engine.dfp.calibration import unpack_frames
from engine.dfp.host_runtime import Chain, UnusableError, words_of
from engine.dfp.int8 import Int8Settings
from engine.dfp.quantization import QuantizationJob
from engine.dfp.trial import GIVEN
from engine.process import leave_with_parent

__all__ = ("main",)

_LEAST_OPSET = 13

Arrays = dict[str, np.ndarray[Any, Any]]


def main() -> int:
    """Quantize the model on stdin."""
    folder = Path(sys.argv[1])
    leave_with_parent(int(sys.argv[2]))
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=QuantizationJob)
    out, sys.stdout = sys.stdout, sys.stderr  # the quantizer prints
    try:
        _quantize(_simplified(job.graph, folder), _frames(job), job.settings, folder)
    except ModuleNotFoundError as error:
        out.write(f"that takes the package {error.name!r}, which is not installed; install it\n")
        return 1
    except UnusableError as error:
        out.write(f"{error}\n")
        return 1
    except Exception as error:  # noqa: BLE001  (the quantizer raises whatever it meets)
        out.write(f"{words_of(error)}; leave it in float\n")
        return 1
    return 0


def _simplified(graph: bytes, folder: Path) -> Path:
    """Write the model with constants folded and normalizations merged into weights."""
    model = onnx.load_model_from_string(graph)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < _LEAST_OPSET:  # scales per channel need it
        model = onnx.version_converter.convert_version(model, _LEAST_OPSET)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "float.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return folder / "float.onnx"


def _frames(job: QuantizationJob) -> Iterator[Arrays]:
    """Yield the frames as the graph takes them."""
    given = unpack_frames(job.frames)
    chain = Chain([job.pre]) if job.pre else None
    for number in range(len(next(iter(given.values())))):
        frame = {name: array[number] for name, array in given.items()}
        yield frame if chain is None else chain.run(_named_as_given(frame, chain))


def _named_as_given(frame: Arrays, chain: Chain) -> Arrays:
    names = {tensor.name.removesuffix(GIVEN): tensor.name for tensor in chain.inputs}
    return {names.get(name, name): array for name, array in frame.items()}


def _quantize(model: Path, frames: Iterator[Arrays], settings: Int8Settings, folder: Path) -> None:
    from onnxruntime import quantization  # noqa: PLC0415  (may be missing, main says so)

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_inputs()]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def get_next(self) -> Arrays | None:
            frame = next(frames, None)
            return None if frame is None else {name: frame[name] for name in names}

    methods = {
        "minmax": quantization.CalibrationMethod.MinMax,
        "entropy": quantization.CalibrationMethod.Entropy,
        "percentile": quantization.CalibrationMethod.Percentile,
    }
    quantization.quantize_static(
        str(model),
        str(folder / "int8.onnx"),
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=settings.is_per_channel,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
        nodes_to_exclude=list(settings.excluded),
        calibrate_method=methods[settings.method],
    )


if __name__ == "__main__":
    sys.exit(main())
