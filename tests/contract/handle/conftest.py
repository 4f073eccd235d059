"""A handle that is closed after the test, small programs, and a device that can be held back."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.config import Normalization, PreSettings
from engine.dfp import ModelEntry, pack_dfp
from engine.handle import Handle, _plugins
from engine.license import bundled_license
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin
from engine.protocol import TensorInfo

Array = np.ndarray[Any, Any]


@pytest.fixture
def license_data() -> bytes:
    return bundled_license()


@pytest.fixture
def handle(license_data: bytes) -> Iterator[Handle]:
    with Handle(license_data) as made:
        yield made


def _info(value: Any, port: int) -> TensorInfo:
    kind = value.type.tensor_type
    shape = tuple(axis.dim_value for axis in kind.shape.dim)
    return TensorInfo(value.name, shape, str(helper.tensor_dtype_to_np_dtype(kind.elem_type)), port)


def _value(name: str, shape: Sequence[int], dtype: int = TensorProto.FLOAT) -> Any:
    sizes = [size or f"{name}{axis}" for axis, size in enumerate(shape)]
    return helper.make_tensor_value_info(name, dtype, sizes)


class Programs:
    """Makes the bytes of small programs; a size of 0 is a free axis."""

    def pack(
        self,
        nodes: list[Any],
        inputs: list[Any],
        outputs: list[Any],
        constants: dict[str, Array] | None = None,
        *,
        metadata: dict[str, str] | None = None,
        normalization: Normalization | None = None,
        labels: tuple[str, ...] = (),
    ) -> bytes:
        stored = [numpy_helper.from_array(array, key) for key, array in (constants or {}).items()]
        graph = helper.make_graph(nodes, "test", inputs, outputs, stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, metadata or {})
        onnx.checker.check_model(model)
        entry = ModelEntry(
            name="model",
            main="main.onnx",
            inputs=tuple(_info(value, port) for port, value in enumerate(inputs)),
            outputs=tuple(_info(value, port) for port, value in enumerate(outputs)),
            pre=PreSettings(layout="lines", normalization=normalization or Normalization()),
            labels=labels,
        )
        return pack_dfp(
            name="test", models=[entry], graphs={"main.onnx": model.SerializeToString()}
        )

    def double(
        self, shape: Sequence[int] = (1, 4), dtype: int = TensorProto.FLOAT, **more: Any
    ) -> bytes:
        """y = x + x"""
        return self.pack(
            [helper.make_node("Add", ["x", "x"], ["y"])],
            [_value("x", shape, dtype)],
            [_value("y", shape, dtype)],
            **more,
        )

    def identity(self, shape: Sequence[int], dtype: int = TensorProto.FLOAT, **more: Any) -> bytes:
        """y = x, for values that have to come through untouched"""
        return self.pack(
            [helper.make_node("Identity", ["x"], ["y"])],
            [_value("x", shape, dtype)],
            [_value("y", shape, dtype)],
            **more,
        )

    def sum_and_difference(self) -> bytes:
        """total = a + b, difference = a - b"""
        return self.pack(
            [
                helper.make_node("Add", ["a", "b"], ["total"]),
                helper.make_node("Sub", ["a", "b"], ["difference"]),
            ],
            [_value("a", (0, 3)), _value("b", (0, 3))],
            [_value("total", (0, 3)), _value("difference", (0, 3))],
        )

    def whole(self) -> bytes:
        """y = x / sum of the whole x: no line is independent of another"""
        return self.pack(
            [
                helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
                helper.make_node("Div", ["x", "sum"], ["y"]),
            ],
            [_value("x", (0, 4))],
            [_value("y", (0, 4))],
        )

    def classes(self, shape: Sequence[int], weights: Array, **more: Any) -> bytes:
        """y = x @ weights for every spectrum"""
        return self.pack(
            [helper.make_node("MatMul", ["x", "weights"], ["y"])],
            [_value("x", shape)],
            [_value("y", (*shape[:-1], weights.shape[1]))],
            {"weights": weights.astype(np.float32)},
            **more,
        )


@pytest.fixture
def programs() -> Programs:
    return Programs()


class Device:
    """Stands in front of the real device: holds runs back, and breaks on request."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self.entered = threading.Semaphore(0)
        self.threads: set[str] = set()
        self.running = 0
        self.most_running = 0
        self.runs = 0
        self.takes_s = 0.0
        self.error: BaseException | None = None
        self._held_thread = ""

    def hold(self, thread: str = "") -> None:
        """Hold runs back until `release`; with a thread's name only those on that thread."""
        self._held_thread = thread
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def before(self) -> None:
        with self._lock:
            self.runs += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self.threads.add(threading.current_thread().name)
        self.entered.release()
        if self._held_thread in ("", threading.current_thread().name):
            self._open.wait(20)
        if self.takes_s:
            threading.Event().wait(self.takes_s)
        if self.error is not None:
            raise self.error

    def after(self) -> None:
        with self._lock:
            self.running -= 1


class _HeldSession:
    def __init__(self, device: Device, session: Any) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self._device, self._session = device, session

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        try:
            self._device.before()
            outputs: list[Array] = self._session.run(inputs)
        finally:
            self._device.after()
        return outputs

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """Let the test control the device of contexts made afterwards."""
    control = Device()

    class HeldPlugin(OnnxRuntimeCpuPlugin):
        def load(self, graph: bytes, *, threads_per_lane: int = 1) -> Any:
            return _HeldSession(control, super().load(graph, threads_per_lane=threads_per_lane))

    monkeypatch.setattr(_plugins.PluginTable, "choose", lambda table: HeldPlugin())
    yield control
    control.release()


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], "Call"]]:
    """Run a function on another thread and keep its outcome."""
    calls: list[Call] = []

    def start(function: Callable[[], Any]) -> Call:
        calls.append(Call(function))
        return calls[-1]

    yield start
    for call in calls:
        call.thread.join(20)


class Call:
    def __init__(self, function: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self._function = function
        self.thread = threading.Thread(target=self._run, name="test-call")
        self.thread.start()

    def _run(self) -> None:
        try:
            self._function()
        except BaseException as error:  # noqa: BLE001 - the outermost function of a thread
            self.error = error
        self._function = None  # type: ignore[assignment]  # a handle in it must not stay alive

    def join(self, timeout_s: float = 20) -> None:
        self.thread.join(timeout_s)
        assert not self.thread.is_alive()
