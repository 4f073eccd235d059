"""Keep native libraries in a worker to one thread each: the workers are what runs in parallel."""

import contextlib
import ctypes
import os
import re
from collections.abc import Mapping
from pathlib import Path

from engine.process.forking import loaded_opencv

__all__ = ("ONE_THREAD", "limit_native_threads")

ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    (
        "BLIS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "OPENCV_FOR_THREADS_NUM",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
"""Environment of a worker, for libraries that are loaded later."""

_SETTERS = {
    "openblas": tuple(
        f"{prefix}openblas_set_num_threads{suffix}"
        for prefix in ("", "scipy_")
        for suffix in ("", "64_", "_64")
    ),
    "mkl_rt": ("MKL_Set_Num_Threads",),
    "blis": ("bli_thread_set_num_threads",),
    "gomp": ("omp_set_num_threads",),
    "iomp5": ("omp_set_num_threads",),
    "libomp": ("omp_set_num_threads",),
}
_LIBRARY = re.compile(r"(/\S.*\.(?:so|dylib)[^/\s]*)$", re.MULTILINE)


def limit_native_threads() -> None:
    """Limit libraries that are loaded already (by a fork, or the main program), and later ones."""
    os.environ.update(ONE_THREAD)
    for path in _loaded_libraries():
        for word, names in _SETTERS.items():
            if word in Path(path).name.lower():
                _call_first(path, names)
    cv2 = loaded_opencv()
    if cv2 is not None:
        cv2.setNumThreads(1)


def _loaded_libraries() -> set[str]:
    try:
        maps = Path("/proc/self/maps").read_text("utf-8", "replace")
    except OSError:
        return set()  # elsewhere only the environment speaks
    return set(_LIBRARY.findall(maps))


def _call_first(path: str, names: tuple[str, ...]) -> None:
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(path)
        for name in names:
            setter = getattr(library, name, None)
            if setter is not None:
                setter(1)
                return
