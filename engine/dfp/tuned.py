"""How a program runs best on a machine, as `penstock tune` found out."""

import math

import msgspec

__all__ = ("Tuned",)

_MOST = 256


class Tuned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The setting with which a program runs where nobody chooses another one.

    Attributes
    ----------
    plugin : key of the processing plugin; where it does not work, the program runs as if it
        had never been tuned.
    precision : the number format that the plugin computes in.
    is_quantized : whether the program's graphs were turned into INT8 ones for this.
    lanes : frames executed at once.
    threads_per_lane : threads that execute one frame.
    rate_hz : frames per second that were measured.
    untuned_hz : frames per second of the program as it was, measured beside it.
    cosine, max_difference, top1 : the worst of all outputs beside float32 onnxruntime.
    limits : what the numbers had to keep, for example "cosine>=0.99".
    processor : where it was measured.
    """

    plugin: str
    precision: str = ""
    is_quantized: bool = False
    lanes: int = 0
    threads_per_lane: int = 1
    rate_hz: float = 0.0
    untuned_hz: float = 0.0
    cosine: float | None = None
    max_difference: float | None = None
    top1: float | None = None
    limits: tuple[str, ...] = ()
    processor: str = ""

    def __post_init__(self) -> None:
        if not self.plugin or len(self.plugin) > 100 or not self.plugin.isprintable():
            raise ValueError("tuned names a plugin by its key")
        if not 0 <= self.lanes <= _MOST or not 1 <= self.threads_per_lane <= _MOST:
            raise ValueError(f"tuned has at most {_MOST} lanes, and 1 to {_MOST} threads each")
        figures = (self.rate_hz, self.untuned_hz, self.cosine, self.max_difference, self.top1)
        if any(value is not None and not math.isfinite(value) for value in figures):
            raise ValueError("the figures of tuned are finite numbers")

    def __str__(self) -> str:
        numbers = "INT8" if self.is_quantized else self.precision
        gain = f", {self.rate_hz / self.untuned_hz:.2f} x untuned" if self.untuned_hz else ""
        threads = "1 thread" if self.threads_per_lane == 1 else f"{self.threads_per_lane} threads"
        lanes = "1 lane" if self.lanes == 1 else f"{self.lanes or 'all'} lanes"
        return (
            f"{self.plugin} ({numbers}), {lanes} of {threads}: {self.rate_hz:.1f} frames/s{gain}"
            + (f" on {self.processor}" if self.processor else "")
        )
