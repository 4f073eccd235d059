import sys
import threading
from pathlib import Path

import psutil
import pytest
from onnx import TensorProto, helper

from engine.dfp.trial import try_model
from engine.errors import ProgramCompileError


def model(op: str = "Relu") -> bytes:
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", "import os, signal, sys; sys.stdin.buffer.read(); " + code]


def test_a_model_that_runs_is_compared() -> None:
    trial = try_model(model(), "m.onnx", compare_limit_s=20)

    assert trial.outputs == ((1, 4),)
    assert trial.parity.max_difference == 0.0


def test_an_operator_that_onnxruntime_does_not_know_is_named() -> None:
    with pytest.raises(
        ProgramCompileError, match=r"onnxruntime cannot load it: .*Wonder"
    ) as caught:
        try_model(model("Wonder"), "m.onnx", compare_limit_s=20)

    assert "\n" not in str(caught.value)


def test_a_crash_while_onnxruntime_loads_is_a_sentence() -> None:
    command = python("os.kill(os.getpid(), signal.SIGSEGV)")

    with pytest.raises(ProgramCompileError, match=r"crashes onnxruntime .*was killed by SIGSEGV"):
        try_model(model(), "m.onnx", compare_limit_s=20, command=command)


@pytest.mark.parametrize("cut", ["", "sys.stdout.write('{\"par'); sys.stdout.flush(); "])
def test_a_crash_of_the_reference_evaluator_is_written_down(cut: str) -> None:
    code = "print('{\"outputs\": [[1, 4]]}', flush=True); " + cut + "os.abort()"

    trial = try_model(model(), "m.onnx", compare_limit_s=20, command=python(code))

    assert trial.outputs == ((1, 4),)
    assert str(trial.parity) == "not checked: the reference evaluator was killed by SIGABRT"


def test_a_child_that_never_reads_is_told_apart_from_one_that_answers() -> None:
    with pytest.raises(ProgramCompileError, match="ended with exit code 3"):
        try_model(
            bytes(1_000_000),
            "m.onnx",
            compare_limit_s=20,
            command=[sys.executable, "-c", "raise SystemExit(3)"],
        )


def test_the_trial_leaves_when_the_compiler_is_killed(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(endless_model())
    code = (
        "import sys; from pathlib import Path; from engine.dfp.trial import try_model; "
        "try_model(Path(sys.argv[1]).read_bytes(), 'm.onnx', compare_limit_s=60)"
    )
    compiler = psutil.Popen([sys.executable, "-c", code, str(tmp_path / "m.onnx")])
    try:
        trial = first_child(compiler)
    finally:
        compiler.kill()
        compiler.wait()

    _gone, alive = psutil.wait_procs([trial], timeout=10)

    assert alive == []


def first_child(process: psutil.Process) -> psutil.Process:
    for _ in range(1000):
        if children := process.children():
            return children[0]
        threading.Event().wait(0.01)
    raise AssertionError("no child was started")


def endless_model() -> bytes:
    """Return a loop that runs for hours."""
    scalar = helper.make_tensor_value_info("step", TensorProto.INT64, [])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes"], ["go_on"]),
            helper.make_node("Sin", ["before"], ["after"]),
        ],
        "body",
        [
            scalar,
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, 4]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["count", "go", "x"], ["y"], body=body)],
        "endless",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [
            helper.make_tensor("count", TensorProto.INT64, [], [2**40]),
            helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        ],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
