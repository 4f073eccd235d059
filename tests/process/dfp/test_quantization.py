from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from engine.dfp import Int8Settings, ModelSource, compile_models
from engine.errors import ProgramCompileError
from tests.support.networks import classifier, detector


def frames(count: int = 8) -> Any:
    return np.random.default_rng(0).random((count, 3, 8, 8)).astype(np.float32)


@pytest.mark.slow
def test_a_model_is_quantized_and_compared_with_its_float_original() -> None:
    dfp = compile_models([ModelSource(classifier(), calibration=frames())], int8=Int8Settings())

    operators = {node.op_type for node in onnx.load_model_from_string(dfp.graph()).graph.node}
    assert "QuantizeLinear" in operators
    parity = dfp.models[0].parity
    assert (parity.against, parity.frames) == ("onnxruntime", 8)
    (scores,) = parity.outputs
    assert scores.cosine is not None
    assert 0.99 <= scores.cosine < 1.0
    assert 0.0 < scores.max_difference < 0.1
    assert dfp.input_tensors[0].dtype == dfp.output_tensors[0].dtype == "float32"
    session = onnxruntime.InferenceSession(dfp.graph(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": frames(1)})[0].shape == (1, 5)


@pytest.mark.slow
def test_a_cropped_model_is_quantized_behind_its_head() -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    dfp = compile_models(
        [ModelSource(detector(), calibration=pictures)],
        autocrop=True,
        int8=Int8Settings(),
        min_cosine=0.9,
    )

    assert list(dfp.models[0].graphs) == ["main", "pre", "post"]
    assert dfp.models[0].parity.frames == 6


@pytest.mark.slow
def test_a_result_too_far_from_the_original_fails_and_names_the_output(tmp_path: Path) -> None:
    source = ModelSource(classifier(), name="net", calibration=frames())

    with pytest.raises(ProgramCompileError) as caught:
        compile_models([source], int8=Int8Settings(), min_cosine=1.0, output=tmp_path / "o.dfp")

    told = str(caught.value)
    assert "model net: output 'scores' is too far from the original (cosine 0.9" in told
    assert caught.value.details["output"] == "scores"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_any_result_is_accepted_when_told_so() -> None:
    source = ModelSource(classifier(), calibration=frames())

    assert compile_models([source], int8=Int8Settings(), min_cosine=None).models[0].parity.outputs


def test_quantizing_without_calibration_data_says_what_is_missing() -> None:
    with pytest.raises(ProgramCompileError, match="without calibration data"):
        compile_models([classifier()], int8=Int8Settings())


def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime.quantization':\n"
        "            raise ModuleNotFoundError('hidden', name='sympy')\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(ProgramCompileError, match="takes the package 'sympy', which is not"):
        compile_models([ModelSource(classifier(), calibration=frames())], int8=Int8Settings())


def test_the_way_to_find_ranges_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="minmax, entropy or percentile"):
        Int8Settings(method="guess")
