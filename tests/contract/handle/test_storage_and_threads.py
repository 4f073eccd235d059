"""Results do not depend on how a cube is stored, nor on how many threads process it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.handle import (
    Handle,
    HSICube_StorageOrder,
    Model,
    ProcessingContext,
    ProcessingQueueSet,
    PushBroomFrame_StorageOrder,
    ReferenceInfo,
    ValueType,
)

Array = np.ndarray[Any, Any]

AXES = {
    HSICube_StorageOrder.BIP: (0, 1, 2),
    HSICube_StorageOrder.BIL: (0, 2, 1),
    HSICube_StorageOrder.BSQ: (2, 0, 1),
}
BANDS, CLASSES = 6, 4
GRID = tuple(np.linspace(400, 900, BANDS))
MODEL_GRID = (425.0, 601.5, 900.0)


def model_of(handle: Handle, programs: Any) -> Model:
    weights = np.random.default_rng(5).normal(size=(len(MODEL_GRID), CLASSES))
    program = programs.classes((0, 0, len(MODEL_GRID)), weights)
    return Model(handle, program, wavelengths=MODEL_GRID, valueType=ValueType.Absorbance)


def results(
    model: Model,
    order: HSICube_StorageOrder,
    cube: Array,
    white: Array,
    queue_set: ProcessingQueueSet | None = None,
) -> Array:
    """Process a cube (lines, samples, bands) that is stored in an order."""
    stored = np.ascontiguousarray(cube.transpose(AXES[order]))
    reference = np.ascontiguousarray(white.transpose(AXES[order]))
    context = ProcessingContext.createHSICube(
        model,
        order,
        stored.dtype,
        stored.shape,
        wavelengths=GRID,
        references=ReferenceInfo(whiteReference=reference),
        queueSet=queue_set,
    )
    context.setSourceData(stored)
    context.processNext()
    return context.outputSinkData(0).copy()


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    lines=st.integers(1, 4000),
    samples=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float32", "float64"]),
    threads=st.integers(2, 5),
)
def test_property_orders_and_thread_counts_change_no_bit(
    handle: Handle,
    programs: Any,
    lines: int,
    samples: int,
    seed: int,
    dtype: str,
    threads: int,
) -> None:
    random = np.random.default_rng(seed)
    cube = random.integers(0, 200, (lines, samples, BANDS)).astype(dtype)
    white = random.integers(200, 250, (2, samples, BANDS)).astype(dtype)
    model = model_of(handle, programs)
    wanted = results(model, HSICube_StorageOrder.BIP, cube, white)
    with ProcessingQueueSet(handle) as queue_set:
        queue_set.createProcessingThreads(threads)
        for order in AXES:
            found = results(model, order, cube, white, queue_set)
            np.testing.assert_array_equal(found, wanted, strict=True)


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(lines=st.integers(1, 12), samples=st.integers(1, 9), threads=st.integers(1, 3))
def test_property_frames_in_both_orders_are_the_lines_of_the_cube(
    handle: Handle, programs: Any, lines: int, samples: int, threads: int
) -> None:
    random = np.random.default_rng(lines)
    cube = random.integers(1, 200, (lines, samples, BANDS), dtype=np.uint16)
    white = random.integers(200, 250, (2, samples, BANDS), dtype=np.uint16)
    model = model_of(handle, programs)
    wanted = results(model, HSICube_StorageOrder.BIP, cube, white)
    handle.stopProcessingThreads()
    handle.createProcessingThreads(threads)
    for order in PushBroomFrame_StorageOrder:
        is_turned = order is PushBroomFrame_StorageOrder.LambdaY
        frames = cube.swapaxes(1, 2) if is_turned else cube
        reference = white.swapaxes(1, 2) if is_turned else white
        context = ProcessingContext.createPushBroomFrame(
            model,
            order,
            cube.dtype,
            frames.shape[1:],
            wavelengths=GRID,
            references=ReferenceInfo(whiteReference=np.ascontiguousarray(reference)),
        )
        for number, frame in enumerate(frames):
            context.setSourceData(np.ascontiguousarray(frame))
            context.processNext()
            np.testing.assert_array_equal(context.outputSinkData(0)[0], wanted[number])


def test_any_plain_batch_gives_the_same_with_any_number_of_threads(
    handle: Handle, programs: Any
) -> None:
    model = Model(handle, programs.classes((0, 50), np.random.default_rng(1).normal(size=(50, 9))))
    batch = np.random.default_rng(2).random((20_000, 50), np.float32)
    found = []
    for threads in (1, 2, 3, 7):
        handle.stopProcessingThreads()
        handle.createProcessingThreads(threads)
        context = ProcessingContext(model)
        context.setSourceData(batch)
        context.processNext()
        found.append(context.outputSinkData(0).copy())
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@pytest.mark.parametrize("order", AXES)
def test_a_view_of_a_larger_cube_is_as_good_as_a_copy(
    handle: Handle, programs: Any, order: HSICube_StorageOrder
) -> None:
    model = Model(handle, programs.identity((0, 0, BANDS)))
    large = np.random.default_rng(3).random((20, 12, 2 * BANDS), np.float32)
    view = large[3:17:2, ::3, BANDS:]
    stored = view.transpose(AXES[order])
    context = ProcessingContext.createHSICube(model, order, stored.dtype, stored.shape)
    context.setSourceData(stored)
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), view)
