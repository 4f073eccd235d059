"""Model: where programs come from, and what they say about spectra."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dfp import Dfp
from engine.errors import ProgramError, ProgramMalformedError
from engine.handle import Handle, Model, ProcessingContext, ValueType


@pytest.mark.parametrize("kind", ["bytes", "str", "path", "dfp"])
def test_a_program_comes_as_bytes_path_or_dfp(
    handle: Handle, programs: Any, tmp_path: Path, kind: str
) -> None:
    data = programs.double(labels=("a", "b"))
    file = tmp_path / "program.dfp"
    file.write_bytes(data)
    source = {"bytes": data, "str": str(file), "path": file, "dfp": Dfp(data)}[kind]
    model = Model(handle, source)
    assert (model.name, model.groupNames, model.isValid) == ("model", ("a", "b"), True)


@pytest.mark.parametrize(
    "damage", [lambda d: d[: len(d) // 2], lambda d: b"garbage", lambda d: b""]
)
def test_a_damaged_program_is_a_clear_error(handle: Handle, programs: Any, damage: Any) -> None:
    with pytest.raises(ProgramError) as caught:
        Model(handle, damage(programs.double()))
    assert isinstance(caught.value, RuntimeError)


def test_a_missing_file_is_named(handle: Handle, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"no\.dfp"):
        Model(handle, tmp_path / "no.dfp")


@pytest.mark.parametrize("source", [None, 5, ["a"]])
def test_a_program_is_nothing_else(handle: Handle, source: Any) -> None:
    with pytest.raises(RuntimeError, match="dfp is"):
        Model(handle, source)


@pytest.mark.parametrize("index", [-1, 1, "0", True])
def test_the_index_of_a_model_is_checked(handle: Handle, programs: Any, index: Any) -> None:
    with pytest.raises(RuntimeError, match="modelIndex"):
        Model(handle, programs.double(), index)


def test_something_that_is_no_handle_is_refused(programs: Any) -> None:
    with pytest.raises(RuntimeError, match="is a Handle"):
        Model(None, programs.double())  # type: ignore[arg-type]  # on purpose


def test_many_models_may_be_loaded_and_each_processed(handle: Handle, programs: Any) -> None:
    models = [Model(handle, programs.double()) for _ in range(3)]
    for number, model in enumerate(models):
        context = ProcessingContext(model)
        context.setSourceData(np.full((1, 4), number, np.float32))
        context.processNext()
        assert context.outputSinkData(0)[0, 0] == 2 * number


def test_a_model_says_for_which_spectra_it_was_made(handle: Handle, programs: Any) -> None:
    data = programs.double(
        (1, 2, 3), metadata={"wavelengths_nm": "400, 500,600.5", "value_type": "Reflectance"}
    )
    model = Model(handle, data)
    assert model.wavelengths == (400.0, 500.0, 600.5)
    assert model.valueType is ValueType.Reflectance


def test_a_model_without_metadata_takes_intensities_at_unknown_wavelengths(
    handle: Handle, programs: Any
) -> None:
    model = Model(handle, programs.double())
    assert (model.wavelengths, model.valueType) == ((), ValueType.Intensity)


def test_what_is_said_when_loading_comes_before_the_metadata(handle: Handle, programs: Any) -> None:
    data = programs.double(
        (1, 2, 2), metadata={"wavelengths_nm": "400,500", "value_type": "absorbance"}
    )
    model = Model(handle, data, wavelengths=[410, 510], valueType=ValueType.Intensity)
    assert (model.wavelengths, model.valueType) == ((410.0, 510.0), ValueType.Intensity)


@pytest.mark.parametrize(
    "metadata", [{"wavelengths_nm": "blue"}, {"wavelengths_nm": "0,-1"}, {"value_type": "color"}]
)
def test_metadata_that_makes_no_sense_is_a_clear_error(
    handle: Handle, programs: Any, metadata: dict[str, str]
) -> None:
    model = Model(handle, programs.double((1, 2, 2), metadata=metadata))
    with pytest.raises(ProgramMalformedError, match=next(iter(metadata))):
        repr((model.wavelengths, model.valueType))


def test_a_model_in_use_outlives_its_name(handle: Handle, programs: Any) -> None:
    model = Model(handle, programs.double())
    context = ProcessingContext(model)
    del model
    context.setSourceData(np.ones((1, 4), np.float32))
    context.processNext()
    assert context.outputSinkData(0).sum() == 8


@pytest.mark.parametrize("name", ["apples.fluxmdl", "APPLES.FLUXMDL"])
def test_a_model_of_other_software_is_told_apart(handle: Handle, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever is in there")
    with pytest.raises(RuntimeError, match=r"model of other software.*export its network as ONNX"):
        Model(handle, tmp_path / name)
