"""What a program found in one frame. Geometry is in fractions of the frame's width and height."""

import msgspec

from engine.protocol.frames import Truth

__all__ = (
    "Box",
    "ClassLine",
    "ClassScore",
    "ClassShare",
    "Mask",
    "PreviewMeta",
    "Result",
    "StageTime",
)


class ClassScore(msgspec.Struct, frozen=True):
    """A class of a classification, strongest first; score is 0..1."""

    index: int
    label: str
    score: float


class Box(msgspec.Struct, frozen=True):
    """A detected object; x and y are the upper left corner, all four as fractions (0..1).

    `landmarks` are points x1, y1, x2, y2, ... in fractions: for a face right eye, left eye, nose,
    right and left corner of the mouth.
    """

    index: int
    label: str
    score: float
    x: float
    y: float
    width: float
    height: float
    landmarks: tuple[float, ...] = ()


class ClassShare(msgspec.Struct, frozen=True):
    """How much of a mask or line belongs to a class, 0..1."""

    index: int
    label: str
    share: float


class Mask(msgspec.Struct, frozen=True):
    """A class per pixel: `classes` holds height x width bytes, row by row."""

    width: int
    height: int
    classes: bytes
    shares: tuple[ClassShare, ...] = ()


class ClassLine(msgspec.Struct, frozen=True):
    """A class per pixel of one line: one byte per pixel in `classes` and in `scores` (0..255)."""

    classes: bytes
    scores: bytes = b""
    shares: tuple[ClassShare, ...] = ()


class StageTime(msgspec.Struct, frozen=True):
    """How long one stage took for this frame."""

    stage: str
    duration_ms: float


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that was found in one frame, and when.

    Attributes
    ----------
    stream : name of the stream.
    frame_id : number the source gave the frame, counting from 0.
    captured_at_ns : monotonic time of capture.
    finished_at_ns : monotonic time when the result was complete.
    stages : consecutive stages from capture to finish; their sum is the result's age.
    truth : what the source knew to be in the frame, where it knows.
    """

    stream: str
    frame_id: int
    captured_at_ns: int
    finished_at_ns: int = 0
    classes: tuple[ClassScore, ...] = ()
    boxes: tuple[Box, ...] = ()
    mask: Mask | None = None
    line: ClassLine | None = None
    stages: tuple[StageTime, ...] = ()
    truth: Truth | None = None


class PreviewMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands beside a preview picture: the result of that very frame, and the picture's size.

    The picture is height x width x 4 bytes (blue, green, red, unused); with `has_class_map` a class
    per pixel follows (height x width bytes, 255 = no class).
    """

    result: Result
    width: int
    height: int
    has_class_map: bool = False
