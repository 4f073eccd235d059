"""The child process of `engine.dfp.trial`: reads a job from stdin, writes reports to stdout.

Usage: ``python -m engine.dfp.trial_child SECONDS PARENT``: SECONDS limits the reference evaluator,
PARENT is the process id with which this process leaves.
"""

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any, TextIO

import msgspec
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from engine.dfp.calibration import unpack_frames
from engine.dfp.comparison import compare_frames
from engine.dfp.host_runtime import Chain, UnusableError, random_frame, words_of
from engine.dfp.parity import Parity
from engine.dfp.trial import GIVEN, TrialJob, TrialReport
from engine.process import leave_with_parent

__all__ = ("main",)

_FRAMES = 32

Arrays = dict[str, np.ndarray[Any, Any]]


def main() -> int:
    """Try the model on stdin; one JSON line says how it ran, a second one how it compares."""
    limit_s, parent_pid = float(sys.argv[1]), int(sys.argv[2])
    leave_with_parent(parent_pid)
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=TrialJob)
    out, sys.stdout = sys.stdout, sys.stderr  # operators of the reference evaluator may print
    np.seterr(all="ignore")
    try:
        chain = Chain([graph for graph in (job.pre, job.graph, job.post) if graph])
        frames = _frames(job, chain)
        found = [chain.run(frame) for frame in frames]
    except UnusableError as error:
        _tell(out, TrialReport(problem=str(error)))
        return 1
    main_session = chain.sessions[1 if job.pre else 0]
    shapes = tuple(_known_shape(tensor.shape) for tensor in main_session.get_outputs())
    _tell(out, TrialReport(outputs=shapes))
    fallback = _compare_with_onnxruntime(job, chain, frames, found)
    if fallback is not None and len(frames) > 1:
        _tell(out, TrialReport(parity=fallback))
        return 0
    _compare_in_time(out, limit_s, job, chain, frames[0], found[0], fallback)
    return 0


def _compare_in_time(
    out: TextIO,
    limit_s: float,
    job: TrialJob,
    chain: Chain,
    frame: Arrays,
    found: Arrays,
    fallback: Parity | None,
) -> None:
    """Tell what the reference evaluator says, or after a time what is known without it."""
    is_told = threading.Lock()

    def give_up() -> None:
        if is_told.acquire(blocking=False):
            reason = f"the reference evaluator took more than {limit_s:g} s"
            _tell(out, TrialReport(parity=fallback or Parity(reason=reason)))
            os._exit(0)

    clock = threading.Timer(limit_s, give_up)
    clock.daemon = True  # whoever tells the result first ends the process
    clock.start()
    parity = _compare_with_reference(job, chain, frame, found)
    if parity.max_difference is None and fallback is not None:
        parity = fallback
    if is_told.acquire(blocking=False):
        clock.cancel()
        _tell(out, TrialReport(parity=parity))
    clock.join()


def _tell(out: TextIO, report: TrialReport) -> None:
    out.write(msgspec.json.encode(report).decode() + "\n")
    out.flush()


def _frames(job: TrialJob, chain: Chain) -> list[Arrays]:
    if not job.frames:
        return [random_frame(chain.inputs)]
    given = unpack_frames(job.frames)
    count = min(_FRAMES, *(len(array) for array in given.values()))
    names = {_given(tensor.name): tensor.name for tensor in chain.inputs}
    return [
        {names[name]: array[number] for name, array in given.items() if name in names}
        for number in range(count)
    ]


def _given(name: str) -> str:
    """Return the name that an input has in the original; see `engine.dfp.cropping`."""
    return name.removesuffix(GIVEN)


def _compare_with_onnxruntime(
    job: TrialJob, chain: Chain, frames: Sequence[Arrays], found: Sequence[Arrays]
) -> Parity | None:
    """Compare with the original as onnxruntime runs it; None when it does not, or is no other."""
    if not job.original:
        return None
    try:
        original = Chain([job.original])
        names = _compared(chain, [tensor.name for tensor in original.sessions[0].get_outputs()])
        wanted = [original.run(_original_frame(frame, original)) for frame in frames]
    except UnusableError:
        return None
    return compare_frames(
        names,
        [[one[name] for name in names] for one in found],
        [[one[name] for name in names] for one in wanted],
        "onnxruntime",
    )


def _compare_with_reference(job: TrialJob, chain: Chain, frame: Arrays, found: Arrays) -> Parity:
    """Compare one frame with the ONNX reference evaluator."""
    try:
        model = _comparable(onnx.load_model_from_string(job.original or job.graph))
        names = _compared(chain, [value.name for value in model.graph.output])
        weights = {weight.name for weight in model.graph.initializer}
        wants = {value.name for value in model.graph.input} - weights
        given = {_given(name): array for name, array in frame.items() if _given(name) in wants}
        expected = ReferenceEvaluator(model).run(names, given)
    except Exception as error:  # noqa: BLE001  (its operators raise whatever NumPy raises)
        return Parity(reason=f"the reference evaluator cannot run it ({words_of(error)})")
    wanted = [[np.asarray(array) for array in expected]]
    return compare_frames(names, [[found[n] for n in names]], wanted, "reference evaluator")


def _compared(chain: Chain, original: Sequence[str]) -> list[str]:
    """Return the outputs that both have: a crop may leave some out."""
    own = chain.output_names
    return [name for name in original if name in own]


def _original_frame(frame: Arrays, original: Chain) -> Arrays:
    given = {_given(name): array for name, array in frame.items()}
    fed = {tensor.name: given[tensor.name] for tensor in original.inputs if tensor.name in given}
    missing = [tensor for tensor in original.inputs if tensor.name not in given]
    return fed | random_frame(missing)


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


if __name__ == "__main__":
    sys.exit(main())
