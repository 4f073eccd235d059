"""Models of other frameworks. The real exporters run where they are installed; else stand-ins."""

import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dfp import ModelSource, compile_models
from engine.errors import ProgramCompileError
from tests.support.networks import classifier

pytestmark = pytest.mark.usefixtures("untried")


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def refused(model: Any, **more: Any) -> ProgramCompileError:
    with pytest.raises(ProgramCompileError) as caught:
        compile_models([ModelSource(model, name="net", **more)])
    assert "\n" not in str(caught.value)
    return caught.value


class StandIn:
    """Makes a package whose classes look like a framework's, and remembers what was exported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.exported: list[Any] = []

    def package(self, name: str, **content: Any) -> types.ModuleType:
        module = types.ModuleType(name)
        for key, value in content.items():
            setattr(module, key, value)
        self._monkeypatch.setitem(sys.modules, name, module)
        return module

    def hide(self, name: str) -> None:
        self._monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn(monkeypatch)


class _NoGrad:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def torch_module(stand_in: StandIn) -> Any:
    """Return an object that looks like a torch module whose `forward` takes an image."""

    def export(model: Any, arguments: Any, file: Any, *, input_names: Any, dynamo: bool) -> None:
        stand_in.exported.append((model, [a.shape for a in arguments], input_names, dynamo))
        file.write(classifier().SerializeToString())

    onnx = types.SimpleNamespace(export=export)
    stand_in.package("torch", onnx=onnx, no_grad=_NoGrad, zeros=np.zeros)

    class Module:
        is_training = True

        def eval(self) -> None:
            self.is_training = False

        def forward(self, image: Any, scale: float = 1.0) -> Any: ...

    Module.__module__ = "torch.nn.modules.module"
    return Module()


def test_a_torch_module_is_exported_with_the_names_of_its_forward(
    torch_module: Any, stand_in: StandIn
) -> None:
    dfp = compile_models([ModelSource(torch_module, input_shapes=[(1, 3, 8, 8)])])

    assert stand_in.exported == [(torch_module, [(1, 3, 8, 8)], ["image"], False)]
    assert not torch_module.is_training
    assert dfp.input_ports[0]["layer_name"] == "image"


def test_a_torch_module_needs_shapes(torch_module: Any) -> None:
    assert "give input_shapes for 'image'" in str(refused(torch_module))


def test_a_torch_module_without_torch_says_what_to_install(
    torch_module: Any, stand_in: StandIn
) -> None:
    stand_in.hide("torch")
    error = refused(torch_module, input_shapes=[(1, 3, 8, 8)])

    assert "torch modules need the package 'torch', which is not installed" in str(error)
    assert error.details["package"] == "torch"


@pytest.fixture
def keras_model() -> Any:
    class Model:
        input_shape = (None, 8, 8, 3)
        called_with: Any = None

        def __call__(self, zeros: Any) -> None:
            self.called_with = zeros.shape

        def export(self, path: str, format: str = "tf", verbose: bool = True) -> None:  # noqa: A002
            assert (format, verbose) == ("onnx", False)
            Path(path).write_bytes(classifier().SerializeToString())

    Model.__module__ = "keras.src.models.model"
    return Model()


def test_a_keras_model_is_called_once_and_exported(keras_model: Any) -> None:
    compile_models([keras_model])

    assert keras_model.called_with == (1, 8, 8, 3)


def test_a_keras_model_of_free_size_needs_shapes(keras_model: Any) -> None:
    keras_model.input_shape = (None, None, None, 3)

    assert "give input_shapes" in str(refused(keras_model))
    compile_models([ModelSource(keras_model, input_shapes=[(1, 3, 8, 8)])])
    assert keras_model.called_with == (1, 3, 8, 8)


def test_a_keras_model_that_knows_no_shape_is_exported_as_it_is() -> None:
    class Model:
        def export(self, path: str, format: str = "tf", **_: Any) -> None:  # noqa: A002
            Path(path).write_bytes(classifier().SerializeToString())

    Model.__module__ = "tensorflow.keras.applications"

    assert compile_models([Model()]).input_ports[0]["layer_name"] == "image"


def test_a_keras_file_is_loaded(stand_in: StandIn, keras_model: Any) -> None:
    def load_model(path: Path, *, compile: bool) -> Any:  # noqa: A002
        assert (path, compile) == (Path("net.keras"), False)
        return keras_model

    stand_in.package("keras", models=types.SimpleNamespace(load_model=load_model))

    assert compile_models(["net.keras"]).model_names == ("net",)


def test_a_keras_file_is_loaded_by_the_old_keras_where_there_is_no_other(
    stand_in: StandIn, keras_model: Any
) -> None:
    def load_model(_path: Path, *, compile: bool) -> Any:  # noqa: A002
        assert not compile
        return keras_model

    stand_in.hide("keras")
    stand_in.package("tf_keras", models=types.SimpleNamespace(load_model=load_model))

    assert compile_models(["net.h5"]).model_names == ("net",)


def test_a_keras_file_without_keras_says_what_to_install(stand_in: StandIn) -> None:
    stand_in.hide("keras")
    stand_in.hide("tf_keras")

    assert "Keras files need the package 'keras'" in str(refused("net.h5"))


def test_an_old_keras_model_goes_through_tf2onnx(stand_in: StandIn) -> None:
    class Model: ...

    Model.__module__ = "tf_keras.src.engine.training"

    def from_keras(_model: Any, *, output_path: str) -> None:
        Path(output_path).write_bytes(classifier().SerializeToString())

    stand_in.package("tf2onnx", convert=types.SimpleNamespace(from_keras=from_keras))
    assert compile_models([Model()]).input_ports[0]["layer_name"] == "image"

    stand_in.hide("tf2onnx")
    assert "models of this Keras need the package 'tf2onnx'" in str(refused(Model()))


def test_an_exporter_that_fails_is_told_in_one_sentence(keras_model: Any) -> None:
    def broken(*_: Any, format: str, **__: Any) -> None:  # noqa: A002
        raise RuntimeError(f"no {format}\nat all")

    keras_model.export = broken

    assert "net cannot be exported to ONNX: no onnx" in str(refused(keras_model))


def test_an_estimator_without_its_exporter_says_what_to_install(stand_in: StandIn) -> None:
    class Estimator: ...

    Estimator.__module__ = "sklearn.linear_model._logistic"
    stand_in.hide("skl2onnx")

    assert "scikit-learn estimators need the package 'skl2onnx'" in str(refused(Estimator()))


@pytest.mark.parametrize("name", ["net.tflite", "net.pb", "net.pt", "net.joblib"])
def test_files_of_other_frameworks_say_how_to_get_there(name: str) -> None:
    assert str(refused(name)).startswith(f"{name} is not an ONNX file; ")


def test_what_is_no_model_is_named() -> None:
    assert "is a int; give an ONNX file" in str(refused(7))


@needs("torch")
def test_a_real_torch_module_is_exported() -> None:
    import torch

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    dfp = compile_models([ModelSource(net, input_shapes=[(1, 3, 8, 8)])])

    assert dfp.output_tensors[0].shape == (1, 4, 6, 6)


@needs("sklearn", "skl2onnx")
def test_a_real_estimator_is_exported() -> None:
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression().fit(np.eye(4), [0, 1, 2, 1])
    assert compile_models([estimator]).output_names == ["label", "probabilities"]
    assert "is not fitted" in str(refused(LogisticRegression()))


@needs("keras", "tf2onnx")
def test_a_real_keras_model_is_exported() -> None:
    import keras

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    assert compile_models([model]).output_tensors[0].shape == (1, 3)


@pytest.mark.expected_log  # of TensorFlow, that the model was never trained
@needs("tf_keras", "tf2onnx")
def test_a_real_model_of_the_old_keras_and_its_file_are_exported(tmp_path: Path) -> None:
    import tf_keras

    model = tf_keras.Sequential([tf_keras.layers.Input((8,)), tf_keras.layers.Dense(3)])
    assert compile_models([model]).output_tensors[0].shape == (1, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file format is an old one
        model.save(tmp_path / "old.h5")
    assert compile_models([tmp_path / "old.h5"]).output_tensors[0].shape == (1, 3)
