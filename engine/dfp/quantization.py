"""Turns a float model into an INT8 one, in a child process of its own."""

import os
import subprocess
import tempfile
from pathlib import Path

import msgspec

from engine.dfp.calibration import Frames, pack_frames
from engine.dfp.int8 import Int8Settings
from engine.errors import ProgramCompileError
from engine.process import Outcome, python_command

__all__ = ("QuantizationJob", "quantize_model")

_RUN_LIMIT_S = 3600.0


class QuantizationJob(msgspec.Struct, frozen=True):
    """What the child is given, as MessagePack: the graph, what runs before it, and frames."""

    graph: bytes
    pre: bytes
    frames: bytes
    settings: Int8Settings


def quantize_model(
    graph: bytes, source: str, *, frames: Frames, pre: bytes = b"", settings: Int8Settings
) -> bytes:
    """Return the model with INT8 weights and activations (QuantizeLinear and DequantizeLinear).

    Inputs and outputs keep their types. Ranges come from running the float model on the frames.

    Parameters
    ----------
    graph : the float model, serialized, its shapes fixed.
    source : what the model is called in errors.
    frames : calibration data by input name, for `pre` where there is one, else for the graph.
    pre : what runs before the graph; may be empty.
    settings : how to quantize.

    Raises
    ------
    ProgramCompileError
        When the model cannot be quantized, or a package that it takes is not installed.
    """
    job = QuantizationJob(graph, pre, pack_frames(frames), settings)
    with tempfile.TemporaryDirectory(prefix="penstock-int8-") as folder:
        command = python_command("engine.dfp.quantization_child", folder, str(os.getpid()))
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            try:
                told, _ = child.communicate(msgspec.msgpack.encode(job), timeout=_RUN_LIMIT_S)
            except subprocess.TimeoutExpired as error:
                raise ProgramCompileError(
                    f"model {source} was not quantized within {_RUN_LIMIT_S:.0f} s; "
                    "give fewer calibration frames",
                    file=source,
                ) from error
            finally:
                child.kill()
        made = Path(folder) / "int8.onnx"
        if child.returncode == 0 and made.exists():
            return made.read_bytes()
    outcome = Outcome.from_return_code(child.returncode)
    lines = told.decode("utf-8", "replace").strip().splitlines()
    reason = lines[-1] if lines else f"the quantizer {outcome.sentence()}"
    raise ProgramCompileError(f"model {source} cannot be quantized: {reason}", file=source)
