"""What tuning finds; the same structure is printed as a table and as JSON."""

import msgspec

__all__ = ("Figures", "Row", "Setting", "TuneResult")


class Setting(msgspec.Struct, frozen=True):
    """One way to run a program.

    Attributes
    ----------
    plugin, precision : the plugin's key, and the number format that it computes in.
    is_quantized : whether weights and activations are INT8.
    lanes : frames executed at once.
    threads : threads that execute one frame.
    """

    plugin: str
    precision: str = "float32"
    is_quantized: bool = False
    lanes: int = 1
    threads: int = 1

    @property
    def numbers(self) -> str:
        """The number format as people say it."""
        return "int8" if self.is_quantized else self.precision


class Figures(msgspec.Struct, frozen=True):
    """How a setting did; the numbers are the worst of all outputs, None where they have none.

    `rate_hz` is frames per second, `latency_ms` the median time that one execution took.
    """

    rate_hz: float = 0.0
    latency_ms: float = 0.0
    cosine: float | None = None
    max_difference: float | None = None
    top1: float | None = None


class Row(msgspec.Struct, frozen=True):
    """One setting that was tried; `problem` says why it cannot be chosen."""

    setting: Setting
    figures: Figures = Figures()
    problem: str = ""


class TuneResult(msgspec.Struct, frozen=True):
    """Everything that was tried.

    Attributes
    ----------
    rows : the settings, fastest first, those that were refused last.
    winner, untuned : places in `rows`: the one to choose, and what runs without tuning.
    speedup : the winner's rate beside the untuned one's.
    frames : frames whose results were compared.
    is_calibrated : whether those came from calibration data; else they are random.
    notes : what was left out, sentences.
    """

    program: str
    limits: tuple[str, ...]
    rows: tuple[Row, ...]
    winner: int
    untuned: int
    speedup: float
    frames: int
    is_calibrated: bool
    processor: str
    cores: int
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Row:
        """The row to choose."""
        return self.rows[self.winner]
