"""Where results go in a call: to the consumer's hooks."""

from collections.abc import Callable
from typing import Any, Protocol

from engine.runner._progress import Reporter
from engine.runner._sink_api import Batch, Settle
from engine.runner.errors import ItemError

__all__ = ("ConsumerHooks", "HookSink", "value_of")


class ConsumerHooks(Protocol):
    """The three hooks that run in the caller's process."""

    @staticmethod
    def consumer_init(cfg: Any) -> object:  # noqa: ANN401
        """Begin."""

    @staticmethod
    def consumer_work(cfg: Any, data: Any) -> object:  # noqa: ANN401
        """Take one result."""

    @staticmethod
    def consumer_end(cfg: Any) -> Any:  # noqa: ANN401
        """End."""


class HookSink:
    """Calls the consumer's hooks; what the last one returns is the result of the call."""

    raises_in_place = False

    def __init__(
        self, hooks: type[ConsumerHooks], fresh_cfg: Callable[[], Any], reporter: Reporter
    ) -> None:
        self.result: Any = None
        self._hooks = hooks
        self._fresh_cfg = fresh_cfg
        self._reporter = reporter
        self._cfg: Any = None
        self._done = 0

    def begin(self) -> None:
        """Call the first hook."""
        self._cfg = self._fresh_cfg()
        self._hooks.consumer_init(self._cfg)

    def deliver(self, batch: Batch, is_stopped: Callable[[], bool], settle: Settle) -> None:
        """Call the hook for each result; failures that came this far are skipped."""
        work, cfg, skipped = self._hooks.consumer_work, self._cfg, 0
        if batch.is_plain:
            for value in batch.results:
                if is_stopped():
                    return
                work(cfg, value)
        else:
            for index, entry in enumerate(batch.results):
                if is_stopped():
                    return
                if type(entry) is list:
                    skipped += 1
                else:
                    work(cfg, value_of(batch, index))
        settle(len(batch), skipped)
        self._done += len(batch)
        self._reporter.reached(self._done)

    def end(self) -> None:
        """Call the last hook."""
        self._reporter.reached(self._done, is_last=True)
        self.result = self._hooks.consumer_end(self._cfg)

    def over(self) -> None:
        """Let go of the consumer's configuration."""
        self._cfg = None


def value_of(batch: Batch, index: int) -> Any:  # noqa: ANN401 - any object of the user
    """Return a result as the user gets it.

    Raises
    ------
    ItemError : it cannot be unpickled.
    """
    arrived, item = batch.arrived, batch.first + index
    try:
        return arrived.decode(batch.results[index])
    except Exception as error:
        raise ItemError.chained(
            f"the result of {arrived.place(item)} cannot be unpickled: {error}; "
            "return plain data or arrays, or give the class a picklable state",
            error,
            item=item,
        ) from error
