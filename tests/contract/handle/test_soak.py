"""A million lines: memory does not grow with what has gone through.

PENSTOCK_SOAK_LINES says how many lines are replayed; left out, 1,000,000.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine.drivers import catalog
from engine.handle import (
    ConnectionSettings,
    DeviceGroup,
    DriverState,
    DriverType,
    Handle,
    HSICube_StorageOrder,
    Model,
    ProcessingContext,
    PushBroomFrame_StorageOrder,
    ReferenceInfo,
    ValueType,
    createMeasurementHSICube,
    enumerateDevices,
    saveMeasurementList,
)
from resources import resource_path

pytestmark = [pytest.mark.slow, pytest.mark.soak]

Array = np.ndarray[Any, Any]

LINES = int(os.environ.get("PENSTOCK_SOAK_LINES", "1000000"))
DEVICE_LINES = 10_000
SAMPLES = 16
BATCH_COPIES = 20
GROWTH_BYTES = 24 * 1024 * 1024


class Memory:
    """Watches how much memory a process has, from the first tenth of the work on."""

    def __init__(self, process: psutil.Process | None = None) -> None:
        self._process = process or psutil.Process()
        self._first = 0
        self.most_bytes = 0

    def look(self, done: float) -> None:
        """Look at it; `done` is the share of the work that is done, 0..1."""
        size = self._process.memory_info().rss
        if done < 0.1:
            self._first = max(self._first, size)
        self.most_bytes = max(self.most_bytes, size - self._first)


@pytest.fixture
def scene() -> Array:
    cube = np.load(resource_path("demo/media/Indian_pines_corrected.npy"))
    return np.ascontiguousarray(cube[:, :SAMPLES])


@pytest.fixture
def model(handle: Handle, programs: Any, scene: Array) -> Model:
    """Seventeen classes of absorbances at every second wavelength of the scene."""
    bands = scene.shape[2]
    weights = np.random.default_rng(0).normal(size=(bands // 2, 17))
    program = programs.classes((0, 0, bands // 2), weights)
    grid = np.linspace(400, 2500, bands)[:-1:2] + 1
    return Model(handle, program, wavelengths=grid, valueType=ValueType.Absorbance)


def references(scene: Array) -> ReferenceInfo:
    white = np.full((SAMPLES, scene.shape[2]), 12_000, np.uint16)
    return ReferenceInfo(ValueType.Intensity, white, white // 100)


@pytest.mark.timeout(3600)
def test_a_million_lines_leave_memory_as_it_was(handle: Handle, model: Model, scene: Array) -> None:
    handle.createProcessingThreads(2)
    batch = np.concatenate([scene] * BATCH_COPIES)
    context = ProcessingContext.createHSICube(
        model,
        HSICube_StorageOrder.BIP,
        batch.dtype,
        batch.shape,
        wavelengths=np.linspace(400, 2500, scene.shape[2]),
        references=references(scene),
    )
    memory = Memory()
    done, first = 0, None
    while done < LINES:
        context.setSourceData(batch)
        context.processNext()
        done += len(batch)
        first = context.outputSinkData(0).copy() if first is None else first
        memory.look(done / LINES)
    np.testing.assert_array_equal(context.outputSinkData(0), first)
    assert memory.most_bytes < GROWTH_BYTES


def test_a_line_camera_leaves_the_memory_of_both_processes_as_it_was(
    handle: Handle, model: Model, scene: Array, tmp_path: Path
) -> None:
    path = tmp_path / "scene.hdr"
    grid = np.linspace(400, 2500, scene.shape[2])
    found = createMeasurementHSICube(scene, wavelengths=grid, references=references(scene))
    saveMeasurementList(found, "ENVI", path)
    settings = ConnectionSettings(
        "cube-line", DriverType.Instrument, b"", {"path": str(path), "rate_hz": "10000"}
    )
    before = set(psutil.Process().children(recursive=True))
    with DeviceGroup(handle, settings) as group:
        device = group.primaryDevice()
        context = ProcessingContext.createInstrumentProcessing(device, model)
        hosts = set(psutil.Process().children(recursive=True)) - before
        watched = [Memory(), *(Memory(host) for host in hosts)]
        device.startAcquisition()
        done, number = 0, -1
        while done < DEVICE_LINES:
            buffer = device.retrieveBuffer(20_000)
            assert buffer is not None
            assert buffer.number > number
            number = buffer.number
            context.setSourceData(buffer)
            context.processNext()
            device.returnBuffer(buffer)
            done += 1
            if done % 500 == 0:
                for memory in watched:
                    memory.look(done / DEVICE_LINES)
        device.stopAcquisition()
    assert len(watched) > 1
    assert max(memory.most_bytes for memory in watched) < GROWTH_BYTES


DRIVER = """
from engine.drivers import BaseDriver

class Driver(BaseDriver):
    pass
"""


def test_contexts_models_and_enumerations_come_and_go_without_a_trace(
    handle: Handle, programs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setattr(catalog, "BUILTIN_FOLDER", tmp_path / "nothing")
    folder = tmp_path / "drivers" / "one"
    folder.mkdir(parents=True)
    (folder / "manifest.toml").write_text('name = "one"\nlabel = "One"\n')
    (folder / "driver.py").write_text(DRIVER)
    handle.setDriverBaseDirectory(folder.parent)
    program = programs.double((0, 4))
    process, memory = psutil.Process(), Memory()
    frame = np.ones((8, 4), np.float32)
    rounds = 200
    counts = []
    for number in range(rounds):
        context = ProcessingContext(Model(handle, program))
        context.setSourceData(frame)
        context.processNext()
        if number % 20 == 10:
            found = enumerateDevices(handle, -1, 20_000, returnEarly=True)
            assert [driver.state for driver in found.drivers] == [DriverState.OK], found.errors
            counts.append(process.num_fds())
        memory.look(number / rounds)
    assert max(counts[1:]) == counts[1]
    assert memory.most_bytes < GROWTH_BYTES


def test_lines_one_by_one_leave_memory_as_it_was(handle: Handle, programs: Any) -> None:
    context = ProcessingContext.createPushBroomFrame(
        Model(handle, programs.double((1, 0, 4))),
        PushBroomFrame_StorageOrder.LambdaY,
        np.uint16,
        (4, 8),
    )
    memory = Memory()
    line = np.ones((4, 8), np.uint16)
    rounds = 30_000
    for number in range(rounds):
        context.setSourceData(line)
        context.processNext()
        if number % 500 == 0:
            memory.look(number / rounds)
    assert memory.most_bytes < GROWTH_BYTES
