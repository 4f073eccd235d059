"""ENVI files and wavelengths of the line camera that plays cubes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.drivers.envi import map_values, open_envi, read_values
from engine.errors import MediaError

Array = np.ndarray[Any, Any]

SHAPE = LINES, PIXELS, BANDS = 4, 5, 3
GRID = (400.5, 500.0, 650.25)
CODES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12, "u4": 13}
AXES = {"bip": (0, 1, 2), "bil": (0, 2, 1), "bsq": (2, 0, 1)}


def write_envi(
    path: Path,
    cube: Array,
    *,
    interleave: str = "bip",
    big: bool = False,
    offset: int = 0,
    more: str = "",
) -> str:
    """Write a file as other programs do, without any of the product's code."""
    lines, samples, bands = cube.shape
    stored = cube.transpose(AXES[interleave]).astype((">" if big else "<") + cube.dtype.str[1:])
    path.with_suffix(".raw").write_bytes(bytes(offset) + stored.tobytes())
    path.write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = {offset}\n"
        f"file type = ENVI Standard\ndata type = {CODES[cube.dtype.str[1:]]}\n"
        f"interleave = {interleave}\nbyte order = {int(big)}\n{more}"
    )
    return str(path)


def cube_of(dtype: str) -> Array:
    return (np.arange(60).reshape(SHAPE) % 120).astype(dtype)


@pytest.mark.parametrize("interleave", AXES)
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("dtype", CODES)
def test_lines_of_an_envi_file_come_one_by_one(
    dtype: str, big: bool, interleave: str, open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    cube = cube_of(dtype)
    path = write_envi(tmp_path / "c.hdr", cube, interleave=interleave, big=big, offset=7)

    camera = open_driver("cube-line", path=path, loop=False)
    lines = camera.frames()

    assert camera.format.dtype == ("uint16" if dtype in ("u1", "u2") else "float32")
    np.testing.assert_array_equal(np.stack(lines), cube)


def test_the_mapped_values_are_those_that_are_read(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "c.hdr", cube_of("u2"), interleave="bsq")
    file = open_envi(Path(path))

    mapped, _ = map_values(file)

    np.testing.assert_array_equal(mapped, read_values(file))


def test_wavelengths_and_value_type_come_with_the_frames(
    open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    more = "wavelength units = Micrometers\nwavelength = { 0.4005, 0.5, 0.65025 }\n"
    path = write_envi(tmp_path / "c.hdr", cube_of("f4"), more=more)

    found = open_driver("cube-line", path=path).format

    assert found.wavelengths_nm == pytest.approx(GRID)
    assert found.value_type == "Reflectance"
    assert (found.white_reference, found.dark_reference) == ("", "")


def test_references_beside_the_file_are_named(
    open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    path = write_envi(tmp_path / "scene.hdr", cube_of("f4"))
    white = write_envi(tmp_path / "scene_White.hdr", cube_of("f4"))
    dark = write_envi(tmp_path / "DARKREF_scene.hdr", cube_of("f4"))

    found = open_driver("cube-line", path=path).format

    assert (found.white_reference, found.dark_reference) == (white, dark)
    assert found.value_type == "Intensity"


def test_what_the_values_are_can_be_said(open_driver: Callable[..., Any], tmp_path: Path) -> None:
    path = write_envi(tmp_path / "c.hdr", cube_of("u2"))
    assert open_driver("cube-line", path=path).format.value_type == "Intensity"
    said = open_driver("cube-line", path=path, value_type="Radiance")
    assert said.format.value_type == "Radiance"


def test_a_numpy_cube_says_nothing_about_its_values(
    open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "c.npy", cube_of("u2"))
    found = open_driver("cube-line", path=str(tmp_path / "c.npy")).format
    assert (found.value_type, found.wavelengths_nm) == ("", ())


@pytest.mark.parametrize("kind", ["npy", "lines", "commas"])
def test_a_numpy_cube_takes_wavelengths_from_a_file(
    kind: str, open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "c.npy", cube_of("u2"))
    path = tmp_path / ("w.npy" if kind == "npy" else "w.txt")
    if kind == "npy":
        np.save(path, np.array(GRID))
    else:
        path.write_text({"lines": "\n", "commas": ", "}[kind].join(map(str, GRID)))

    camera = open_driver("cube-line", path=str(tmp_path / "c.npy"), wavelengths=str(path))

    assert camera.format.wavelengths_nm == GRID


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("400 500", "has 2 numbers for a cube of 3 bands"),
        ("400 500 -600", "one positive number in nm for each band"),
        ("400 500 nan", "one positive number in nm for each band"),
        ("400 500 red", "cannot be read"),
        ("\ufeff", "cannot be read|has 0 numbers"),
    ],
)
def test_wavelengths_that_do_not_fit_are_named(
    text: str, sentence: str, open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "c.npy", cube_of("u2"))
    path = tmp_path / "w.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MediaError, match=sentence) as caught:
        open_driver("cube-line", path=str(tmp_path / "c.npy"), wavelengths=str(path))
    assert str(path) in caught.value.message


def test_too_many_bands_for_wavelengths_are_refused(
    open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "c.npy", np.zeros((1, 1, 5001), np.uint8))
    np.save(tmp_path / "w.npy", np.arange(1.0, 5002))
    with pytest.raises(MediaError, match="at most 5000"):
        open_driver("cube-line", path=str(tmp_path / "c.npy"), wavelengths=str(tmp_path / "w.npy"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda path: path.with_suffix(".raw").unlink(), "no data file beside"),
        (lambda path: path.with_suffix(".raw").write_bytes(b"12"), "cut off"),
        (lambda path: path.write_text("something else"), "does not begin with ENVI"),
        (lambda path: path.unlink(), "does not exist"),
    ],
)
def test_an_envi_file_that_cannot_be_played_is_named(
    change: Any, sentence: str, open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    path = Path(write_envi(tmp_path / "c.hdr", cube_of("u2")))
    change(path)
    with pytest.raises(MediaError, match=sentence):
        open_driver("cube-line", path=str(path))


def test_playing_a_large_file_keeps_memory_bounded(
    open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    """400 MB are played; without letting go, all of them would be counted as this process's."""
    lines, pixels, bands = 1000, 1000, 200
    path = tmp_path / "large.hdr"
    write_envi(path, np.zeros((1, pixels, bands), np.uint16))
    path.write_text(path.read_text().replace("lines = 1\n", f"lines = {lines}\n"))
    with path.with_suffix(".raw").open("r+b") as file:
        file.truncate(lines * pixels * bands * 2)  # a file with a hole takes no disk
    camera = open_driver("cube-line", path=str(path), loop=False)
    out = np.empty((pixels, bands), np.uint16)
    most = 0
    before = file_kib()
    for line in range(lines):
        camera.driver.read(out)
        if line % 20 == 0:
            most = max(most, file_kib() - before)
    assert most < 150 * 1024


def file_kib() -> int:
    """Return how much of this process's memory is files, in KiB."""
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith("RssFile:"):
            return int(row.split()[1])
    raise AssertionError("there is no RssFile")
