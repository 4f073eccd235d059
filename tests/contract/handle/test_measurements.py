"""Measurements in ENVI files, with references, calibration and value types."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.drivers.envi_header import parse_header
from engine.errors import MediaError
from engine.handle import (
    CalibrationInfo,
    CalibrationSettingType,
    Handle,
    HSICube_StorageOrder,
    MeasurementList,
    MeasurementProcessingContextFlag,
    MissingReferenceError,
    Model,
    ProcessingContext,
    ReferenceInfo,
    ValueType,
    convert_length,
    createMeasurementHSICube,
    loadMeasurementList,
    saveMeasurementList,
    versionMajor,
    versionMinor,
    versionString,
)
from engine.handle.errors import (
    ArgumentError,
    CalibrationError,
    MeasurementFileError,
    MeasurementOutputError,
    SourceDataError,
)

SHAPE = LINES, SAMPLES, BANDS = 4, 3, 5
PixelSizeX, InstrumentBaseDistance, InstrumentAngleX = CalibrationSettingType
VariableSpatialSize = MeasurementProcessingContextFlag.VariableSpatialSize
IgnoreReferences = MeasurementProcessingContextFlag.IgnoreReferences

CODES = {
    "u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12, "u4": 13, "i8": 14, "u8": 15,
}  # fmt: skip
AXES = {"bip": (0, 1, 2), "bil": (0, 2, 1), "bsq": (2, 0, 1)}


@pytest.fixture
def cube() -> Any:
    return np.random.default_rng(1).integers(1, 100, SHAPE)


def write(
    path: Path,
    cube: Any,
    *,
    interleave: str = "bip",
    kind: str = "u2",
    order: int = 0,
    offset: int = 0,
    extension: str = ".raw",
    more: str = "",
) -> Path:
    """Write an ENVI file as the format's description says, byte by byte."""
    lines, samples, bands = cube.shape
    values = cube.transpose(AXES[interleave]).astype(("<", ">")[order] + kind)
    path.with_suffix(extension).write_bytes(b"x" * offset + values.tobytes())
    path.write_text(
        f"ENVI\ndescription = {{\n  a = b,\n  made by hand}}\nsamples = {samples}\n"
        f"lines   = {lines}\nbands = {bands}\nheader offset = {offset}\n"
        f"file type = ENVI Standard\ndata type = {CODES[kind]}\ninterleave = {interleave}\n"
        f"byte order = {order}\n{more}",
        encoding="utf-8",
    )
    return path


# -- loading


@pytest.mark.parametrize("interleave", AXES)
@pytest.mark.parametrize("order", [0, 1])
def test_every_interleave_number_type_and_byte_order_is_read(
    handle: Handle, tmp_path: Path, cube: Any, interleave: str, order: int
) -> None:
    for kind in CODES:
        file = tmp_path / f"{kind}.hdr"
        path = write(file, cube, interleave=interleave, kind=kind, order=order, offset=7)
        loaded = loadMeasurementList(handle, "ENVI", path)
        assert loaded.count() == 1
        data = loaded.data(0)
        np.testing.assert_array_equal(data, cube)
        assert data.dtype == np.dtype(kind)
        assert data.flags.c_contiguous


@pytest.mark.parametrize("extension", ["", ".raw", ".bin", ".dat", ".img", ".BIL", ".cube"])
def test_the_data_file_may_have_many_names(
    handle: Handle, tmp_path: Path, cube: Any, extension: str
) -> None:
    path = write(tmp_path / "x.hdr", cube, extension=extension)
    np.testing.assert_array_equal(loadMeasurementList(handle, "ENVI", path).data(0), cube)


@pytest.mark.parametrize("kind", [str, Path, lambda path: str(path).encode()])
def test_a_file_may_be_named_in_every_way_that_open_takes(
    handle: Handle, tmp_path: Path, cube: Any, kind: Any
) -> None:
    path = write(tmp_path / "x.hdr", cube)
    assert loadMeasurementList(handle, "ENVI", kind(path)).count() == 1


@pytest.mark.parametrize("name", ["envi", "Envi", "TIFF", "", None])
def test_the_format_is_spelled_exactly(handle: Handle, tmp_path: Path, name: Any) -> None:
    with pytest.raises(RuntimeError, match="spelled like this"):
        loadMeasurementList(handle, name, tmp_path / "x.hdr")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("wavelength = {400, 500, 600,\n 700, 800}", [400, 500, 600, 700, 800]),
        ("wavelength units = Nanometers\nwavelength = {4,5,6,7,8}", [4, 5, 6, 7, 8]),
        (
            "wavelength units = Micrometers\nwavelength = {.4,.5,.6,.7,.8}",
            [400, 500, 600, 700, 800],
        ),
        ("wavelength = {0.4,0.5,0.6,0.7,2.5}", [400, 500, 600, 700, 2500]),
        ("wavelength units = Index\nwavelength = {0,1,2,3,4}", []),
        ("", []),
    ],
)
def test_wavelengths_are_in_nm(
    handle: Handle, tmp_path: Path, cube: Any, more: str, expected: list[float]
) -> None:
    loaded = loadMeasurementList(handle, "ENVI", write(tmp_path / "x.hdr", cube, more=more))
    np.testing.assert_allclose(loaded.wavelengths(0), expected)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("WhiteReference", "{}_White.hdr"),
        ("WhiteReference", "WHITEREF_{}.hdr"),
        ("DarkReference", "{}_Dark.hdr"),
        ("DarkReference", "DARKREF_{}.hdr"),
    ],
)
def test_references_beside_a_file_are_found(
    handle: Handle, tmp_path: Path, cube: Any, name: str, pattern: str
) -> None:
    path = write(tmp_path / "x.hdr", cube)
    write(tmp_path / pattern.format("x"), cube[:2] + 7)
    loaded = loadMeasurementList(handle, "ENVI", path)
    np.testing.assert_array_equal(loaded.referenceData(0, name), cube[:2] + 7)
    other = {"WhiteReference", "DarkReference"} - {name}
    assert loaded.hasReference(0, name)
    assert not loaded.hasReference(0, other.pop())


def test_a_reference_that_is_not_there_is_a_clear_error(
    handle: Handle, tmp_path: Path, cube: Any
) -> None:
    loaded = loadMeasurementList(handle, "ENVI", write(tmp_path / "x.hdr", cube))
    with pytest.raises(ArgumentError, match="has no WhiteReference"):
        loaded.referenceData(0, "WhiteReference")
    with pytest.raises(ArgumentError, match="is called"):
        loaded.hasReference(0, "white")


def test_a_reference_of_another_camera_is_a_clear_error(
    handle: Handle, tmp_path: Path, cube: Any
) -> None:
    path = write(tmp_path / "x.hdr", cube)
    write(tmp_path / "x_White.hdr", cube[:, :2])
    with pytest.raises(MeasurementFileError, match="2 samples"):
        loadMeasurementList(handle, "ENVI", path)


@pytest.mark.parametrize(
    ("kind", "has_white", "expected"),
    [
        ("u2", False, ValueType.Intensity),
        ("f4", True, ValueType.Intensity),
        ("f4", False, ValueType.Reflectance),
    ],
)
def test_without_a_word_about_it_the_value_type_is_guessed(
    handle: Handle, tmp_path: Path, cube: Any, kind: str, has_white: bool, expected: ValueType
) -> None:
    path = write(tmp_path / "x.hdr", cube, kind=kind)
    if has_white:
        write(tmp_path / "x_White.hdr", cube[:1])
    assert loadMeasurementList(handle, "ENVI", path).valueType(0) is expected


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("ENVI\n", "ENV\n", "begin with ENVI"),
        ("samples = 3", "samples = three", "'samples'"),
        ("samples = 3", "", "'samples'"),
        ("lines   = 4", "lines = 0", "cannot be 0"),
        ("bands = 5", "bands = -5", "cannot be -5"),
        ("header offset = 0", "header offset = -1", "cannot be -1"),
        ("data type = 12", "data type = 6", "data type 6"),
        ("interleave = bip", "interleave = bqs", "bip, bil or bsq"),
        ("byte order = 0", "byte order = 2", "byte order"),
        ("ENVI Standard", "ENVI Classification", "file type"),
        ("lines   = 4", "lines = 5", "cut off"),
        ("lines   = 4", "lines = 1099511627775", "cut off"),
        ("byte order = 0", "byte order = 0\nwavelength = {1, 2}", "2 wavelengths for 5"),
        ("byte order = 0", "byte order = 0\nwavelength = {a,b,c,d,e}", "not all numbers"),
        ("samples = 3", "; penstock {broken\nsamples = 3", "comment line"),
        ("samples = 3", '; penstock {"value_type":"color"}\nsamples = 3', "value type 'color'"),
    ],
)
def test_a_damaged_file_is_a_clear_error(
    handle: Handle, tmp_path: Path, cube: Any, old: str, new: str, match: str
) -> None:
    path = write(tmp_path / "x.hdr", cube)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(MeasurementFileError, match=match) as caught:
        loadMeasurementList(handle, "ENVI", path)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.code == "measurement_file"


def test_a_missing_file_is_named(handle: Handle, tmp_path: Path, cube: Any) -> None:
    with pytest.raises(MeasurementFileError, match=r"no\.hdr") as caught:
        loadMeasurementList(handle, "ENVI", tmp_path / "no.hdr")
    assert caught.value.osErrorCode == 2
    path = write(tmp_path / "x.hdr", cube)
    path.with_suffix(".raw").unlink()
    with pytest.raises(MeasurementFileError, match="no data file"):
        loadMeasurementList(handle, "ENVI", path)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.binary(max_size=60))
def test_property_a_header_is_understood_or_refused(text: str, junk: bytes) -> None:
    for header in (text, "ENVI\n" + text, "ENVI\nlines = 1\n" + junk.decode("latin-1")):
        try:
            parse_header(header, "x.hdr")
        except MediaError:
            continue


# -- saving


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    kind=st.sampled_from(sorted(CODES)),
    order=st.sampled_from(HSICube_StorageOrder),
    value_type=st.sampled_from(ValueType),
)
def test_property_what_was_saved_is_loaded(
    license_data: bytes, tmp_path: Path, shape: Any, kind: str, order: Any, value_type: ValueType
) -> None:
    stored = np.random.default_rng(0).integers(0, 99, shape).astype(kind)
    info = CalibrationInfo()
    info.setSetting(PixelSizeX, 0.25, "mm")
    made = createMeasurementHSICube(
        stored, order, references=ReferenceInfo(value_type), calibrationInfo=info
    )
    saveMeasurementList(made, "ENVI", tmp_path / "x.hdr")
    with Handle(license_data) as handle:
        loaded = loadMeasurementList(handle, "ENVI", tmp_path / "x.hdr")
    np.testing.assert_array_equal(loaded.data(0), made.data(0))
    assert loaded.data(0).dtype == stored.dtype
    assert loaded.valueType(0) is value_type
    assert loaded.calibrationInfo(0) == info


@pytest.mark.parametrize("order", HSICube_StorageOrder)
def test_references_and_wavelengths_are_saved_beside(
    handle: Handle, tmp_path: Path, cube: Any, order: HSICube_StorageOrder
) -> None:
    axes = list(AXES.values())[order]
    data, white = cube.astype("u2"), cube[:2].astype("u2") + 9
    grid = [400.1, 500.2, 600.3, 700.4, 1 / 3 + 800]
    made = createMeasurementHSICube(
        data.transpose(axes),
        order,
        wavelengths=grid,
        references=ReferenceInfo(
            whiteReference=white.transpose(axes), darkReference=[1, 2, 3, 4, 5]
        ),
    )
    saveMeasurementList(made, "ENVI", tmp_path / "x.hdr")
    assert (tmp_path / "x_White.hdr").exists()
    loaded = loadMeasurementList(handle, "ENVI", tmp_path / "x.hdr")
    np.testing.assert_array_equal(loaded.data(0), data)
    np.testing.assert_array_equal(loaded.wavelengths(0), grid)
    np.testing.assert_array_equal(loaded.referenceData(0, "WhiteReference"), white)
    dark = loaded.referenceData(0, "DarkReference")
    np.testing.assert_array_equal(dark, np.broadcast_to([1, 2, 3, 4, 5], (1, SAMPLES, BANDS)))


def test_saving_needs_no_handle(tmp_path: Path, cube: Any) -> None:
    saveMeasurementList(createMeasurementHSICube(cube), "ENVI", tmp_path / "x.hdr")
    assert (tmp_path / "x.raw").stat().st_size == cube.nbytes


def test_a_made_measurement_is_a_copy(cube: Any) -> None:
    made = createMeasurementHSICube(cube)
    before = cube.copy()
    cube[...] = 0
    np.testing.assert_array_equal(made.data(0), before)


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path, cube: Any) -> None:
    made = createMeasurementHSICube(cube)
    with pytest.raises(MeasurementOutputError, match="cannot be written") as caught:
        saveMeasurementList(made, "ENVI", tmp_path / "missing" / "x.hdr")
    assert isinstance(caught.value, OSError | RuntimeError)
    assert caught.value.osErrorCode == 2
    with pytest.raises(MeasurementOutputError, match=r"ends in \.hdr"):
        saveMeasurementList(made, "ENVI", tmp_path / "x.raw")
    half = createMeasurementHSICube(cube.astype("f2"))
    with pytest.raises(MeasurementOutputError, match="float16"):
        saveMeasurementList(half, "ENVI", tmp_path / "x.hdr")
    with pytest.raises(ArgumentError, match="one measurement"):
        saveMeasurementList(MeasurementList(()), "ENVI", tmp_path / "x.hdr")


@pytest.mark.parametrize("wrong", [np.ones((2, 2)), np.ones((0, 2, 2)), np.ones((1, 1, 1), "U1")])
def test_a_cube_has_three_axes_of_numbers(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="three axes"):
        createMeasurementHSICube(wrong)


@pytest.mark.parametrize("index", [-1, 1, "0"])
def test_the_index_of_a_measurement_is_checked(cube: Any, index: Any) -> None:
    with pytest.raises(RuntimeError, match="measurement's index"):
        createMeasurementHSICube(cube).data(index)


# -- processing


def grid_model(handle: Handle, programs: Any, value_type: ValueType) -> Model:
    return Model(handle, programs.identity((0, 0, BANDS)), valueType=value_type)


def test_a_measurement_brings_its_references_and_wavelengths(
    handle: Handle, programs: Any, cube: Any
) -> None:
    info = CalibrationInfo()
    info.setWhiteReferenceReflectivity([0.3, 1.0], [0.5, 0.9], "Micrometers")
    grid = [400.0, 500, 600, 700, 800]
    white = cube[:1] + 200
    made = createMeasurementHSICube(
        cube,
        wavelengths=grid,
        references=ReferenceInfo(whiteReference=white),
        calibrationInfo=info,
    )
    model = Model(
        handle,
        programs.identity((0, 0, 2)),
        valueType=ValueType.Reflectance,
        wavelengths=[450, 800],
    )
    context = ProcessingContext.createMeasurement(made, 0, model)
    context.processNext()
    reflectance = np.interp(grid, [300, 1000], [0.5, 0.9]) * cube / white
    oracle = np.stack([reflectance[..., :2].mean(axis=-1), reflectance[..., 4]], axis=-1)
    np.testing.assert_allclose(context.outputSinkData(0), oracle, rtol=1e-5)


def test_a_measurement_without_a_white_reference_cannot_become_reflectances(
    handle: Handle, programs: Any, cube: Any
) -> None:
    made = createMeasurementHSICube(cube)
    with pytest.raises(MissingReferenceError):
        ProcessingContext.createMeasurement(
            made, 0, grid_model(handle, programs, ValueType.Reflectance)
        )


def test_references_can_be_ignored(handle: Handle, programs: Any, cube: Any) -> None:
    made = createMeasurementHSICube(cube, references=ReferenceInfo(whiteReference=cube[:1]))
    context = ProcessingContext.createMeasurement(
        made, 0, grid_model(handle, programs, ValueType.Intensity), IgnoreReferences
    )
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), cube)
    with pytest.raises(MissingReferenceError):
        ProcessingContext.createMeasurement(
            made, 0, grid_model(handle, programs, ValueType.Reflectance), IgnoreReferences
        )


def test_other_data_must_have_exactly_the_size_of_the_measurement(
    handle: Handle, programs: Any, cube: Any
) -> None:
    model = grid_model(handle, programs, ValueType.Intensity)
    made = createMeasurementHSICube(cube)
    exact = ProcessingContext.createMeasurement(made, 0, model)
    with pytest.raises(SourceDataError):
        exact.setSourceData(cube[:2])
    variable = ProcessingContext.createMeasurement(made, 0, model, VariableSpatialSize)
    variable.setSourceData(cube[:2])
    variable.processNext()
    np.testing.assert_array_equal(variable.outputSinkData(0), cube[:2])
    with pytest.raises(SourceDataError):
        variable.setSourceData(np.concatenate([cube, cube]))


# -- calibration


METERS = {
    "Kilometers": 1e3, "km": 1e3, "Meters": 1, "m": 1, "Centimeters": 1e-2, "cm": 1e-2,
    "Millimeters": 1e-3, "mm": 1e-3, "Micrometers": 1e-6, "\u00b5m": 1e-6, "\u03bcm": 1e-6,
    "Nanometers": 1e-9, "nm": 1e-9, "Angstroms": 1e-10, "Angstrom": 1e-10, "\u212b": 1e-10,
    "\u00c5": 1e-10, "Picometers": 1e-12, "pm": 1e-12, "Miles": 1609.344, "mi": 1609.344,
    "Yards": 0.9144, "yd": 0.9144, "Feet": 0.3048, "ft": 0.3048, "Inches": 0.0254, "in": 0.0254,
    "Thou": 2.54e-5, "th": 2.54e-5,
}  # fmt: skip


def test_every_unit_of_length() -> None:
    info = CalibrationInfo()
    for unit, meters in METERS.items():
        assert math.isclose(convert_length(2, unit, "m"), 2 * meters)
        info.setSetting(InstrumentBaseDistance, 3, unit)
        assert info.setting(InstrumentBaseDistance) == (3.0, unit)
        value, name = info.setting(InstrumentBaseDistance, "mm")
        assert math.isclose(value, 3000 * meters)
        assert name == "mm"


@pytest.mark.parametrize("unit", ["MM", "Mm", "meters", "", "deg", None, 5])
def test_a_unit_is_spelled_exactly(unit: Any) -> None:
    with pytest.raises(CalibrationError, match="no unit for PixelSizeX"):
        CalibrationInfo().setSetting(PixelSizeX, 1, unit)


def test_an_angle_has_units_of_its_own() -> None:
    info = CalibrationInfo()
    info.setSetting(InstrumentAngleX, 180, "deg")
    assert math.isclose(info.setting(InstrumentAngleX, "rad")[0], math.pi)
    with pytest.raises(CalibrationError):
        info.setSetting(InstrumentAngleX, 1, "mm")


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, True])
def test_a_quantity_is_a_finite_number(value: Any) -> None:
    with pytest.raises(CalibrationError, match="finite number"):
        CalibrationInfo().setSetting(PixelSizeX, value, "mm")


def test_what_is_not_set_is_unknown() -> None:
    info = CalibrationInfo()
    assert not info.hasSetting(PixelSizeX)
    assert info.whiteReferenceReflectivity() is None
    with pytest.raises(CalibrationError, match="not set"):
        info.setting(PixelSizeX)


@pytest.mark.parametrize(
    ("wavelengths", "values", "unit"),
    [
        ([400], [0.9, 0.8], "nm"),
        ([400, 400], [0.9, 0.8], "nm"),
        ([400, 500], [0.9, -0.8], "nm"),
        ([400, 500], [0.9, math.nan], "nm"),
        ([400, 500], [0.9, 0.8], "deg"),
        ("ab", [0.9, 0.8], "nm"),
    ],
)
def test_a_white_surface_that_makes_no_sense_is_refused(
    wavelengths: Any, values: Any, unit: str
) -> None:
    with pytest.raises(ArgumentError):
        CalibrationInfo().setWhiteReferenceReflectivity(wavelengths, values, unit)


def test_calibration_survives_as_text() -> None:
    info = CalibrationInfo()
    info.setSetting(InstrumentAngleX, 1.5, "deg")
    info.setSetting(PixelSizeX, 3, "\u00b5m")
    info.setWhiteReferenceReflectivity([400, 500], [0.9, 0.8], "nm")
    again = CalibrationInfo.from_text(info.to_text())
    assert again == info
    with pytest.raises(CalibrationError):
        CalibrationInfo.from_text('{"settings":{"Color":[1,"mm"]}}')


# -- version


def test_the_version_is_two_numbers_and_a_text() -> None:
    assert isinstance(versionString(), str)
    numbers = versionMajor(), versionMinor()
    assert versionString().startswith("{}.{}".format(*numbers))
    assert all(type(number) is int for number in numbers)
