"""How well a compiled model computes what its original computes."""

import math

import msgspec

__all__ = ("DEFAULT_MIN_COSINE", "OutputParity", "Parity")

DEFAULT_MIN_COSINE = 0.99
"""Least cosine between an output and the original's with which a model is accepted."""


class OutputParity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one output compares, over all frames that were tried.

    Attributes
    ----------
    name : the output's name.
    max_difference : largest absolute difference of any value.
    cosine : smallest cosine between the values of a frame, 1 when they point the same way; None
        for whole numbers.
    top1 : share of places, 0..1, where the largest score has the same index; for whole numbers
        share of equal values; None for a single value.
    """

    name: str
    max_difference: float
    cosine: float | None = None
    top1: float | None = None

    def __post_init__(self) -> None:
        for value in (self.max_difference, self.cosine, self.top1):
            if value is not None and not math.isfinite(value):
                raise ValueError("the values of a comparison are finite numbers")

    def __str__(self) -> str:
        parts = [] if self.cosine is None else [f"cosine {self.cosine:.5f}"]
        parts.append(f"differs by at most {self.max_difference:.3g}")
        if self.top1 is not None:
            parts.append(f"top-1 agrees in {self.top1:.1%}")
        return ", ".join(parts)


class Parity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the compiled model was from its original on some frames.

    Attributes
    ----------
    max_difference : largest absolute difference of any output value; None when not checked.
    max_magnitude : largest absolute value that the original computed.
    reason : why it was not checked; empty when it was.
    outputs : the comparison per output.
    against : who executed the original: "reference evaluator" or "onnxruntime".
    frames : how many frames were tried; one random frame where no data was given.
    """

    max_difference: float | None = None
    max_magnitude: float = 0.0
    reason: str = "nobody asked for it"
    outputs: tuple[OutputParity, ...] = ()
    against: str = "reference evaluator"
    frames: int = 1

    def __post_init__(self) -> None:
        if self.max_difference is not None and not math.isfinite(self.max_difference):
            raise ValueError("max_difference is a finite number")
        if not math.isfinite(self.max_magnitude):
            raise ValueError("max_magnitude is a finite number")

    def __str__(self) -> str:
        if self.max_difference is None:
            return f"not checked: {self.reason}"
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        return (
            f"differs by at most {self.max_difference:.3g} (values up to {self.max_magnitude:.3g}; "
            f"{frames} with {self.against})"
        )

    def worst(self, min_cosine: float) -> OutputParity | None:
        """Return the output that is farthest below a cosine, None when all reach it."""
        below = [o for o in self.outputs if o.cosine is not None and o.cosine < min_cosine]
        return min(below, key=lambda output: output.cosine or 0.0, default=None)
