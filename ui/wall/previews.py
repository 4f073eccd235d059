"""What the wall needs from whoever delivers pictures: the newest one of each stream."""

from typing import TYPE_CHECKING, Protocol

from engine.protocol import Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ("Preview", "PreviewSource")


class Preview(Protocol):
    """A picture of a stream with the result of the same frame.

    Attributes
    ----------
    sequence : grows with every picture of the stream.
    result : what was found in the frame the picture shows.
    picture : ndarray, shape (height, width, 4), uint8, blue, green, red, unused; nobody writes to
        it again.
    class_map : ndarray, shape (height, width), uint8, or None
        Class per pixel of a line camera's picture; 255 is "no class".
    """

    @property
    def sequence(self) -> int:
        """Return the number that grows with every picture of the stream."""
        ...

    @property
    def result(self) -> Result:
        """Return what was found in the frame."""
        ...

    @property
    def picture(self) -> "NDArray[np.uint8]":
        """Return the pixels: blue, green, red, unused."""
        ...

    @property
    def class_map(self) -> "NDArray[np.uint8] | None":
        """Return the class of each pixel of a line camera's picture."""
        ...


class PreviewSource(Protocol):
    """Where the newest picture of a stream comes from."""

    def read(self, stream: str) -> Preview | None:
        """Return the newest picture that was not read before, or None; never waits."""
        ...
