"""Where the camera looks at a time: a smooth path that depends on nothing but numbers."""

import math

import msgspec
import numpy as np

__all__ = ("CameraPath", "Window")

_PERIODS_S = ((9.0, 14.0), (4.0, 6.0))
_ZOOM_PERIOD_S = (11.0, 17.0)
_SHARES = (0.75, 0.25)


class Window(msgspec.Struct, frozen=True):
    """The part of a photograph that the camera sees, as fractions of its width and height."""

    x: float
    y: float
    width: float
    height: float

    def fraction_of(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the photograph (fractions) is in the frame (fractions)."""
        return (x - self.x) / self.width, (y - self.y) / self.height


class CameraPath:
    """Slow swings to the sides, up and down, and in and out, over one photograph.

    Parameters
    ----------
    aspect : width by height of the frame, divided by width by height of the photograph.
    zoom : the camera goes in up to this factor; 1 keeps the largest window that fits.
    seed : two numbers; the same ones give the same path.
    """

    def __init__(self, aspect: float, zoom: float, seed: tuple[int, int]) -> None:
        self._full = (min(1.0, aspect), min(1.0, 1.0 / aspect))
        self._zoom = zoom
        random = np.random.default_rng(seed)
        self._swings = [
            [(random.uniform(*period), random.uniform(0.0, math.tau)) for period in _PERIODS_S]
            for _ in range(2)
        ]
        self._zoom_swing = (random.uniform(*_ZOOM_PERIOD_S), random.uniform(0.0, math.tau))

    def window(self, time_s: float) -> Window:
        """Return what the camera sees at a time; always inside the photograph."""
        period_s, phase = self._zoom_swing
        depth = 0.5 - 0.5 * math.cos(math.tau * time_s / period_s + phase)
        factor = self._zoom**depth  # equal steps look equal
        width, height = self._full[0] / factor, self._full[1] / factor
        x, y = (0.5 + 0.5 * _swing(swing, time_s) for swing in self._swings)
        return Window((1.0 - width) * x, (1.0 - height) * y, width, height)


def _swing(parts: list[tuple[float, float]], time_s: float) -> float:
    """Return a smooth value from -1 to 1."""
    return sum(
        share * math.sin(math.tau * time_s / period_s + phase)
        for share, (period_s, phase) in zip(_SHARES, parts, strict=True)
    )
