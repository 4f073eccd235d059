from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import EndOfStreamError, MediaError


def _plain(width: int, height: int, color: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    return np.full((height, width, 3), color, np.uint8)


def test_images_come_in_the_order_of_their_numbers(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    for number in (10, 2, 1):
        make_image(tmp_path / f"img{number}.png", _plain(8, 6, (number, 0, 200)))
    (tmp_path / "notes.txt").write_text("not an image")

    images = open_driver("image-folder", path=str(tmp_path), loop=False)

    assert [frame[0, 0].tolist() for frame in images.frames()] == [
        [1, 0, 200],
        [2, 0, 200],
        [10, 0, 200],
    ]
    assert (images.format.shape, images.format.frame_count) == ((6, 8, 3), 3)
    with pytest.raises(EndOfStreamError, match="ended after 3 images"):
        images.driver.skip()


def test_a_wide_image_gets_black_borders_above_and_below(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    make_image(tmp_path / "a.png", _plain(40, 10, (50, 60, 70)))

    frame, _ = open_driver("image-folder", path=str(tmp_path), width=20, height=20).read()

    assert (frame[:7] == 0).all()
    assert (frame[13:] == 0).all()
    assert (frame[8:12] == (50, 60, 70)).all()


def test_looping_and_skipping_count_images(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    for number in range(3):
        make_image(tmp_path / f"{number}.png", _plain(8, 6, (number, 0, 0)))
    images = open_driver("image-folder", path=str(tmp_path))

    seen = [images.read()[0][0, 0, 0]]
    images.driver.skip()
    seen += [images.read()[0][0, 0, 0] for _ in range(3)]

    assert seen == [0, 2, 0, 1]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b"x"), "it is a file"),
        (lambda path: path.mkdir(), "has no images"),
    ],
)
def test_a_folder_without_images_is_named(
    make: Callable[[Path], None], sentence: str, open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    make(folder)

    with pytest.raises(MediaError, match=sentence) as caught:
        open_driver("image-folder", path=str(folder))
    assert str(folder) in caught.value.message


def test_an_image_that_cannot_be_read_is_named(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    make_image(tmp_path / "a.png", _plain(8, 6, (1, 2, 3)))
    (tmp_path / "b.png").write_bytes(b"not a picture")
    images = open_driver("image-folder", path=str(tmp_path))
    images.read()

    with pytest.raises(MediaError, match=r"b\.png cannot be read: it is damaged or not an image"):
        images.read()
