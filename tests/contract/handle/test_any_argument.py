"""Whatever is given to a call: an error is a RuntimeError with a code, and the handle goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.handle import (
    CalibrationInfo,
    CalibrationSettingType,
    ConnectionSettings,
    DeviceGroup,
    Handle,
    HSICube_StorageOrder,
    Model,
    ParameterInfo,
    ProcessingContext,
    ProcessingQueueSet,
    PushBroomFrame_StorageOrder,
    ReferenceInfo,
    convert_length,
    createMeasurementHSICube,
    enumerateDevices,
    exportReference,
    importReference,
    loadMeasurementList,
    saveMeasurementList,
)

BIP, LAMBDA_X = HSICube_StorageOrder.BIP, PushBroomFrame_StorageOrder.LambdaX
PIXEL = CalibrationSettingType.PixelSizeX

numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.complex_numbers(),
)
texts = st.one_of(st.text(max_size=8), st.just("x\0y"), st.just("\ud800"), st.just("ENVI"))
arrays = st.sampled_from(
    [
        np.ones(4, np.float32),
        np.ones((1, 4), np.float32),
        np.ones((2, 3, 4)),
        np.ones((0, 4), np.float32),
        np.array(["a"]),
        np.array([{}], object),
        np.ones((1, 4), ">f4"),
        np.float32(3),
        np.datetime64("2020-01-01"),
    ]
)
things = st.one_of(
    st.none(),
    st.just([1, [2, 3]]),
    numbers,
    texts,
    st.binary(max_size=8),
    arrays,
    st.lists(numbers, max_size=3),
    st.tuples(numbers, numbers, numbers),
    st.dictionaries(texts, numbers, max_size=2),
    st.sampled_from([object(), int, len, ..., BIP, LAMBDA_X, PIXEL, Path("x"), ReferenceInfo()]),
)
few = st.one_of(things.filter(lambda thing: not _is_large(thing)))


def _is_large(thing: object) -> bool:
    return isinstance(thing, int | np.integer) and not -4 < thing < 4


@dataclass
class World:
    handle: Handle
    model: Model
    cubes: Model
    context: ProcessingContext
    folder: Path


@pytest.fixture
def world(handle: Handle, programs: Any, tmp_path: Path) -> World:
    model = Model(handle, programs.double((0, 4)))
    cubes = Model(handle, programs.identity((0, 0, 4)))
    return World(handle, model, cubes, ProcessingContext(model), tmp_path)


Call = Callable[[World, Any], Any]

CALLS: dict[str, Call] = {
    "Handle": lambda w, x: Handle(x),
    "createProcessingThreads init": lambda w, x: w.handle.createProcessingThreads(1, x),
    "processingPluginId": lambda w, x: w.handle.processingPluginId(x),
    "processingPluginIndexById": lambda w, x: w.handle.processingPluginIndexById(x),
    "processingPluginName": lambda w, x: w.handle.processingPluginName(x),
    "processingPluginIsEnabled": lambda w, x: w.handle.processingPluginIsEnabled(x),
    "processingPluginSetEnabled": lambda w, x: w.handle.processingPluginSetEnabled(0, x),
    "setDriverBaseDirectory": lambda w, x: w.handle.setDriverBaseDirectory(x),
    "setDriverIsolationExecutable": lambda w, x: w.handle.setDriverIsolationExecutable(x),
    "ProcessingQueueSet": lambda w, x: ProcessingQueueSet(x),
    "Model": lambda w, x: Model(w.handle, x),
    "Model handle": lambda w, x: Model(x, b""),
    "Model valueType": lambda w, x: Model(w.handle, b"", valueType=x),
    "ProcessingContext": lambda w, x: ProcessingContext(x),
    "ProcessingContext queueSet": lambda w, x: ProcessingContext(w.model, x),
    "createHSICube order": lambda w, x: _cube(w, order=x),
    "createHSICube dataType": lambda w, x: _cube(w, dtype=x),
    "createHSICube shape": lambda w, x: _cube(w, shape=x),
    "createHSICube wavelengths": lambda w, x: _cube(w, wavelengths=x),
    "createHSICube references": lambda w, x: _cube(w, references=x),
    "createHSICube white": lambda w, x: _cube(w, references=_white(x)),
    "createHSICube valueType": lambda w, x: _cube(w, references=_type(x)),
    "createPushBroomFrame": lambda w, x: ProcessingContext.createPushBroomFrame(
        w.cubes, LAMBDA_X, np.float32, x
    ),
    "createImage": lambda w, x: ProcessingContext.createImage(w.model, x),
    "createMeasurement": lambda w, x: ProcessingContext.createMeasurement(x, 0, w.cubes),
    "createInstrumentPreview": lambda w, x: ProcessingContext.createInstrumentPreview(x),
    "createInstrumentRecording": lambda w, x: ProcessingContext.createInstrumentRecording(x),
    "createInstrumentProcessing": lambda w, x: ProcessingContext.createInstrumentProcessing(
        x, w.model
    ),
    "setSourceData": lambda w, x: w.context.setSourceData(x),
    "outputSinkData": lambda w, x: w.context.outputSinkData(x),
    "outputSinkMetaInfo": lambda w, x: w.context.outputSinkMetaInfo(x),
    "findOutputSink": lambda w, x: w.context.findOutputSink(x),
    "createMeasurementHSICube": lambda w, x: createMeasurementHSICube(x),
    "loadMeasurementList": lambda w, x: loadMeasurementList(w.handle, "ENVI", x),
    "loadMeasurementList format": lambda w, x: loadMeasurementList(w.handle, x, "x.hdr"),
    "saveMeasurementList": lambda w, x: saveMeasurementList(x, "ENVI", w.folder / "x.hdr"),
    "setSetting value": lambda w, x: CalibrationInfo().setSetting(PIXEL, x, "mm"),
    "setSetting unit": lambda w, x: CalibrationInfo().setSetting(PIXEL, 1, x),
    "setSetting type": lambda w, x: CalibrationInfo().setSetting(x, 1, "mm"),
    "setWhiteReferenceReflectivity": lambda w, x: CalibrationInfo().setWhiteReferenceReflectivity(
        x, x, "nm"
    ),
    "convert_length": lambda w, x: convert_length(1, x, "mm"),
    "enumerateDevices type": lambda w, x: enumerateDevices(w.handle, x, 0),
    "enumerateDevices timeout": lambda w, x: enumerateDevices(
        w.handle, 2, x if not isinstance(x, int | float) else -1
    ),
    "DeviceGroup": lambda w, x: DeviceGroup(w.handle, x),
    "ConnectionSettings name": lambda w, x: DeviceGroup(w.handle, ConnectionSettings(x, 0, b"")),  # type: ignore[arg-type]
    "ConnectionSettings id": lambda w, x: DeviceGroup(
        w.handle,
        ConnectionSettings("pattern", 0, 5 if isinstance(x, bytes) else x),  # type: ignore[arg-type]
    ),
    "ParameterInfo": lambda w, x: ParameterInfo([]).parameter(x),
    "importReference": lambda w, x: importReference(x, "x.fluxref"),
    "exportReference": lambda w, x: exportReference(x, x, "x.fluxref"),
}


def _cube(world: World, **changes: Any) -> ProcessingContext:
    given = {"order": BIP, "dtype": np.float32, "shape": (2, 3, 4)} | changes
    order, dtype, shape = given.pop("order"), given.pop("dtype"), given.pop("shape")
    return ProcessingContext.createHSICube(world.cubes, order, dtype, shape, **given)


def _white(x: Any) -> ReferenceInfo:
    return ReferenceInfo(whiteReference=x)


def _type(x: Any) -> ReferenceInfo:
    return ReferenceInfo(valueType=x)


@contextmanager
def refusing_clearly() -> Iterator[None]:
    """Let only those errors pass that are as they are published to be."""
    refused: BaseException | None = None
    try:
        yield
    except RuntimeError as error:
        refused = error
    if refused is not None:
        assert isinstance(refused, EngineError), repr(refused)
        assert refused.code
        assert str(refused)


@pytest.mark.parametrize("name", CALLS)
@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(thing=things)
def test_fuzz_every_error_of_a_call_is_a_runtime_error_with_a_code(
    world: World, name: str, thing: Any
) -> None:
    with refusing_clearly():
        CALLS[name](world, thing)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(thing=few)
def test_fuzz_a_number_of_threads(world: World, thing: Any) -> None:
    with refusing_clearly():
        world.handle.createProcessingThreads(thing)
    world.handle.stopProcessingThreads()
