"""Options of the accelerator classes: plain dataclasses that callers may change freely."""

from dataclasses import dataclass, field

__all__ = ("ClientOptions", "SchedulerOptions")


@dataclass
class SchedulerOptions:
    """How a device is shared between programs, and how much may wait for it.

    An accelerator copies the options when it is made; changing them later has no effect on it.

    Attributes
    ----------
    frame_limit : frames of one program before another one gets the device; 0 is no limit.
    time_limit : milliseconds before another program gets the device.
    stop_on_empty : give the device away as soon as no frame waits.
    ifmap_queue_size : frames of one model that may wait or be executed at once.
    ofmap_queue_size : results of one model that may wait to be received.
    weight : share of a device beside the weights of its other users; set as an attribute, like
        `priority`, because the published signature does not have them.
    priority : users of a higher one go first; who waits long enough goes too.
    """

    frame_limit: int = 600
    time_limit: int = 0
    stop_on_empty: bool = False
    ifmap_queue_size: int = 16
    ofmap_queue_size: int = 12
    weight: float = field(default=1.0, init=False, repr=False)
    priority: int = field(default=0, init=False, repr=False)


@dataclass
class ClientOptions:
    """How results come back.

    Attributes
    ----------
    smoothing : deliver results evenly, at most `fps_target` per second.
    fps_target : frames per second; 0 leaves the rate alone.
    """

    smoothing: bool = False
    fps_target: float = 0.0
