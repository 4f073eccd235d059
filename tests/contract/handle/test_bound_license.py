"""Under a license for certain devices, work needs one of them; saving never does."""

import os
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine.errors import LicenseDeviceError
from engine.handle import (
    ConnectionSettings,
    DeviceGroup,
    DeviceStatus,
    DriverType,
    Handle,
    HSICube_StorageOrder,
    Model,
    ProcessingContext,
    createMeasurementHSICube,
    loadMeasurementList,
    saveMeasurementList,
)
from engine.license import License, new_key_pair, reading, sign_license

CUBE = np.arange(60, dtype=np.uint16).reshape(5, 3, 4)
ONES = np.ones((1, 4), np.float32)


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    """A handle whose license is for the camera called cube-line only."""
    key = new_key_pair()
    monkeypatch.setattr(reading, "default_keys", lambda: {key.key_id: key.public})
    days = (date(2000, 1, 1), date(2999, 1, 1))
    terms = License("a", "Ann", "penstock", *days, ("*",), devices=("cube-line",))
    with Handle(sign_license(terms, key)) as handle:
        yield handle


def connected(handle: Handle, tmp_path: Path) -> DeviceGroup:
    np.save(tmp_path / "cube.npy", CUBE)
    parameters = {"path": str(tmp_path / "cube.npy")}
    settings = ConnectionSettings("cube-line", DriverType.Instrument, b"", parameters)
    return DeviceGroup(handle, settings)


def retrieve_on(device: Any) -> None:
    """Retrieve buffers, more than can be there, until it fails."""
    for _ in range(100_000):
        device.retrieveBuffer(20_000)


def processed(context: ProcessingContext) -> Any:
    context.setSourceData(ONES)
    context.processNext()
    return context.outputSinkData(0)


def test_without_the_camera_nothing_is_loaded(bound: Handle, programs: Any, tmp_path: Path) -> None:
    saveMeasurementList(createMeasurementHSICube(CUBE), "ENVI", tmp_path / "x.hdr")
    for work in (
        lambda: Model(bound, programs.double()),
        lambda: loadMeasurementList(bound, "ENVI", tmp_path / "x.hdr"),
    ):
        with pytest.raises(LicenseDeviceError, match=r"'cube-line'.*connect one") as caught:
            work()
        assert isinstance(caught.value, RuntimeError)


def test_with_the_camera_everything_works(bound: Handle, programs: Any, tmp_path: Path) -> None:
    saveMeasurementList(createMeasurementHSICube(CUBE), "ENVI", tmp_path / "x.hdr")
    with connected(bound, tmp_path):
        assert (processed(ProcessingContext(Model(bound, programs.double()))) == 2).all()
        assert loadMeasurementList(bound, "ENVI", tmp_path / "x.hdr").count() == 1


def test_when_the_camera_is_gone_what_exists_cannot_be_used_but_saved(
    bound: Handle, programs: Any, tmp_path: Path
) -> None:
    group = connected(bound, tmp_path)
    model = Model(bound, programs.double())
    context = ProcessingContext(model)
    cubes = Model(bound, programs.identity((0, 0, 4)))
    processed(context)
    measured = createMeasurementHSICube(CUBE)
    group.disconnect()

    for work in (
        lambda: processed(context),
        lambda: ProcessingContext(model),
        lambda: ProcessingContext.createHSICube(
            cubes, HSICube_StorageOrder.BIP, CUBE.dtype, CUBE.shape
        ),
    ):
        with pytest.raises(LicenseDeviceError):
            work()
    saveMeasurementList(measured, "ENVI", tmp_path / "saved.hdr")
    assert (tmp_path / "saved.raw").read_bytes() == CUBE.tobytes()

    with connected(bound, tmp_path):
        assert (processed(context) == 2).all()


def test_a_camera_whose_driver_has_died_is_not_connected(
    bound: Handle, programs: Any, tmp_path: Path
) -> None:
    before = set(psutil.Process().children())
    with connected(bound, tmp_path) as group:
        context = ProcessingContext(Model(bound, programs.double()))
        device = group.primaryDevice()
        device.startAcquisition()
        for child in set(psutil.Process().children()) - before:
            os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError):
            retrieve_on(device)
        assert device.status is DeviceStatus.Error
        with pytest.raises(LicenseDeviceError):
            processed(context)


def test_a_license_for_any_device_needs_none(handle: Handle, programs: Any) -> None:
    assert (processed(ProcessingContext(Model(handle, programs.double()))) == 2).all()
