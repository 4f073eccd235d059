"""Pictures as cameras send them, against oracles in plain NumPy."""

from typing import Any

import numpy as np
import pytest

from engine.drivers.pixel_formats import (
    PIXEL_FORMATS,
    bytes_needed,
    check_pixel_format,
    to_rgb,
)
from engine.errors import MediaError

HEIGHT, WIDTH = 6, 8
Array = np.ndarray[Any, Any]


def converted(name: str, data: Array, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Array:
    out = np.full((*shape, 3), 77, np.uint8)
    to_rgb(name, np.ascontiguousarray(data).view(np.uint8).reshape(-1), out)
    return out


def gray(bits: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Array:
    return np.random.default_rng(bits).integers(0, 2**bits, shape, np.uint32)


def shown(values: Array, bits: int) -> Array:
    return np.repeat((values >> (bits - 8)).astype(np.uint8)[..., None], 3, axis=2)


def packed(values: Array, bits: int) -> Array:
    """Lay values bit after bit, lowest first, as the names that end in p say."""
    flat = [(int(value) >> bit) & 1 for value in values.reshape(-1) for bit in range(bits)]
    return np.packbits(np.array(flat, np.uint8), bitorder="little")


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_gray_keeps_its_upper_bits(bits: int) -> None:
    values = gray(bits)
    data = values.astype(np.uint8 if bits == 8 else "<u2")
    np.testing.assert_array_equal(converted(f"Mono{bits}", data), shown(values, bits))


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("shape", [(6, 8), (3, 5)])
def test_packed_gray_is_unpacked(bits: int, shape: tuple[int, int]) -> None:
    values = gray(bits, shape)
    found = converted(f"Mono{bits}p", packed(values, bits), shape)
    np.testing.assert_array_equal(found, shown(values, bits))


@pytest.mark.parametrize("shape", [(6, 8), (3, 5)])
def test_pairs_in_three_bytes_are_unpacked(shape: tuple[int, int]) -> None:
    values = gray(12, shape).reshape(-1)
    data: list[int] = []
    for first, second in zip(values[::2], [*values[1::2], 0], strict=False):
        data += [int(first) >> 4, (int(first) & 15) | (int(second) & 15) << 4, int(second) >> 4]
    found = converted("Mono12Packed", np.array(data, np.uint8), shape)
    np.testing.assert_array_equal(found, shown(values.reshape(shape), 12))


@pytest.mark.parametrize(
    ("name", "order"),
    [("RGB8", [0, 1, 2]), ("BGR8", [2, 1, 0]), ("RGBa8", [0, 1, 2, 3]), ("BGRa8", [2, 1, 0, 3])],
)
def test_colors_come_out_red_first(name: str, order: list[int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    found = converted(name, picture[..., order])
    np.testing.assert_array_equal(found, picture[..., :3])


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("order", ["RG", "GR", "GB", "BG"])
def test_a_mosaic_of_one_color_is_that_color(order: str, bits: int) -> None:
    color = {"R": 200, "G": 100, "B": 50}
    second = {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[order]
    tile = np.array([[color[c] for c in order], [color[c] for c in second]], np.uint32)
    mosaic = np.tile(tile, (HEIGHT, WIDTH)) << (bits - 8)
    data = mosaic.astype(np.uint8 if bits == 8 else "<u2")
    found = converted(f"Bayer{order}{bits}", data, (2 * HEIGHT, 2 * WIDTH))
    assert (found[2:-2, 2:-2] == (200, 100, 50)).all()


@pytest.mark.parametrize(("name", "places"), [("YUV422_8", (0, 1)), ("YUV422_8_UYVY", (1, 0))])
def test_a_gray_picture_in_yuv_is_gray(name: str, places: tuple[int, int]) -> None:
    data = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    data[..., places[0]] = 126  # brightness, of 16 to 235
    data[..., places[1]] = 128  # no color
    found = converted(name, data)
    assert np.abs(found.astype(int) - 128).max() <= 1


def test_more_bytes_than_the_picture_has_do_not_matter() -> None:
    values = gray(8).astype(np.uint8)
    data = np.append(values.reshape(-1), np.zeros(100, np.uint8))
    np.testing.assert_array_equal(converted("Mono8", data), shown(values, 8))


def test_the_size_of_a_picture_counts_its_bits() -> None:
    assert bytes_needed("Mono8", 5, 3) == 15
    assert bytes_needed("Mono12p", 5, 3) == 23
    assert bytes_needed("Mono10p", 5, 3) == 19
    assert bytes_needed("RGBa8", 5, 3) == 60


def test_a_format_that_cannot_be_shown_is_named_with_those_that_can() -> None:
    with pytest.raises(MediaError, match=r"Coord3D_ABC32f.*Mono8"):
        check_pixel_format("Coord3D_ABC32f", device="camera 1")
    for name in PIXEL_FORMATS:
        check_pixel_format(name, device="camera 1")
