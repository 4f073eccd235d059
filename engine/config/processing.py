"""How frames become tensors and tensors become results: settings that a program carries."""

from enum import StrEnum

import msgspec

__all__ = ("Normalization", "PostSettings", "PreSettings", "ResizeMode", "Task")


class Task(StrEnum):
    """What a program's results are."""

    CLASSIFY = "classify"
    DETECT = "detect"
    FACES = "faces"
    SEGMENT = "segment"
    SPECTRAL = "spectral"
    TENSOR = "tensor"


class ResizeMode(StrEnum):
    """How a picture is fitted to the size a model wants."""

    STRETCH = "stretch"
    """Scale both axes independently; nothing is cut, proportions change."""
    LETTERBOX = "letterbox"
    """Keep proportions and fill the rest with zeros on the right and below."""
    CROP = "crop"
    """Keep proportions and cut the longer axis around the center."""
    NONE = "none"
    """The frame already has the model's size."""


class Normalization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``tensor = (value - mean) * scale``, per channel in the model's channel order."""

    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()


class PreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Turns a frame into the model's input tensor.

    Attributes
    ----------
    resize : how the picture is fitted.
    width, height : the size the model gets, in pixels; 0 takes it from the input's shape.
    channels : order of the color channels the model wants: "rgb", "bgr" or "gray".
    layout : "nchw" or "nhwc" for pictures, "lines" for spectra (lines, pixels, bands).
    """

    resize: ResizeMode = ResizeMode.STRETCH
    width: int = 0
    height: int = 0
    channels: str = "rgb"
    layout: str = "nchw"
    normalization: Normalization = Normalization()

    def __post_init__(self) -> None:
        if self.channels not in ("rgb", "bgr", "gray"):
            raise ValueError(f'channels is "rgb", "bgr" or "gray", not {self.channels!r}')
        if self.layout not in ("nchw", "nhwc", "lines"):
            raise ValueError(f'layout is "nchw", "nhwc" or "lines", not {self.layout!r}')
        if self.width < 0 or self.height < 0:
            raise ValueError("width and height are 0 or more pixels")


class PostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Turns output tensors into results.

    Attributes
    ----------
    threshold : lowest score that counts, 0..1.
    max_results : at most that many classes or boxes.
    iou : overlap above which the weaker of two boxes is removed (0..1), where the model has no NMS.
    outputs : which output tensor plays which role, by name (roles depend on the task:
        detect = boxes, classes, scores, count; faces take their names from the strides;
        classify, segment, spectral = scores).
    apply_softmax : the scores are logits.
    label_offset : added to a class index before the label is looked up.
    """

    threshold: float = 0.5
    max_results: int = 10
    iou: float = 0.3
    outputs: dict[str, str] = {}
    apply_softmax: bool = False
    label_offset: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold is 0 to 1, not {self.threshold}")
        if not 0.0 <= self.iou <= 1.0:
            raise ValueError(f"iou is 0 to 1, not {self.iou}")
        if not 1 <= self.max_results <= 1000:
            raise ValueError(f"max_results is 1 to 1000, not {self.max_results}")
