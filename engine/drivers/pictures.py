"""Finds and reads image files, for drivers that show them."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.drivers.media import check_file
from engine.errors import MediaError

__all__ = ("Picture", "images_in", "read_picture")

Picture = np.ndarray[Any, np.dtype[np.uint8]]
"""A picture: ndarray, shape (height, width, 3), uint8, channels red, green, blue."""

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def images_in(folder: Path) -> list[Path]:
    """Return the images directly inside a folder, in the order people expect (2 before 10).

    Raises
    ------
    MediaError
        When the folder is missing or has no images.
    """
    try:
        found = [
            path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file()
        ]
    except FileNotFoundError as error:
        raise MediaError(
            f"image folder {folder} does not exist; check the path of the stream's source",
            file=str(folder),
        ) from error
    except OSError as error:
        reason = "it is a file" if isinstance(error, NotADirectoryError) else error.strerror
        raise MediaError(
            f"image folder {folder} cannot be read: {reason}", file=str(folder)
        ) from error
    if not found:
        kinds = ", ".join(_SUFFIXES)
        raise MediaError(f"image folder {folder} has no images ({kinds})", file=str(folder))
    return sorted(found, key=_natural_key)


def read_picture(path: Path) -> Picture:
    """Read an image file as RGB.

    Raises
    ------
    MediaError
        When it is missing, cut off or not an image.
    """
    check_file(path, "image")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise MediaError(
            f"image {path} cannot be read: it is damaged or not an image", file=str(path)
        )
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _natural_key(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
