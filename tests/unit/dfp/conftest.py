"""Small programs and models, made here so that no file from outside is needed."""

from collections.abc import Callable

import onnx
import pytest
from onnx import TensorProto, helper

from engine.config import Normalization, PostSettings, PreSettings, Task
from engine.dfp import ModelEntry, Parity, model_compiler, pack_dfp
from engine.dfp.trial import Trial, TrialJob
from engine.protocol import TensorInfo

Shape = tuple[int | str, ...]
CREATED = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def make_model() -> Callable[..., onnx.ModelProto]:
    """Make a model that adds 1 to its input `image`; it has an output `scores`."""

    def make(
        shape: Shape | None = (1, 3, 4, 4),
        *,
        opset: int = 17,
        ir_version: int = 9,
        dtype: int = TensorProto.FLOAT,
        metadata: dict[str, str] | None = None,
    ) -> onnx.ModelProto:
        one = helper.make_tensor("one", dtype, (), [1])
        graph = helper.make_graph(
            [helper.make_node("Add", ["image", "one"], ["scores"])],
            "adds_one",
            [helper.make_tensor_value_info("image", dtype, shape)],
            [helper.make_tensor_value_info("scores", dtype, shape)],
            [one],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
        )
        helper.set_model_props(model, metadata or {})
        return model

    return make


@pytest.fixture
def entry() -> ModelEntry:
    """Return the entry of a classifier."""
    return ModelEntry(
        name="classifier",
        main="models/0/main.onnx",
        inputs=(TensorInfo("image", (1, 3, 4, 4), "float32", 0),),
        outputs=(TensorInfo("scores", (1, 2), "float32", 0),),
        task=Task.CLASSIFY,
        pre=PreSettings(channels="bgr", normalization=Normalization((1.0,), (2.0,))),
        post=PostSettings(threshold=0.25, outputs={"scores": "scores"}),
        labels=("cat", "cup"),
    )


@pytest.fixture
def packed(entry: ModelEntry) -> bytes:
    """Return a whole DFP; its graph is bytes that nobody parses."""
    graphs = {"models/0/main.onnx": bytes(range(256)) * 4}
    return pack_dfp(name="demo", models=[entry], graphs=graphs, created=CREATED, compiler="test")


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the compiler believe that a model runs, where a test is about something else."""

    def believe(job: TrialJob, _source: str, *, compare_limit_s: float) -> Trial:
        graph = onnx.load_model_from_string(job.graph).graph
        assert compare_limit_s > 0
        return Trial(tuple(() for _ in graph.output), Parity(reason="a test leaves it out"))

    monkeypatch.setattr(model_compiler, "try_model", believe)
