"""Where the model's picture lies in the frame, for every way to fit one to the other."""

import msgspec

from engine.config import ResizeMode
from engine.errors import InvalidArgumentError

__all__ = ("Fit", "Geometry", "Window", "fit")


class Geometry(msgspec.Struct, frozen=True):
    """Map from the model's coordinates to the frame's, both as fractions of width and height.

    ``frame = model * scale + offset``, for each axis on its own.
    """

    scale_x: float = 1.0
    offset_x: float = 0.0
    scale_y: float = 1.0
    offset_y: float = 0.0


class Window(msgspec.Struct, frozen=True):
    """A rectangle in whole pixels."""

    x: int
    y: int
    width: int
    height: int


class Fit(msgspec.Struct, frozen=True):
    """Which part of the frame is scaled to which part of the model's picture.

    Attributes
    ----------
    source : the part of the frame that the model sees.
    width, height : size of that part in the model's picture, whose upper left corner it fills.
    geometry : the way back.
    """

    source: Window
    width: int
    height: int
    geometry: Geometry


def fit(mode: ResizeMode, frame_size: tuple[int, int], model_size: tuple[int, int]) -> Fit:
    """Compute how a frame is fitted to a model; both sizes are (width, height) in pixels.

    Raises
    ------
    InvalidArgumentError
        When `mode` is "none" and the sizes differ.
    """
    (frame_width, frame_height), (width, height) = frame_size, model_size
    whole = Window(0, 0, frame_width, frame_height)
    if mode is ResizeMode.LETTERBOX:
        return _letterbox(whole, width, height)
    if mode is ResizeMode.CROP:
        return _crop(whole, width, height)
    if mode is ResizeMode.NONE and frame_size != model_size:
        raise InvalidArgumentError(
            f"the frame has {frame_width} x {frame_height} pixels and the model wants "
            f'{width} x {height}; set resize to "stretch", "letterbox" or "crop"'
        )
    return Fit(whole, width, height, Geometry())


def _letterbox(whole: Window, width: int, height: int) -> Fit:
    scale = min(width / whole.width, height / whole.height)
    inner_width = min(width, max(1, round(whole.width * scale)))
    inner_height = min(height, max(1, round(whole.height * scale)))
    geometry = Geometry(scale_x=width / inner_width, scale_y=height / inner_height)
    return Fit(whole, inner_width, inner_height, geometry)


def _crop(whole: Window, width: int, height: int) -> Fit:
    scale = max(width / whole.width, height / whole.height)
    cut_width = min(whole.width, max(1, round(width / scale)))
    cut_height = min(whole.height, max(1, round(height / scale)))
    left, top = (whole.width - cut_width) // 2, (whole.height - cut_height) // 2
    geometry = Geometry(
        scale_x=cut_width / whole.width,
        offset_x=left / whole.width,
        scale_y=cut_height / whole.height,
        offset_y=top / whole.height,
    )
    return Fit(Window(left, top, cut_width, cut_height), width, height, geometry)
