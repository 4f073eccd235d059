"""How models are quantized."""

import msgspec

__all__ = ("Int8Settings",)


class Int8Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is quantized to INT8.

    Attributes
    ----------
    is_per_channel : whether each output channel of a weight has a scale of its own.
    method : how ranges follow from the calibration data: "minmax", "entropy" or "percentile".
    excluded : names of nodes that stay float.
    """

    is_per_channel: bool = True
    method: str = "minmax"
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.method not in ("minmax", "entropy", "percentile"):
            raise ValueError(f"method is minmax, entropy or percentile, not {self.method!r}")
