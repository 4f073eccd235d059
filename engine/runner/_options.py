"""What a call is told beside its input."""

from collections.abc import Callable
from math import isfinite
from typing import Any, Literal, get_args

import msgspec

from engine.errors import InvalidArgumentError

__all__ = ("OnError", "ProgressCallback", "RunOptions", "device_list")

OnError = Literal["raise", "skip", "retry"]
ProgressCallback = Callable[[int, int | None], object]
"""Called with how many items are done and how many there are, None when that is not known."""


class RunOptions(msgspec.Struct, frozen=True):
    """How a call goes; see `engine.runner.BaseRunner` for the meaning of each field."""

    queue_scale: float
    timeout: float | None
    on_error: OnError
    retries: int
    progress: bool | ProgressCallback

    def __post_init__(self) -> None:
        if not (self.queue_scale > 0 and isfinite(self.queue_scale)):
            raise InvalidArgumentError(
                f"queue_scale must be a finite number above 0, not {self.queue_scale}; "
                "3.0 keeps every worker busy"
            )
        if self.timeout is not None and not self.timeout > 0:
            raise InvalidArgumentError(
                f"timeout must be more than 0 seconds, not {self.timeout}; None waits without end"
            )
        if self.on_error not in get_args(OnError):
            raise InvalidArgumentError(
                f"on_error {self.on_error!r} is not known; choose 'raise', 'skip' or 'retry'"
            )
        if self.retries < 0:
            raise InvalidArgumentError(f"retries must be 0 or more, not {self.retries}")

    def changed(self, **changes: Any) -> "RunOptions":  # noqa: ANN401 - fields of this struct
        """Return options with those fields replaced that are not None."""
        given = {name: value for name, value in changes.items() if value is not None}
        return msgspec.structs.replace(self, **given) if given else self


def device_list(devices: Any) -> list[Any]:  # noqa: ANN401 - as published: a number or an iterable
    """Return one device per worker: ``"cpu"`` n times for a number, a string as one device.

    Raises
    ------
    InvalidArgumentError : there would be no worker, or `devices` is neither of these.
    """
    if isinstance(devices, str | bytes):
        return [devices]
    if hasattr(type(devices), "__index__"):
        number = int(devices)
        if number < 1:
            raise InvalidArgumentError(f"devices must be at least 1, not {number}")
        return ["cpu"] * number
    try:
        found = list(devices)
    except TypeError:
        raise InvalidArgumentError(
            f"devices must be a number or an iterable of devices, not {devices!r}"
        ) from None
    if not found:
        raise InvalidArgumentError("devices is empty; name at least one")
    return found
