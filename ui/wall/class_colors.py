"""Colors of classes: the same name has the same color, and neighbors stay apart for every eye.

The 24 colors were chosen greedily for the largest distance as seen with normal vision and with
each of the three kinds of color blindness; the first six are those of Okabe and Ito.
"""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ui.shell.tokens import contrast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ("CLASS_COLORS", "NO_CLASS", "ClassColors", "text_on")

CLASS_COLORS = (
    "#56B4E9", "#E69F00", "#009E73", "#F0E442", "#D55E00", "#CC79A7",
    "#693AD4", "#76FEF6", "#A02A83", "#B8CAA8", "#8D73F0", "#795D46",
    "#BA51B4", "#8ED9FE", "#BAF9AC", "#CAA0A5", "#76C365", "#896D86",
    "#3ACED6", "#7A92E1", "#961DAE", "#ECCA6C", "#B32517", "#665BF3",
)  # fmt: skip

NO_CLASS = 255
"""Class number of a pixel without a class."""

_NOTHING = frozenset({"", "background", "no class", "none", "unlabeled", "unlabelled", "void"})


class ClassColors:
    """Gives every class of a program its color.

    Each label takes the color its name asks for; a label whose color is taken already gets the
    next free one, so that up to 24 classes of one program never share a color.

    Parameters
    ----------
    labels : the program's labels by class number; other names may be asked for as well.
    """

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self._labels = tuple(labels)
        self._by_name: dict[str, str] = {}
        free = set(range(len(CLASS_COLORS)))
        for label in self._labels:
            if label in self._by_name or is_nothing(label):
                continue
            slot = _slot(label)
            while free and slot not in free:
                slot = (slot + 1) % len(CLASS_COLORS)
            free.discard(slot)
            self._by_name[label] = CLASS_COLORS[slot]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels by class number."""
        return self._labels

    def color(self, name: str) -> str:
        """Return the color of the class with that name as "#RRGGBB"."""
        return self._by_name.get(name) or CLASS_COLORS[_slot(name)]

    def table(self, opacity: float) -> "NDArray[np.uint32]":
        """Return the pixel value of each class number, as premultiplied ARGB.

        Parameters
        ----------
        opacity : 0 (invisible) to 1; "no class" and background are always invisible.

        Returns
        -------
        ndarray, shape (256,), uint32
        """
        import numpy as np  # noqa: PLC0415 - start-up time: the window is shown without it

        table = np.zeros(256, np.uint32)
        for index in range(NO_CLASS):
            name = self._labels[index] if index < len(self._labels) else f"class {index}"
            if not is_nothing(name):
                table[index] = _premultiplied(self.color(name), opacity)
        return table


def is_nothing(label: str) -> bool:
    """Return whether a label stands for "nothing of interest here"."""
    return label.strip().lower() in _NOTHING


def text_on(color: str) -> str:
    """Return the color, black or white, that reads best on a color; at least 4.5:1."""
    return max("#000000", "#FFFFFF", key=lambda ink: contrast(ink, color))


def _slot(name: str) -> int:
    return zlib.crc32(name.encode()) % len(CLASS_COLORS)


def _premultiplied(color: str, opacity: float) -> int:
    parts = (round(int(color[i : i + 2], 16) * opacity) for i in (1, 3, 5))
    red, green, blue = parts
    return (round(255 * opacity) << 24) | (red << 16) | (green << 8) | blue
