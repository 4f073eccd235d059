"""A camera that pans and zooms over photographs."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import msgspec
import numpy as np

from engine.config import ParameterValue
from engine.drivers.base import BaseDriver, Frame
from engine.drivers.builtin.pan_zoom.camera import CameraPath, Window
from engine.drivers.builtin.pan_zoom.truth_file import TRUTH_NAME, TruthFile
from engine.drivers.parameters import number, single_path
from engine.drivers.pictures import Picture, images_in, read_picture
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind, Truth, TruthObject

__all__ = ("Driver",)

_OVERSAMPLING = 1.5


class _Scene(msgspec.Struct, frozen=True):
    """A photograph, the camera's path over it, and the objects in it (fractions)."""

    picture: Picture
    path: CameraPath
    objects: tuple[TruthObject, ...]


class Driver(BaseDriver):
    """Looks at one photograph after the other through a window that moves smoothly.

    The path is a function of the frame's number, so that every run shows the same frames.
    """

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Read all photographs and their truth."""
        cv2.setNumThreads(1)
        self._rate_hz = number(parameters, "rate_hz")
        self._size = (int(number(parameters, "width")), int(number(parameters, "height")))
        seconds = number(parameters, "seconds_per_picture")
        self._frames_per_scene = max(1, round(seconds * self._rate_hz))
        self._is_looping = bool(parameters["loop"])
        self._number = 0
        self._scenes = self._read_scenes(parameters)
        return FrameFormat(
            kind=FrameKind.IMAGE,
            shape=(self._size[1], self._size[0], 3),
            dtype="uint8",
            rate_hz=self._rate_hz,
            frame_count=0 if self._is_looping else self._frames_per_scene * len(self._scenes),
        )

    def read(self, out: Frame) -> Truth | None:
        """Take the next picture."""
        frame_number = self._next_number()
        scene = self._scene(frame_number)
        window = scene.path.window(frame_number / self._rate_hz)
        _photograph(scene.picture, window, out)
        return _truth(scene.objects, window)

    def skip(self) -> None:
        """Move on without taking a picture."""
        self._next_number()

    def _next_number(self) -> int:
        frame_number = self._number
        if not self._is_looping and frame_number >= self._frames_per_scene * len(self._scenes):
            raise EndOfStreamError(f"the pan and zoom camera ended after {frame_number} frames")
        self._number += 1
        return frame_number

    def _scene(self, frame_number: int) -> _Scene:
        return self._scenes[frame_number // self._frames_per_scene % len(self._scenes)]

    def _read_scenes(self, parameters: Mapping[str, ParameterValue]) -> list[_Scene]:
        width, height = self._size
        zoom, seed = number(parameters, "zoom"), int(number(parameters, "seed"))
        truth_path = single_path(parameters, "truth") if parameters["truth"] else None
        scenes = []
        for index, path in enumerate(_photographs(parameters["path"])):
            picture = read_picture(path)
            own_height, own_width, _ = picture.shape
            truth = _truth_file(truth_path, path)
            objects = truth.objects_in(path.name, own_width, own_height) if truth else ()
            camera = CameraPath(width / height / (own_width / own_height), zoom, (seed, index))
            scenes.append(_Scene(_reduced(picture, width, height), camera, objects))
        return scenes


def _photographs(value: ParameterValue) -> list[Path]:
    if isinstance(value, list):
        return [Path(str(item)) for item in value]
    path = Path(str(value))
    return images_in(path) if path.is_dir() else [path]


def _truth_file(given: Path | None, photograph: Path) -> TruthFile | None:
    if given is not None:
        return TruthFile(given)
    beside = photograph.parent / TRUTH_NAME
    return TruthFile(beside) if beside.is_file() else None


def _reduced(picture: Picture, width: int, height: int) -> Picture:
    """Shrink a photograph that is much larger than the frame: faster, and without flicker."""
    own_height, own_width, _ = picture.shape
    scale = max(width / own_width, height / own_height) * _OVERSAMPLING
    if scale >= 1.0:
        return picture
    size = (max(1, round(own_width * scale)), max(1, round(own_height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _photograph(picture: Picture, window: Window, out: Frame) -> None:
    """Render what the window shows into `out`.

    Edges are mapped to edges; OpenCV counts from the center of the first pixel, hence the halves.
    """
    height, width, _ = out.shape
    own_height, own_width, _ = picture.shape
    step_x, step_y = window.width * own_width / width, window.height * own_height / height
    mapping = np.array(
        [
            [step_x, 0.0, window.x * own_width + 0.5 * step_x - 0.5],
            [0.0, step_y, window.y * own_height + 0.5 * step_y - 0.5],
        ]
    )
    cv2.warpAffine(
        picture,
        mapping,
        (width, height),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _truth(objects: tuple[TruthObject, ...], window: Window) -> Truth | None:
    """Return the objects of which something is in the frame, with their whole boxes.

    A box may reach beyond the frame, so that its visible share can be told.
    """
    if not objects:
        return None
    seen = []
    for known in objects:
        left, top = window.fraction_of(known.x, known.y)
        right, bottom = window.fraction_of(known.x + known.width, known.y + known.height)
        if right > 0.0 and bottom > 0.0 and left < 1.0 and top < 1.0:
            seen.append(TruthObject(known.label, left, top, right - left, bottom - top))
    return Truth(objects=tuple(seen))
