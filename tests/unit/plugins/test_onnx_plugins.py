"""What both built-in plugins promise, and what is particular to each."""

import threading
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine.errors import ClosedError, DeviceError, InvalidArgumentError, ProgramError
from engine.plugins import InPlaceSession, ProcessingPlugin, Session
from engine.plugins.onnx_reference import OnnxReferencePlugin
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin

PLUGINS = [OnnxRuntimeCpuPlugin, OnnxReferencePlugin]


def graph_of(operator: Any, inputs: Any, outputs: Any, **attributes: Any) -> Any:
    node = helper.make_node(operator, [i[0] for i in inputs], [o[0] for o in outputs], **attributes)
    graph = helper.make_graph(
        [node],
        "test",
        [helper.make_tensor_value_info(n, k, s) for n, k, s in inputs],
        [helper.make_tensor_value_info(n, k, s) for n, k, s in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


FLOAT = TensorProto.FLOAT
ADD = graph_of("Add", [("a", FLOAT, [1, 4]), ("b", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])])
IDENTITY = graph_of("Identity", [("x", FLOAT, ["n", 4])], [("y", FLOAT, ["n", 4])])


@pytest.fixture(params=PLUGINS)
def plugin(request: Any) -> Any:
    return request.param()


def ones(*shape: Any, dtype: Any = np.float32) -> Any:
    return np.ones(shape, dtype)


def test_a_plugin_and_its_session_keep_the_contract(plugin: Any) -> None:
    assert isinstance(plugin, ProcessingPlugin)
    session = plugin.load(ADD)
    assert isinstance(session, Session)
    assert [(i.name, i.shape, i.dtype, i.port) for i in session.inputs] == [
        ("a", (1, 4), "float32", 0),
        ("b", (1, 4), "float32", 1),
    ]
    assert [o.name for o in session.outputs] == ["y"]
    np.testing.assert_array_equal(session.run([ones(1, 4), ones(1, 4)])[0], [[2, 2, 2, 2]])


def test_the_probe_says_version_and_device(plugin: Any) -> None:
    report = plugin.probe()
    assert report.is_available
    assert report.version
    assert report.devices[0].kind == "cpu"
    assert report.devices[0].name


def test_a_free_dimension_is_zero_and_takes_any_size(plugin: Any) -> None:
    session = plugin.load(IDENTITY)
    assert session.inputs[0].shape == (0, 4)
    assert session.run([ones(3, 4)])[0].shape == (3, 4)
    with pytest.raises(InvalidArgumentError, match=r"shape \(\?, 4\)"):
        session.run([ones(3, 5)])


def test_outputs_are_fresh_and_writable_even_when_they_equal_the_input(plugin: Any) -> None:
    session = plugin.load(IDENTITY)
    given = ones(1, 4)
    first, second = session.run([given])[0], session.run([given])[0]
    first[:] = 7
    assert (given == 1).all()
    assert (second == 1).all()
    assert first.flags.c_contiguous


def test_input_that_is_not_contiguous_is_read_correctly(plugin: Any) -> None:
    given = np.arange(8, dtype=np.float32).reshape(4, 2).T[:1]
    np.testing.assert_array_equal(plugin.load(IDENTITY).run([given])[0], [[0, 2, 4, 6]])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([ones(1, 4)], r"has 2 inputs \(a, b\), but 1 arrays"),
        ([ones(1, 4), ones(1, 4, dtype=np.float64)], "'b' takes float32 values.*holds float64"),
        ([ones(1, 4), ones(4)], r"'b' takes shape \(1, 4\).*shape \(4,\)"),
        ([ones(1, 5), ones(1, 4)], r"'a' takes shape \(1, 4\).*shape \(1, 5\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_our_words(
    arrays: Any, words: str, plugin: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        plugin.load(ADD).run(arrays)


@pytest.mark.parametrize("graph", [b"", b"rubbish", ADD[: len(ADD) // 2]])
def test_a_graph_that_does_not_load_is_a_program_error(graph: Any, plugin: Any) -> None:
    with pytest.raises(ProgramError) as caught:
        plugin.load(graph).run([])
    assert "\n" not in str(caught.value)


def test_an_unknown_operator_is_a_program_error(plugin: Any) -> None:
    model = onnx.load_model_from_string(ADD)
    model.graph.node[0].op_type = "Teleport"
    with pytest.raises(ProgramError, match="Teleport"):
        plugin.load(model.SerializeToString())


def test_a_closed_session_says_so_and_may_be_closed_twice(plugin: Any) -> None:
    session = plugin.load(IDENTITY)
    session.close()
    session.close()
    with pytest.raises(ClosedError, match="session was closed"):
        session.run([ones(1, 4)])


def test_threads_share_a_session(plugin: Any) -> None:
    session = plugin.load(IDENTITY)
    wrong = []

    def run(number: Any) -> None:
        given = [np.full((1, 4), number, np.float32)]
        results = [session.run(given)[0] for _ in range(200)]
        wrong.extend(result for result in results if not (result == number).all())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT64, TensorProto.BOOL])
def test_other_value_types_keep_their_names(kind: str, plugin: Any) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    session = plugin.load(graph_of("Identity", [("x", kind, [2])], [("y", kind, [2])]))
    assert session.inputs[0].dtype == str(dtype)
    assert session.run([ones(2, dtype=dtype)])[0].dtype == dtype


def test_both_plugins_agree_on_a_convolution() -> None:
    weights = np.random.default_rng(1).normal(size=(5, 3, 3, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node],
        "conv",
        [helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 5, 8, 8])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    picture = np.random.default_rng(2).normal(size=(1, 3, 8, 8)).astype(np.float32)
    results = [plugin().load(data).run([picture])[0] for plugin in PLUGINS]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-5)


def test_onnxruntime_runs_one_thread_per_lane_without_spinning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import onnxruntime

    seen = {}
    native = onnxruntime.InferenceSession

    def record(graph: Any, options: Any, **keywords: Any) -> Any:
        seen["threads"] = (options.intra_op_num_threads, options.inter_op_num_threads)
        seen["spinning"] = options.get_session_config_entry("session.intra_op.allow_spinning")
        seen["mode"] = options.execution_mode
        return native(graph, options, **keywords)

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    OnnxRuntimeCpuPlugin().load(IDENTITY)
    assert seen["threads"] == (1, 1)
    assert seen["spinning"] == "0"
    assert seen["mode"] == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    OnnxRuntimeCpuPlugin().load(IDENTITY, threads_per_lane=2)
    assert seen["threads"] == (2, 1)


def test_a_bound_session_works_from_memory_into_memory() -> None:
    session = OnnxRuntimeCpuPlugin().load(ADD)
    assert isinstance(session, InPlaceSession)
    a, b, y = ones(1, 4), ones(1, 4), np.zeros((1, 4), np.float32)
    a.flags.writeable = False
    execute = session.bind([a, b], [y])
    execute()
    assert y.tolist() == [[2.0] * 4]
    b[:] = 5
    execute()
    assert y.tolist() == [[6.0] * 4]
    session.close()


def test_a_bound_session_says_when_outputs_are_not_what_the_model_says() -> None:
    lying = graph_of("NonZero", [("x", FLOAT, [4])], [("y", TensorProto.INT64, [1, 4])])
    session: Any = OnnxRuntimeCpuPlugin().load(lying)
    x, y = np.array([1, 0, 1, 0], np.float32), np.zeros((1, 4), np.int64)
    with pytest.raises(DeviceError, match="onnxruntime failed"):
        session.bind([x], [y])()
    assert session.run([x])[0].tolist() == [[0, 2]]
    session.close()


def test_a_closed_session_cannot_be_bound() -> None:
    session: Any = OnnxRuntimeCpuPlugin().load(ADD)
    session.close()
    with pytest.raises(ClosedError):
        session.bind([ones(1, 4), ones(1, 4)], [ones(1, 4)])
