"""Pre- and post-processing models on the host."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engine import AsyncAccl, MultiStreamAsyncAccl, SyncAccl


def as_path(model: Any, tmp_path: Any) -> Any:
    path = tmp_path / "extra.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("form", ["path", "text", "bytes", "object"])
def test_the_post_model_is_a_path_bytes_or_an_onnx_model(
    form: Any, identity: bytes, models: Any, frame: Any, tmp_path: Path
) -> None:
    model = models.double("y", "z")
    path = as_path(model, tmp_path)
    given = {"path": path, "text": str(path), "bytes": path.read_bytes(), "object": model}[form]
    with SyncAccl(identity) as accl:
        accl.set_postprocessing_model(given)
        assert accl.run(frame(3))[0, 0] == 6


def test_the_pre_model_runs_before_the_device(identity: bytes, models: Any, frame: Any) -> None:
    with SyncAccl(identity) as accl:
        accl.set_preprocessing_model(models.double("raw", "x").SerializeToString())
        assert accl.run(frame(3))[0, 0] == 6


def test_both_work_in_every_class(identity: bytes, models: Any, frame: Any) -> None:
    got = []
    with AsyncAccl(identity) as accl:
        accl.set_preprocessing_model(models.double("raw", "x"))
        accl.set_postprocessing_model(models.double("y", "z"))
        accl.connect_input(lambda: iter([frame(1), frame(2)]))
        accl.connect_output(lambda z: got.append(z[0, 0]))
        accl.wait()
    with MultiStreamAsyncAccl(identity) as accl:
        accl.set_preprocessing_model(models.double("raw", "x"))
        accl.set_postprocessing_model(models.double("y", "z"))
        frames = [iter([frame(1)]), iter([frame(2)])]
        accl.connect_streams(lambda i: next(frames[i]), lambda i, z: got.append(z[0, 0]), 2)
        accl.wait()
    assert sorted(got) == [4, 4, 8, 8]
    assert got[:2] == [4, 8]


def test_outputs_are_joined_with_the_post_model_by_name_and_others_passed_through_in_front(
    two_ports: bytes, models: Any, frame: Any
) -> None:
    with SyncAccl(two_ports) as accl:
        accl.set_postprocessing_model(models.double("difference", "twice"))
        total, twice = accl.run([frame(5), frame(3)])
    assert (total[0, 0], twice[0, 0]) == (8, 4)


def test_a_free_batch_is_accepted_and_a_fixed_one_is_not(
    identity: bytes, models: Any, frame: Any
) -> None:
    with SyncAccl(identity) as accl:
        accl.set_postprocessing_model(models.double("y", "z", shape=("batch", 4)))
        assert accl.run(frame(1))[0, 0] == 2
        with pytest.raises(RuntimeError, match="works on batches of"):
            accl.set_postprocessing_model(models.double("y", "z", shape=(8, 4)))


@pytest.mark.parametrize("kind", ["pre", "post"])
def test_no_model_is_a_runtime_error(kind: str, identity: bytes) -> None:
    with (
        SyncAccl(identity) as accl,
        pytest.raises(RuntimeError, match=f"{kind}-processing model is None"),
    ):
        getattr(accl, f"set_{kind}processing_model")(None)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("model.tflite", ValueError, "no .onnx file"),
        pytest.param(
            "model.h5",
            RuntimeError,
            "need the package 'keras', which is not installed",
            marks=pytest.mark.skipif(bool(find_spec("keras")), reason="Keras is installed"),
        ),
        ("not_there.onnx", RuntimeError, "cannot be read"),
        (b"rubbish", RuntimeError, "does not load"),
        (7, TypeError, "is a int"),
    ],
)
def test_a_model_that_cannot_be_used_is_named(
    given: Any, error: Any, words: str, identity: bytes
) -> None:
    with SyncAccl(identity) as accl, pytest.raises(error, match=words):
        accl.set_preprocessing_model(given)


def keras_model(exported: onnx.ModelProto) -> Any:
    """Return an object that looks like a Keras model and exports itself as that."""

    class Model:
        def export(self, path: str, format: str = "tf", **_: Any) -> None:  # noqa: A002
            assert format == "onnx"
            Path(path).write_bytes(exported.SerializeToString())

    Model.__module__ = "keras.src.models.model"
    return Model()


def test_a_loaded_keras_model_is_exported_and_joined_by_the_order_of_its_tensors(
    identity: bytes, two_ports: bytes, models: Any, frame: Any
) -> None:
    with SyncAccl(identity) as accl:
        accl.set_preprocessing_model(keras_model(models.double("keras_input", "keras_output")))
        accl.set_postprocessing_model(keras_model(models.double("keras_input", "keras_output")))
        assert accl.run(frame(3))[0, 0] == 12
    with SyncAccl(two_ports) as accl:
        post = models.sum_and_difference()
        for name, mine in (("a", "first"), ("b", "second")):
            for node in post.graph.node:
                node.input[:] = [mine if one == name else one for one in node.input]
        for value, mine in zip(post.graph.input, ("first", "second"), strict=True):
            value.name = mine
        accl.set_postprocessing_model(keras_model(post))
        assert [int(one[0, 0]) for one in accl.run([frame(5), frame(3)])] == [10, 6]


def test_a_torch_module_is_refused_with_what_to_do(identity: bytes) -> None:
    class Module: ...

    Module.__module__ = "torch.nn.modules.module"
    with SyncAccl(identity) as accl, pytest.raises(TypeError, match=r"torch\.onnx\.export"):
        accl.set_postprocessing_model(Module())


@pytest.mark.parametrize(("kind", "flags"), [("pre", (False, True)), ("post", (True, False))])
def test_extra_models_need_the_model_s_own_shapes(
    kind: str, flags: Any, identity: bytes, models: Any
) -> None:
    with (
        SyncAccl(identity, use_model_shape=flags) as accl,
        pytest.raises(RuntimeError, match="use_model_shape"),
    ):
        getattr(accl, f"set_{kind}processing_model")(models.double())


@pytest.mark.expected_log
def test_a_post_model_that_does_not_belong_to_the_program_fails_with_its_cause(
    identity: bytes, models: Any, frame: Any
) -> None:
    with SyncAccl(identity) as accl:
        accl.set_postprocessing_model(models.double("other", "z"))
        with pytest.raises(RuntimeError, match="Failed to run the post-processing") as caught:
            accl.run(frame(1))
        assert isinstance(caught.value.__cause__, KeyError)
    with AsyncAccl(identity) as accl:
        accl.set_postprocessing_model(models.double("other", "z"))
        accl.connect_input(lambda: iter([frame(1)]))
        accl.connect_output(print)
        with pytest.raises(RuntimeError, match="Failed to run the post-processing"):
            accl.wait()


def test_a_frame_that_does_not_fit_the_pre_model_is_named(identity: bytes, models: Any) -> None:
    with SyncAccl(identity) as accl:
        accl.set_preprocessing_model(models.double("raw", "x"))
        with pytest.raises(ValueError, match="'raw' of the pre-processing model"):
            accl.run(np.zeros((1, 5), np.float32))
        with pytest.raises(TypeError, match="takes float32"):
            accl.run(np.zeros((1, 4)))
