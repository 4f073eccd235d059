"""A wait that stays awake for a moment where answers usually come at once."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ("EagerWait",)

Found = TypeVar("Found")

_AWAKE_S = 200e-6
_let_others_go: Callable[[], object] = getattr(os, "sched_yield", lambda: None)


class EagerWait:
    """Looks again and again, for 200 us at most, when the wait before was shorter than that.

    Waking a thread that sleeps costs more than copying a small frame. Who waits longer once sleeps
    the next time, so that slow models cost nothing; in between all other threads may run.
    """

    def __init__(self) -> None:
        self._last_s = _AWAKE_S

    def until(
        self,
        look: Callable[[], Found | None],
        sleep: Callable[[], Found],
        *,
        may_stay_awake: bool = True,
    ) -> Found:
        """Return what `look` finds, else what `sleep` waits for.

        Parameters
        ----------
        look : returns at once, None when nothing is there.
        sleep : waits; has its own deadline if there is one.
        may_stay_awake : False sleeps at once.
        """
        begun = time.perf_counter()
        found: Found | None = None
        if may_stay_awake and self._last_s < _AWAKE_S:
            while (found := look()) is None and time.perf_counter() - begun < _AWAKE_S:
                _let_others_go()
        result = sleep() if found is None else found
        self._last_s = time.perf_counter() - begun
        return result
