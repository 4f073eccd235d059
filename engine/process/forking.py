"""What has to be put to rest while this process forks."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ("loaded_opencv", "without_opencv_threads")


def loaded_opencv() -> Any:  # noqa: ANN401 - a module without types
    """Return the module cv2 when the program has loaded it, else None."""
    cv2 = sys.modules.get("cv2")
    return cv2 if hasattr(cv2, "setNumThreads") else None


@contextlib.contextmanager
def without_opencv_threads() -> Iterator[None]:
    """End OpenCV's threads while this process forks; they start again with its next work.

    A fork copies OpenCV's list of threads but not the threads, so that the new process would wait
    for them for ever as soon as their number is set.
    """
    cv2 = loaded_opencv()
    if cv2 is None:
        yield
        return
    count = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(count)
