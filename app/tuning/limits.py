"""How far a setting's numbers may be from float32 onnxruntime's."""

import operator
import re
from collections.abc import Callable

import msgspec

from app.tuning.results import Figures
from engine.errors import InvalidArgumentError

__all__ = ("Limit", "parse_limit")

_FORM = re.compile(r"\s*(cosine|top1|difference)\s*(>=|<=)\s*([0-9.eE+-]+)\s*")
_DIRECTIONS = {"cosine": ">=", "top1": ">=", "difference": "<="}
_COMPARE: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}


class Limit(msgspec.Struct, frozen=True):
    """One threshold: `figure` is "cosine", "top1" or "difference"."""

    figure: str
    value: float

    def __str__(self) -> str:
        return f"{self.figure}{_DIRECTIONS[self.figure]}{self.value:g}"

    def refusal(self, figures: Figures) -> str:
        """Say how the figures break the limit, part of a sentence; empty when they keep it.

        A figure that a model's outputs do not have breaks nothing.
        """
        found = {
            "cosine": figures.cosine,
            "top1": figures.top1,
            "difference": figures.max_difference,
        }[self.figure]
        if found is None or _COMPARE[_DIRECTIONS[self.figure]](found, self.value):
            return ""
        return f"{self.figure} {found:.6g}, {self} is asked for"


def parse_limit(text: str) -> Limit:
    """Read a threshold like ``cosine>=0.99``.

    Raises
    ------
    InvalidArgumentError
        When it does not read like that.
    """
    match = _FORM.fullmatch(text)
    try:
        value = float(match[3]) if match else float("nan")
    except ValueError:
        value = float("nan")
    if match is None or value != value or match[2] != _DIRECTIONS[match[1]]:  # noqa: PLR0124 - NaN
        raise InvalidArgumentError(
            f"--parity {text!r} is no threshold; write cosine>=0.99, top1>=0.95 or difference<=0.01"
        )
    return Limit(match[1], value)
