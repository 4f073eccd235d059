"""Contexts for cubes and push-broom frames: orders, value types, references, wavelengths.

Every formula is compared with plain NumPy in float64.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config import Normalization
from engine.handle import (
    Handle,
    HSICube_StorageOrder,
    MissingReferenceError,
    Model,
    ProcessingContext,
    PushBroomFrame_StorageOrder,
    ReferenceInfo,
    ValueType,
    WavelengthRangeError,
)
from engine.handle.errors import ArgumentError, ReferenceMismatchError, SourceDataError

BIP, BIL, BSQ = HSICube_StorageOrder
LambdaX, LambdaY = PushBroomFrame_StorageOrder
ORDERS = {BIP: (0, 1, 2), BIL: (0, 2, 1), BSQ: (2, 0, 1)}
TOLERANCE = {"rtol": 2e-5, "atol": 1e-6}

SHAPE = LINES, SAMPLES, BANDS = 6, 5, 7
GRID = np.linspace(400, 1000, BANDS)


def stored(cube: Any, order: HSICube_StorageOrder) -> Any:
    return np.ascontiguousarray(cube.transpose(ORDERS[order]))


@pytest.fixture
def cube() -> Any:
    return np.random.default_rng(1).integers(100, 4000, SHAPE).astype(np.uint16)


@pytest.fixture
def white() -> Any:
    return np.random.default_rng(2).integers(4000, 5000, (3, SAMPLES, BANDS)).astype(np.uint16)


@pytest.fixture
def dark() -> Any:
    return np.random.default_rng(3).integers(0, 90, (2, SAMPLES, BANDS)).astype(np.uint16)


def model_for(handle: Handle, programs: Any, value_type: str = "intensity", **more: Any) -> Model:
    return Model(
        handle, programs.identity((0, 0, BANDS), metadata={"value_type": value_type}, **more)
    )


def process(model: Model, data: Any, order: HSICube_StorageOrder = BIP, **more: Any) -> Any:
    context = ProcessingContext.createHSICube(model, order, data.dtype, data.shape, **more)
    context.setSourceData(data)
    context.processNext()
    return context.outputSinkData(0).copy()


# -- storage orders


@pytest.mark.parametrize("order", HSICube_StorageOrder)
def test_a_cube_gives_the_same_in_every_storage_order(
    handle: Handle, programs: Any, cube: Any, order: HSICube_StorageOrder
) -> None:
    result = process(model_for(handle, programs), stored(cube, order), order)
    np.testing.assert_array_equal(result, cube)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(1, 5)),
    order=st.sampled_from(HSICube_StorageOrder),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float32", "float64"]),
    is_reversed=st.booleans(),
)
def test_property_results_do_not_depend_on_how_the_cube_lies_in_memory(
    license_data: bytes, programs: Any, size: Any, order: Any, dtype: str, is_reversed: bool
) -> None:
    data = np.random.default_rng(0).integers(0, 200, size).astype(dtype)
    kept = stored(data, order)
    if is_reversed:
        kept = np.asfortranarray(kept)
    with Handle(license_data) as handle:
        weights = np.random.default_rng(1).normal(size=(size[2], 2))
        model = Model(handle, programs.classes((1, 0, size[2]), weights))
        np.testing.assert_array_equal(process(model, kept, order), process(model, data))


def test_frames_give_the_same_in_both_orders(handle: Handle, programs: Any, cube: Any) -> None:
    model = model_for(handle, programs)
    for order, frame in ((LambdaX, cube[0]), (LambdaY, np.ascontiguousarray(cube[0].T))):
        context = ProcessingContext.createPushBroomFrame(model, order, np.uint16, frame.shape)
        context.setSourceData(frame)
        context.processNext()
        np.testing.assert_array_equal(context.outputSinkData(0), cube[:1])


def test_line_by_line_gives_the_same_as_the_whole_cube(
    handle: Handle, programs: Any, cube: Any, white: Any, dark: Any
) -> None:
    model = model_for(handle, programs, "absorbance")
    references = ReferenceInfo(whiteReference=white, darkReference=dark)
    whole = process(model, cube, references=references)
    context = ProcessingContext.createPushBroomFrame(
        model, LambdaX, np.uint16, cube[0].shape, references=references
    )
    for number, line in enumerate(cube):
        context.setSourceData(line)
        context.processNext()
        np.testing.assert_array_equal(context.outputSinkData(0)[0], whole[number])


# -- threads


@pytest.mark.parametrize("order", HSICube_StorageOrder)
def test_results_do_not_depend_on_the_number_of_threads(
    handle: Handle, programs: Any, order: HSICube_StorageOrder
) -> None:
    random = np.random.default_rng(5)
    data = stored(random.integers(1, 4000, (64, 50, 60)).astype(np.uint16), order)
    white = random.integers(4000, 5000, (1, 50, 60))
    references = ReferenceInfo(whiteReference=stored(white, order))
    weights = random.normal(size=(60, 9))
    results = []
    for count in (1, 2, 3, 5):
        handle.stopProcessingThreads()
        handle.createProcessingThreads(count)
        model = Model(handle, programs.classes((0, 0, 60), weights), valueType=ValueType.Absorbance)
        results.append(process(model, data, order, references=references))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    oracle = -np.log10(data.transpose(np.argsort(ORDERS[order])).astype(float) / white) @ weights
    np.testing.assert_allclose(results[0], oracle, rtol=1e-3, atol=1e-4)


def test_the_lines_of_one_cube_are_spread_over_the_threads(
    handle: Handle, programs: Any, cube: Any, device: Any
) -> None:
    handle.createProcessingThreads(3)
    device.takes_s = 0.005
    model = Model(handle, programs.identity((1, 0, BANDS)))
    np.testing.assert_array_equal(process(model, cube), cube)
    assert device.threads == {"MainThread", "processing-1", "processing-2"}
    assert device.runs == LINES


# -- what models take


@pytest.mark.parametrize("shape", [(0, BANDS), (SAMPLES, BANDS)])
def test_a_model_may_take_a_list_of_spectra(
    handle: Handle, programs: Any, cube: Any, shape: tuple[int, ...]
) -> None:
    weights = np.random.default_rng(1).normal(size=(BANDS, 3))
    result = process(Model(handle, programs.classes(shape, weights)), cube)
    np.testing.assert_allclose(result, cube @ weights.astype(np.float32), rtol=1e-4, atol=0.05)
    assert result.shape == (LINES, SAMPLES, 3)


def test_a_model_may_take_several_lines_at_a_time(
    handle: Handle, programs: Any, cube: Any, device: Any
) -> None:
    model = Model(handle, programs.identity((3, SAMPLES, BANDS)))
    np.testing.assert_array_equal(process(model, cube), cube)
    assert device.runs == 2
    with pytest.raises(ArgumentError, match="multiple"):
        process(model, cube[:5])


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((1, 3, BANDS), "lines of 3 samples"),
        ((1, 0, 0), "fixed number of bands"),
        ((1, 1, 0, BANDS), "for spectra it is"),
        ((1, 0, BANDS + 1), "8 bands"),
    ],
)
def test_a_model_that_does_not_fit_the_cube_is_a_clear_error(
    handle: Handle, programs: Any, cube: Any, shape: tuple[int, ...], match: str
) -> None:
    with pytest.raises(ArgumentError, match=match):
        process(Model(handle, programs.identity(shape)), cube)


def test_a_model_with_two_inputs_takes_no_cubes(handle: Handle, programs: Any, cube: Any) -> None:
    with pytest.raises(ArgumentError, match="2 inputs"):
        process(Model(handle, programs.sum_and_difference()), cube)


def test_values_that_the_model_cannot_hold_are_refused(
    handle: Handle, programs: Any, cube: Any
) -> None:
    model = Model(handle, programs.identity((1, 0, BANDS), dtype=2))  # uint8
    with pytest.raises(ArgumentError, match="cannot hold"):
        process(model, cube)


def test_a_program_may_normalize(handle: Handle, programs: Any, cube: Any) -> None:
    mean, scale = tuple(range(BANDS)), (0.5,)
    model = model_for(handle, programs, normalization=Normalization(mean, scale))
    oracle = (cube.astype(float) - np.arange(BANDS)) * 0.5
    np.testing.assert_allclose(process(model, cube), oracle, **TOLERANCE)


# -- data that does not fit


@pytest.mark.parametrize(
    "wrong",
    [
        lambda cube: cube.astype(np.float32),
        lambda cube: cube[:-1],
        lambda cube: cube[0],
        lambda cube: cube.transpose(1, 0, 2),
        lambda cube: cube.astype(">u2"),
    ],
)
def test_source_data_of_another_kind_is_refused_and_the_context_stays_usable(
    handle: Handle, programs: Any, cube: Any, wrong: Any
) -> None:
    model = model_for(handle, programs)
    context = ProcessingContext.createHSICube(model, BIP, np.uint16, SHAPE)
    context.setSourceData(cube)
    with pytest.raises(SourceDataError):
        context.setSourceData(wrong(cube))
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), cube)


def test_with_a_variable_size_smaller_cubes_are_fine_and_larger_ones_are_not(
    handle: Handle, programs: Any, cube: Any
) -> None:
    context = ProcessingContext.createHSICube(
        model_for(handle, programs), BIP, np.uint16, SHAPE, variableSpatialSize=True
    )
    for data in (cube, cube[:2, :3], cube[:1]):
        context.setSourceData(data)
        context.processNext()
        np.testing.assert_array_equal(context.outputSinkData(0), data)
    for data in (np.concatenate([cube, cube]), np.concatenate([cube, cube], 1), cube[..., :3]):
        with pytest.raises(SourceDataError, match="at most"):
            context.setSourceData(data)


@pytest.mark.parametrize("shape", [(1, 2), (1, 2, 3, 4), (0, 2, 3), (-1, 2, 3), 5, None, "abc"])
def test_a_shape_has_three_sizes(handle: Handle, programs: Any, shape: Any) -> None:
    with pytest.raises(RuntimeError, match="shape"):
        ProcessingContext.createHSICube(model_for(handle, programs), BIP, np.uint16, shape)


@pytest.mark.parametrize("dtype", ["complex64", "bool", "U3", ">u2", "nonsense", None.__class__])
def test_a_data_type_is_a_number_type_of_this_machine(
    handle: Handle, programs: Any, dtype: Any
) -> None:
    with pytest.raises(RuntimeError, match="dataType"):
        ProcessingContext.createHSICube(model_for(handle, programs), BIP, dtype, SHAPE)


def test_a_storage_order_is_one_of_its_enumeration(handle: Handle, programs: Any) -> None:
    model = model_for(handle, programs)
    with pytest.raises(RuntimeError, match="HSICube_StorageOrder"):
        ProcessingContext.createHSICube(model, 0, np.uint16, SHAPE)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="PushBroomFrame_StorageOrder"):
        ProcessingContext.createPushBroomFrame(model, BIP, np.uint16, (5, 7))  # type: ignore[arg-type]


# -- value types and references


def oracle_reflectance(cube: Any, white: Any, dark: Any = None, certified: Any = 1.0) -> Any:
    d = 0.0 if dark is None else dark.astype(float).mean(axis=0)
    return certified * (cube.astype(float) - d) / (white.astype(float).mean(axis=0) - d)


@pytest.mark.parametrize("has_dark", [True, False])
@pytest.mark.parametrize("has_certificate", [True, False])
def test_reflectance(
    handle: Handle,
    programs: Any,
    cube: Any,
    white: Any,
    dark: Any,
    has_dark: bool,
    has_certificate: bool,
) -> None:
    certificate = np.linspace(0.9, 0.99, BANDS) if has_certificate else None
    result = process(
        model_for(handle, programs, "reflectance"),
        cube,
        references=ReferenceInfo(
            whiteReference=white,
            darkReference=dark if has_dark else None,
            whiteReflectivity=certificate,
        ),
    )
    oracle = oracle_reflectance(
        cube, white, dark if has_dark else None, 1.0 if certificate is None else certificate
    )
    np.testing.assert_allclose(result, oracle, **TOLERANCE)


def test_absorbance(handle: Handle, programs: Any, cube: Any, white: Any, dark: Any) -> None:
    result = process(
        model_for(handle, programs, "absorbance"),
        cube,
        references=ReferenceInfo(whiteReference=white, darkReference=dark),
    )
    np.testing.assert_allclose(
        result, -np.log10(oracle_reflectance(cube, white, dark)), **TOLERANCE
    )


def test_what_reflects_nothing_has_no_absorbance(handle: Handle, programs: Any) -> None:
    data = np.array([1.0, 0.1, 0.0, -0.5, np.nan, np.inf, 10.0], np.float32).reshape(1, 1, BANDS)
    result = process(
        model_for(handle, programs, "absorbance"),
        data,
        references=ReferenceInfo(ValueType.Reflectance),
    )[0, 0]
    np.testing.assert_allclose(result[[0, 1, 6]], [0, 1, -1], atol=1e-6)
    assert np.isnan(result[[2, 3, 4]]).all()


def test_where_white_and_dark_are_equal_the_reflectance_is_nan_and_never_infinite(
    handle: Handle, programs: Any, cube: Any, white: Any
) -> None:
    dark = np.zeros((1, SAMPLES, BANDS))
    white = white.astype(float)
    white[:, 2, 3] = 0
    result = process(
        model_for(handle, programs, "reflectance"),
        cube,
        references=ReferenceInfo(whiteReference=white, darkReference=dark),
    )
    assert np.isnan(result[:, 2, 3]).all()
    assert np.isnan(result).sum() == LINES
    assert not np.isinf(result).any()


@pytest.mark.parametrize("target", ["reflectance", "absorbance"])
@pytest.mark.parametrize(
    "value_type", [ValueType.Intensity, ValueType.RelativeRadiance, ValueType.Radiance]
)
def test_without_a_white_reference_raw_data_cannot_be_used(
    handle: Handle, programs: Any, cube: Any, dark: Any, target: str, value_type: ValueType
) -> None:
    with pytest.raises(MissingReferenceError, match="white reference") as caught:
        process(
            model_for(handle, programs, target),
            cube,
            references=ReferenceInfo(value_type, darkReference=dark),
        )
    assert caught.value.code == "missing_reference"


def test_a_model_on_intensities_ignores_references(
    handle: Handle, programs: Any, cube: Any, white: Any
) -> None:
    result = process(
        model_for(handle, programs), cube, references=ReferenceInfo(whiteReference=white)
    )
    np.testing.assert_array_equal(result, cube)


def test_reflectances_ignore_references(handle: Handle, programs: Any, white: Any) -> None:
    data = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    references = ReferenceInfo(ValueType.Reflectance, whiteReference=white)
    model = model_for(handle, programs, "reflectance")
    np.testing.assert_array_equal(process(model, data, references=references), data)


def test_reflectances_and_absorbances_become_each_other(handle: Handle, programs: Any) -> None:
    data = np.random.default_rng(1).random(SHAPE).astype(np.float32) + 0.1
    absorbances = process(
        model_for(handle, programs, "absorbance"),
        data,
        references=ReferenceInfo(ValueType.Reflectance),
    )
    np.testing.assert_allclose(absorbances, -np.log10(data), **TOLERANCE)
    back = process(
        model_for(handle, programs, "reflectance"),
        absorbances,
        references=ReferenceInfo(ValueType.Absorbance),
    )
    np.testing.assert_allclose(back, data, **TOLERANCE)


@pytest.mark.parametrize("value_type", [ValueType.Reflectance, ValueType.Absorbance])
def test_intensities_cannot_be_got_back(
    handle: Handle, programs: Any, cube: Any, value_type: ValueType
) -> None:
    with pytest.raises(ArgumentError, match="cannot be got back"):
        process(model_for(handle, programs), cube, references=ReferenceInfo(value_type))


def test_a_model_on_whole_numbers_cannot_take_reflectances(
    handle: Handle, programs: Any, cube: Any, white: Any
) -> None:
    model = Model(
        handle, programs.identity((1, 0, BANDS), dtype=4), valueType=ValueType.Reflectance
    )
    with pytest.raises(ArgumentError, match="float32"):
        process(model, cube, references=ReferenceInfo(whiteReference=white))


@pytest.mark.parametrize("order", HSICube_StorageOrder)
@pytest.mark.parametrize("form", ["lines", "one line", "spectrum"])
def test_references_come_in_the_order_of_the_data(
    handle: Handle, programs: Any, cube: Any, white: Any, order: HSICube_StorageOrder, form: str
) -> None:
    oracle_white = {"lines": white, "one line": white[:1], "spectrum": white[:1, :1]}[form]
    given = stored(oracle_white, order)
    if form != "lines":
        given = given.squeeze(axis=ORDERS[order].index(0))
    if form == "spectrum":
        given = given.ravel()
    result = process(
        model_for(handle, programs, "reflectance"),
        stored(cube, order),
        order,
        references=ReferenceInfo(whiteReference=given),
    )
    np.testing.assert_allclose(result, oracle_reflectance(cube, oracle_white), **TOLERANCE)


@pytest.mark.parametrize(
    "shape", [(3, SAMPLES + 1, BANDS), (3, SAMPLES, BANDS + 1), (3,), (0, 5, 7)]
)
def test_a_reference_of_another_size_is_a_clear_error(
    handle: Handle, programs: Any, cube: Any, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ReferenceMismatchError, match="reference has the shape"):
        process(
            model_for(handle, programs, "reflectance"),
            cube,
            references=ReferenceInfo(whiteReference=np.ones(shape)),
        )


def test_references_per_sample_need_data_of_their_size(
    handle: Handle, programs: Any, white: Any
) -> None:
    with pytest.raises(ReferenceMismatchError, match="exactly their size"):
        ProcessingContext.createHSICube(
            model_for(handle, programs, "reflectance"),
            BIP,
            np.uint16,
            SHAPE,
            references=ReferenceInfo(whiteReference=white),
            variableSpatialSize=True,
        )


@pytest.mark.parametrize(
    "wrong", [[1.0], [0.0] * BANDS, [np.nan] * BANDS, "white", [[1.0] * BANDS]]
)
def test_a_reflectivity_that_makes_no_sense_is_refused(
    handle: Handle, programs: Any, cube: Any, white: Any, wrong: Any
) -> None:
    with pytest.raises(ArgumentError, match="whiteReflectivity"):
        process(
            model_for(handle, programs, "reflectance"),
            cube,
            references=ReferenceInfo(whiteReference=white, whiteReflectivity=wrong),
        )


def test_a_reflectivity_with_its_own_wavelengths_is_interpolated(
    handle: Handle, programs: Any, cube: Any, white: Any
) -> None:
    result = process(
        model_for(handle, programs, "reflectance"),
        cube,
        wavelengths=GRID,
        references=ReferenceInfo(whiteReference=white, whiteReflectivity=([300, 1100], [0.8, 1.0])),
    )
    certificate = np.interp(GRID, [300, 1100], [0.8, 1.0])
    np.testing.assert_allclose(
        result, oracle_reflectance(cube, white, None, certificate), **TOLERANCE
    )


# -- wavelengths


def test_spectra_are_interpolated_onto_the_models_grid(handle: Handle, programs: Any) -> None:
    camera = np.linspace(390, 1010, 23)
    data = np.sin(camera / 100).astype(np.float32).reshape(1, 1, -1).repeat(4, 0).repeat(3, 1)
    model = Model(handle, programs.identity((1, 0, BANDS)), wavelengths=GRID)
    result = process(model, data, wavelengths=camera)
    np.testing.assert_allclose(result[3, 2], np.interp(GRID, camera, data[0, 0]), **TOLERANCE)
    np.testing.assert_allclose(result[3, 2], np.sin(GRID / 100), atol=0.02)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_property_interpolation_is_that_of_numpy(data: Any) -> None:
    from engine.handle._spectra import Interpolation

    steps = data.draw(st.lists(st.floats(0.5, 50), min_size=1, max_size=30))
    source = 400 + np.cumsum(steps)
    shares = data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=10, unique=True))
    target = source[0] + np.array(shares) * (source[-1] - source[0])
    values = np.cos(source)
    order = np.random.default_rng(0).permutation(source.size)
    out = np.empty((2, target.size))
    Interpolation(source[order], target)(np.stack([values[order]] * 2), out)
    np.testing.assert_allclose(out[0], np.interp(target, source, values), rtol=1e-9, atol=1e-9)


def test_on_the_same_grid_nothing_is_touched(handle: Handle, programs: Any, cube: Any) -> None:
    model = Model(handle, programs.identity((1, 0, BANDS)), wavelengths=GRID)
    np.testing.assert_array_equal(process(model, cube, wavelengths=GRID), cube)


def test_reflectance_is_computed_before_the_interpolation(
    handle: Handle, programs: Any, cube: Any, white: Any
) -> None:
    model = Model(
        handle,
        programs.identity((1, 0, 3)),
        wavelengths=[450, 620, 999],
        valueType=ValueType.Absorbance,
    )
    result = process(model, cube, wavelengths=GRID, references=ReferenceInfo(whiteReference=white))
    spectra = -np.log10(oracle_reflectance(cube, white))
    oracle = np.apply_along_axis(lambda s: np.interp([450, 620, 999], GRID, s), 2, spectra)
    np.testing.assert_allclose(result, oracle, **TOLERANCE)


@pytest.mark.parametrize(
    ("grid", "missing"),
    [
        ([350, 500], "350 to 400 nm"),
        ([500, 1200], "1000 to 1200 nm"),
        ([350, 1200], "350 to 400 nm and 1000 to 1200 nm"),
    ],
)
def test_wavelengths_the_camera_does_not_see_are_named(
    handle: Handle, programs: Any, cube: Any, grid: list[float], missing: str
) -> None:
    model = Model(handle, programs.identity((1, 0, 2)), wavelengths=grid)
    with pytest.raises(WavelengthRangeError, match=missing) as caught:
        process(model, cube, wavelengths=GRID)
    assert caught.value.code == "wavelength_range"


def test_without_wavelengths_a_model_that_needs_them_cannot_be_used(
    handle: Handle, programs: Any, cube: Any
) -> None:
    model = Model(handle, programs.identity((1, 0, BANDS)), wavelengths=GRID)
    with pytest.raises(ArgumentError, match="give wavelengths"):
        process(model, cube)


@pytest.mark.parametrize(
    "wrong", [[400.0], GRID[::-1] * 0, [*GRID[:-1], np.nan], [*GRID[:-1], GRID[0]], "blue", [[1]]]
)
def test_wavelengths_that_make_no_sense_are_refused(
    handle: Handle, programs: Any, cube: Any, wrong: Any
) -> None:
    with pytest.raises(ArgumentError, match="wavelength"):
        process(model_for(handle, programs), cube, wavelengths=wrong)


def test_a_model_that_names_the_wrong_number_of_wavelengths_is_refused(
    handle: Handle, programs: Any, cube: Any
) -> None:
    model = Model(handle, programs.identity((1, 0, BANDS)), wavelengths=[500, 600])
    with pytest.raises(ArgumentError, match="names 2 wavelengths"):
        process(model, cube, wavelengths=GRID)
