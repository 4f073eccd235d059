"""Small compiled programs, and a device that a test can hold back or break.

Every test runs twice: with the device in this process, and shared through a device manager.
"""

import dataclasses
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine.accelerator import _backend, _program
from engine.config import PreSettings
from engine.dfp import ModelEntry, pack_dfp
from engine.manager import ManagerAddress, start_manager, stop_manager
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin
from engine.protocol import TensorInfo
from tests.support.held_plugin import HeldDevice, held_environment

Array = np.ndarray[Any, Any]


def _value(name: str, shape: Sequence[int | str], dtype: int) -> Any:
    return helper.make_tensor_value_info(name, dtype, list(shape))


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "test", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Models:
    """Makes tiny ONNX models."""

    def identity(
        self,
        shape: Sequence[int] = (1, 4),
        *,
        name: str = "x",
        target: str = "y",
        dtype: int = TensorProto.FLOAT,
    ) -> onnx.ModelProto:
        return _model(
            [helper.make_node("Identity", [name], [target])],
            [_value(name, shape, dtype)],
            [_value(target, shape, dtype)],
        )

    def double(
        self, source: str = "x", target: str = "z", shape: Sequence[int | str] = (1, 4)
    ) -> onnx.ModelProto:
        return _model(
            [helper.make_node("Add", [source, source], [target])],
            [_value(source, shape, TensorProto.FLOAT)],
            [_value(target, shape, TensorProto.FLOAT)],
        )

    def sum_and_difference(self) -> onnx.ModelProto:
        kind = TensorProto.FLOAT
        return _model(
            [
                helper.make_node("Add", ["a", "b"], ["total"]),
                helper.make_node("Sub", ["a", "b"], ["difference"]),
            ],
            [_value("a", (1, 4), kind), _value("b", (1, 4), kind)],
            [_value("total", (1, 4), kind), _value("difference", (1, 4), kind)],
        )

    def picture_to_scores(self, shape: Sequence[int], axes: Sequence[int]) -> onnx.ModelProto:
        """Return the mean of each channel of a picture as scores of shape (1, channels)."""
        kind = TensorProto.FLOAT
        return _model(
            [helper.make_node("ReduceMean", ["x"], ["y"], axes=list(axes), keepdims=0)],
            [_value("x", shape, kind)],
            [_value("y", (1, 3), kind)],
        )


def _infos(values: Any, first_port: int) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(
            value.name,
            tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim),
            str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
            port,
        )
        for port, value in enumerate(values, first_port)
    )


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def program() -> Callable[..., bytes]:
    """Return a function that packs ONNX models into the bytes of a program."""

    def pack(*given: onnx.ModelProto, layout: str = "nchw") -> bytes:
        entries: list[ModelEntry] = []
        graphs = {}
        for index, model in enumerate(given):
            graphs[f"main{index}.onnx"] = model.SerializeToString()
            entries.append(
                ModelEntry(
                    name=f"model {index}",
                    main=f"main{index}.onnx",
                    inputs=_infos(model.graph.input, sum(len(e.inputs) for e in entries)),
                    outputs=_infos(model.graph.output, sum(len(e.outputs) for e in entries)),
                    pre=PreSettings(layout=layout),
                )
            )
        return pack_dfp(name="test", models=entries, graphs=graphs)

    return pack


@pytest.fixture
def identity(program: Callable[..., bytes], models: Models) -> bytes:
    """Return a program with one model: y = x, shape (1, 4)."""
    return program(models.identity())


@pytest.fixture
def two_ports(program: Callable[..., bytes], models: Models) -> bytes:
    """Return a program with one model: total = a + b, difference = a - b."""
    return program(models.sum_and_difference())


@pytest.fixture
def two_models(program: Callable[..., bytes], models: Models) -> bytes:
    """Return a program with two models: y = x, and z = w + w."""
    return program(models.identity(), models.double("w", "z"))


@pytest.fixture
def frame() -> Callable[[float], Array]:
    """Return a function that makes a frame holding one number."""
    return lambda number: np.full((1, 4), number, np.float32)


class Device:
    """Stands in front of the real device: holds frames back, and breaks on some."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.breaks_on: set[float] = set()
        self.executed = 0
        self.takes_s = 0.0

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def before(self, inputs: Sequence[Array]) -> None:
        self._open.wait(20)
        if self.takes_s:
            threading.Event().wait(self.takes_s)
        self.executed += 1
        if float(np.ravel(inputs[0])[0]) in self.breaks_on:
            raise RuntimeError("the device broke")


class _HeldSession:
    def __init__(self, device: Device, session: Any) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self._device, self._session = device, session

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self._device.before(inputs)
        outputs: list[Array] = self._session.run(inputs)
        return outputs

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="session")
def shared_device() -> Iterator[tuple[ManagerAddress, HeldDevice]]:
    """Run a device manager for the whole session, with a device that can be held back."""
    with tempfile.TemporaryDirectory(prefix="penstock-test-") as folder:
        address = ManagerAddress(str(Path(folder, "manager")))
        with held_environment(Path(folder, "held")) as held:
            start_manager(address, devices=["held"], idle_timeout_s=0)
            try:
                yield address, held
            finally:
                stop_manager(address)


@pytest.fixture(params=["local", pytest.param("shared", marks=pytest.mark.slow)])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def place(
    mode: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ManagerAddress:
    """Decide where accelerators run whose test does not say it."""
    address = ManagerAddress(str(tmp_path))
    if mode == "shared":
        address, _ = request.getfixturevalue("shared_device")
    else:
        real = _backend.open_backend

        def open_backend(dfp: Any, ids: Any, access: Any, *options: Any) -> Any:
            local = dataclasses.replace(access, ignore_manager=not access.local_mode)
            return real(dfp, ids, local, *options)

        monkeypatch.setattr(_program, "open_backend", open_backend)
    monkeypatch.setattr(_backend, "find_address", lambda *_: address)
    return address


@pytest.fixture
def device(
    mode: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Device | HeldDevice]:
    """Let the test hold back and break the device of accelerators made afterwards."""
    if mode == "shared":
        _, held = request.getfixturevalue("shared_device")
        yield held
        held.reset()
        return
    control = Device()

    class HeldPlugin(OnnxRuntimeCpuPlugin):
        def load(self, graph: bytes, *, threads_per_lane: int = 1) -> Any:
            return _HeldSession(control, super().load(graph, threads_per_lane=threads_per_lane))

    class Registry(_backend.PluginRegistry):
        def choose(self, preferred_key: str = "") -> Any:
            return HeldPlugin()

    monkeypatch.setattr(_backend, "PluginRegistry", Registry)
    yield control
    control.release()
