"""Tries a model out in a child process, where a crash or an endless loop does no harm."""

import os
import subprocess
from collections.abc import Sequence

import msgspec

from engine.dfp.parity import Parity
from engine.errors import ProgramCompileError
from engine.process import Outcome, python_command

__all__ = ("GIVEN", "Trial", "TrialJob", "TrialReport", "try_model")

GIVEN = "__penstock_given"
"""Ends the name of an input that is handed through to the next part under its own name."""

_RUN_LIMIT_S = 600.0


class TrialJob(msgspec.Struct, frozen=True):
    """What the child is given, as MessagePack.

    Attributes
    ----------
    graph, pre, post : the parts of the compiled model, serialized; the last two may be empty.
    original : the model that it has to agree with; empty when that is `graph` itself.
    frames : what to feed, packed by `engine.dfp.calibration`; empty takes one random frame.
    """

    graph: bytes
    pre: bytes = b""
    post: bytes = b""
    original: bytes = b""
    frames: bytes = b""


class TrialReport(msgspec.Struct, frozen=True):
    """One line that the child writes: first how onnxruntime did, then the comparison.

    Attributes
    ----------
    problem : why the model cannot be used, part of a sentence; empty when it can.
    outputs : shape of each output of the main graph as onnxruntime knows it, 0 for a free axis.
    parity : the comparison; None in the first line.
    """

    problem: str = ""
    outputs: tuple[tuple[int, ...], ...] = ()
    parity: Parity | None = None


class Trial(msgspec.Struct, frozen=True):
    """What was learnt: shape of each output (0 for a free axis), and the comparison."""

    outputs: tuple[tuple[int, ...], ...]
    parity: Parity


def try_model(
    job: TrialJob | bytes,
    source: str,
    *,
    compare_limit_s: float,
    command: Sequence[str] | None = None,
) -> Trial:
    """Load the model with onnxruntime, run it, and compare with the original.

    Parameters
    ----------
    job : the model's parts and its original, or one ONNX model, serialized; shapes are fixed.
    source : what the model is called in errors.
    compare_limit_s : how long the reference evaluator may take; then parity says so.
    command : another program to run as child, for tests.

    Raises
    ------
    ProgramCompileError
        When onnxruntime cannot load or run the model, or crashes over it.
    """
    job = TrialJob(job) if isinstance(job, bytes) else job
    if command is None:
        arguments = (str(compare_limit_s), str(os.getpid()))
        command = python_command("engine.dfp.trial_child", *arguments)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            told, _ = child.communicate(
                msgspec.msgpack.encode(job), timeout=_RUN_LIMIT_S + compare_limit_s
            )
        except subprocess.TimeoutExpired as error:
            raise ProgramCompileError(
                f"model {source}: onnxruntime did not finish one run within {_RUN_LIMIT_S:.0f} s; "
                "give a smaller shape or another model",
                file=source,
            ) from error
        finally:
            child.kill()
    return _judge(_reports(told), Outcome.from_return_code(child.returncode), source)


def _reports(told: bytes) -> list[TrialReport]:
    """Decode the child's lines; one that was cut off by a crash does not count."""
    reports = []
    for line in told.splitlines():
        try:
            reports.append(msgspec.json.decode(line, type=TrialReport))
        except msgspec.DecodeError:
            continue
    return reports


def _judge(reports: Sequence[TrialReport], outcome: Outcome, source: str) -> Trial:
    """Return what is known after the child has ended."""
    if not reports:
        raise ProgramCompileError(
            f"model {source} crashes onnxruntime (the trial {outcome.sentence()}); "
            "export it again, with another operator set if need be",
            file=source,
        )
    if reports[0].problem:
        raise ProgramCompileError(f"model {source}: {reports[0].problem}", file=source)
    parity = reports[-1].parity
    if parity is None:
        parity = Parity(reason=f"the reference evaluator {outcome.sentence()}")
    return Trial(reports[0].outputs, parity)
