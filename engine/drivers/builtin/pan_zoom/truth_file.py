"""Reads where known objects are in photographs.

[["street.jpg"]]                # one table per object, named after the photograph's file
label = "car"
box = [812, 430, 96, 51]        # x, y, width, height in pixels; left out: the whole photograph
"""

import tomllib
from pathlib import Path

import msgspec

from engine.errors import MediaError
from engine.protocol import TruthObject

__all__ = ("TRUTH_NAME", "TruthFile")

TRUTH_NAME = "truth.toml"


class _Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    box: tuple[float, float, float, float] | None = None


class TruthFile:
    """The objects of all photographs that one file knows.

    Raises
    ------
    MediaError
        When the file cannot be read or is wrong; the sentence names the place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
            self._known = msgspec.convert(raw, dict[str, tuple[_Known, ...]])
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise MediaError(
                f"truth file {path} cannot be read: {reason}", file=str(path)
            ) from error
        except ValueError as error:  # not UTF-8, not TOML, or not as the struct says
            raise MediaError(f"truth file {path} is wrong: {error}", file=str(path)) from error

    def objects_in(self, name: str, width: int, height: int) -> tuple[TruthObject, ...]:
        """Return the objects of the photograph of that file name, as fractions of its size.

        Parameters
        ----------
        width, height : of the photograph, in pixels.
        """
        return tuple(
            self._object(known, name, width, height) for known in self._known.get(name, ())
        )

    def _object(self, known: _Known, name: str, width: int, height: int) -> TruthObject:
        x, y, w, h = known.box or (0.0, 0.0, width, height)
        if not (w > 0 and h > 0 and x < width and y < height and x + w > 0 and y + h > 0):
            raise MediaError(
                f"truth file {self._path}: the box of {known.label!r} in {name} is empty or "
                f"outside the photograph of {width} x {height} pixels",
                file=str(self._path),
            )
        return TruthObject(known.label, x / width, y / height, w / width, h / height)
