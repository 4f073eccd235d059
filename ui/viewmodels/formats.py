"""Figures as people read them."""

import os
from pathlib import Path

from engine.config import Task
from engine.protocol import TensorInfo

__all__ = (
    "format_bytes",
    "format_ms",
    "format_rate",
    "format_shape",
    "shorten_path",
    "task_word",
)

_TASK_WORDS = {
    Task.CLASSIFY: "classification",
    Task.DETECT: "object detection",
    Task.FACES: "face detection",
    Task.SEGMENT: "segmentation",
    Task.SPECTRAL: "spectral classes",
    Task.TENSOR: "raw tensors",
}


def format_bytes(size: int) -> str:
    """Return a size with a unit: "512 B", "18.2 MB"."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"
    return f"{size} B"


def format_rate(rate_hz: float, *, is_line: bool = False) -> str:
    """Return a rate: "29.9 fps", "60.0 l/s" for lines."""
    return f"{rate_hz:.1f} {'l/s' if is_line else 'fps'}"


def format_ms(duration_ms: float) -> str:
    """Return a duration with three figures: "8.42 ms", "22.1 ms", "140 ms"."""
    if duration_ms < 9.995:
        return f"{duration_ms:.2f} ms"
    return f"{duration_ms:.1f} ms" if duration_ms < 99.95 else f"{duration_ms:.0f} ms"


def format_shape(tensor: TensorInfo) -> str:
    """Return shape and type of a tensor: "1 x 3 x 224 x 224 float32"."""
    sizes = " \u00d7 ".join(str(size) if size else "?" for size in tensor.shape) or "scalar"
    return f"{sizes} {tensor.dtype}"


def task_word(task: Task) -> str:
    """Return what a program of this task does, in two words."""
    return _TASK_WORDS[task]


def shorten_path(path: str, folder: str) -> str:
    """Return a path relative to `folder` when it lies inside, else unchanged."""
    if not folder or not Path(path).is_absolute():
        return path
    relative = os.path.relpath(path, folder)
    return path if relative.startswith("..") else relative
