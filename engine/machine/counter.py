"""Count from many threads, and raise from where only an expression may stand."""

import logging
import threading
from typing import Any, NoReturn

from engine.errors import InvalidArgumentError

__all__ = ("Counter", "raiser")

log = logging.getLogger(__name__)


class Counter:
    """Count things from any number of threads, and log the count now and then.

    A message appears each time a multiple of `print_every` was reached or passed, once per
    increment however many multiples it passed.

    Parameters
    ----------
    print_every : at least 1.
    print_message : what is logged (INFO); ``{}`` stands for the count.
    """

    def __init__(self, print_every: int = 10, print_message: str = "Count: {}") -> None:
        if print_every < 1:
            raise InvalidArgumentError(f"print_every must be at least 1, not {print_every}")
        self._every = print_every
        self._message = print_message
        self._lock = threading.Lock()
        self.count = 0

    def increment(self, inc: int = 1) -> None:
        """Add `inc` to the count."""
        with self._lock:
            before = self.count
            self.count = after = before + inc
        if after // self._every > before // self._every:
            log.info("%s", self._message.format(after))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def raiser(e: BaseException) -> NoReturn:
    """Raise `e`, for example as ``pool.apply_async(f, error_callback=raiser)``."""
    raise e
