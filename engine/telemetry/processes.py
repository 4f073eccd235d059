"""Measures what the engine's processes use."""

from collections.abc import Mapping

import psutil

from engine.protocol import ProcessFigures

__all__ = ("ProcessSampler",)


class ProcessSampler:
    """Measure processor use and memory of processes between one call and the next.

    Belongs to one thread.
    """

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def sample(self, roles: Mapping[str, int]) -> tuple[ProcessFigures, ...]:
        """Return figures for each process of `roles` (role to pid) that is still there.

        Processor use counts from the previous call; it is 0 the first time a process is seen.
        """
        self._known = {pid: self._known[pid] for pid in roles.values() if pid in self._known}
        figures = [self._one(role, pid) for role, pid in roles.items()]
        return tuple(figure for figure in figures if figure is not None)

    def _one(self, role: str, pid: int) -> ProcessFigures | None:
        try:
            process = self._known.get(pid)
            if process is None or not process.is_running():  # another process may have its number
                process = self._known[pid] = psutil.Process(pid)
            with process.oneshot():
                cpu_percent = process.cpu_percent()
                memory_bytes = process.memory_info().rss
        except (psutil.Error, ValueError, OverflowError):  # it ended, or is a zombie
            self._known.pop(pid, None)
            return None
        return ProcessFigures(role, pid, cpu_percent, memory_bytes)
