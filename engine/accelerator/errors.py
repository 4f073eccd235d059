"""Errors of the accelerator classes, each also the built-in error its published API promises."""

from engine.errors import CallbackSignatureError, EngineError, InvalidArgumentError

__all__ = (
    "CallbackTypeError",
    "ExtraModelError",
    "FrameDtypeError",
    "FrameShapeError",
    "FrameTypeError",
    "ModelIndexError",
    "OptionTypeError",
)


class CallbackTypeError(CallbackSignatureError, TypeError):
    """A callback takes the wrong number of arguments, or returned the wrong kind of thing."""

    code = "callback_type"


class ExtraModelError(EngineError, RuntimeError):
    """A pre- or post-processing model cannot be used with the program."""

    code = "extra_model"


class FrameDtypeError(InvalidArgumentError, TypeError, RuntimeError):
    """An array of a frame holds values of the wrong type."""

    code = "frame_dtype"


class FrameShapeError(InvalidArgumentError, RuntimeError):
    """An array of a frame has the wrong shape, or their number is wrong."""

    code = "frame_shape"


class FrameTypeError(InvalidArgumentError, TypeError):
    """What was given as a frame is no array and no sequence of arrays."""

    code = "frame_type"


class ModelIndexError(EngineError, IndexError):
    """The program has no model of that number."""

    code = "model_index"


class OptionTypeError(InvalidArgumentError, TypeError):
    """An argument is of the wrong type."""

    code = "option_type"
