"""What the manager notes about its clients."""

import time

from engine.manager.line import Line
from engine.manager.status import DeviceFigures

__all__ = ("Client", "Place", "StatusRequest")

_STATUS_S = 1.0


class Client:
    """A connection of a client process."""

    def __init__(self, number: int, line: Line, pid: int) -> None:
        self.number = number
        self.line = line
        self.pid = pid
        self.is_welcome = False
        self.peer = ""  # on whose behalf, for the gateway of other machines
        self.has_programs = False
        self.leaving = 0  # number of its question to be told when it holds nothing


class Place:
    """A client's program on a device; `number` is that of the question not yet answered, or 0."""

    def __init__(self, client: Client, device: int, number: int) -> None:
        self.client = client
        self.device = device
        self.number = number


class StatusRequest:
    """Somebody waits for the status until all workers have answered."""

    def __init__(
        self, client: Client, number: int, figures: list[DeviceFigures], missing: set[int]
    ) -> None:
        self.client = client
        self.number = number
        self.figures = figures
        self.missing = missing
        self.until_s = time.monotonic() + _STATUS_S
