"""ENVI files against the library `spectral`: each reads what the other has written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.drivers.envi import map_values, open_envi
from engine.handle import (
    Handle,
    ReferenceInfo,
    ValueType,
    createMeasurementHSICube,
    loadMeasurementList,
    saveMeasurementList,
)

spectral = pytest.importorskip("spectral", reason="the extra hyperspectral is not installed")

Array = np.ndarray[Any, Any]

SHAPE = LINES, SAMPLES, BANDS = 7, 5, 4
GRID = [401.5, 502.0, 603.25, 704.0]
DTYPES = ("uint8", "int16", "int32", "float32", "float64", "uint16", "uint32", "int64", "uint64")


def cube_of(dtype: str) -> Array:
    return np.random.default_rng(1).integers(0, 120, SHAPE).astype(dtype)


@pytest.mark.parametrize("interleave", ["bip", "bil", "bsq"])
@pytest.mark.parametrize("byteorder", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_the_library_writes_is_read(
    handle: Handle, tmp_path: Path, dtype: str, byteorder: int, interleave: str
) -> None:
    cube = cube_of(dtype)
    path = tmp_path / "x.hdr"
    spectral.envi.save_image(
        str(path),
        cube,
        dtype=dtype,
        interleave=interleave,
        byteorder=byteorder,
        metadata={"wavelength": GRID, "wavelength units": "nm"},
    )

    found = loadMeasurementList(handle, "ENVI", path)

    np.testing.assert_array_equal(found.data(0), cube)
    assert found.data(0).dtype == np.dtype(dtype)
    assert found.wavelengths(0).tolist() == pytest.approx(GRID)
    mapped, _ = map_values(open_envi(path))
    np.testing.assert_array_equal(mapped, cube)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_library_reads_what_is_written(tmp_path: Path, dtype: str) -> None:
    cube = cube_of(dtype)
    white = cube.max(axis=(0, 1)) + np.ones((2, SAMPLES, BANDS), dtype)
    references = ReferenceInfo(ValueType.Intensity, whiteReference=white.astype(dtype))
    path = tmp_path / "x.hdr"
    made = createMeasurementHSICube(cube, wavelengths=GRID, references=references)
    saveMeasurementList(made, "ENVI", path)

    found = spectral.envi.open(str(path), str(path.with_suffix(".raw")))

    np.testing.assert_array_equal(np.asarray(found.open_memmap()), cube)
    assert found.bands.centers == pytest.approx(GRID)
    beside = tmp_path / "x_White.hdr"
    reference = spectral.envi.open(str(beside), str(beside.with_suffix(".raw")))
    np.testing.assert_array_equal(np.asarray(reference.open_memmap()), white)
