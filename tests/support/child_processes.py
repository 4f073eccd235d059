"""Which processes this one has started and not ended."""

import psutil

__all__ = ("child_processes",)


def child_processes() -> list[psutil.Process]:
    """Return them, without Python's own keeper of shared things, which lives as long as we do."""
    return [child for child in psutil.Process().children() if not _is_keeper(child)]


def _is_keeper(process: psutil.Process) -> bool:
    try:
        return any("multiprocessing.resource_tracker" in word for word in process.cmdline())
    except psutil.Error:
        return False  # it ended
