"""What the inspector says about a stream, decided without Qt."""

from dataclasses import dataclass

from engine.protocol import STAGES, FrameFormat, FrameKind, StreamFigures, StreamState

__all__ = (
    "NO_VALUE",
    "StageBar",
    "drop_rows",
    "format_rows",
    "rate_unit",
    "stage_bars",
    "thousands",
)

NO_VALUE = "-"

_REASONS = {
    "device_error": "execution failed",
    "lost_by_device": "lost by the camera or on the way",
    "no_free_slot": "no free slot in the driver",
    "post_error": "post-processing failed",
    "pre_error": "pre-processing failed",
    "queue_full": "queue was full",
    "stopped": "under way at the stop",
    "superseded": "replaced by a newer frame",
}


@dataclass(frozen=True)
class StageBar:
    """A stage with its mean time and its share of the whole age, 0..1."""

    stage: str
    mean_ms: float
    share: float


def stage_bars(figures: StreamFigures | None) -> tuple[StageBar, ...]:
    """Return all stages in order; without figures all are 0."""
    means = figures.stages_mean_ms if figures is not None else {}
    known = [(stage, max(0.0, means.get(stage, 0.0))) for stage in STAGES]
    known += [(stage, max(0.0, mean)) for stage, mean in means.items() if stage not in STAGES]
    total = sum(mean for _, mean in known)
    return tuple(StageBar(stage, mean, mean / total if total else 0.0) for stage, mean in known)


def drop_rows(figures: StreamFigures | None) -> list[tuple[str, str]]:
    """Return why frames were dropped and how many, most frequent first."""
    if figures is None:
        return []
    counted = sorted(figures.dropped.items(), key=lambda item: (-item[1], item[0]))
    return [(_REASONS.get(reason, reason.replace("_", " ")), thousands(count))
            for reason, count in counted if count]  # fmt: skip


def format_rows(frame_format: FrameFormat | None) -> list[tuple[str, str]]:
    """Return size, type of values and nominal rate of the frames, each with its name."""
    if frame_format is None:
        return [("Frame", NO_VALUE)]
    shape, kind = frame_format.shape, frame_format.kind
    if kind is FrameKind.IMAGE and len(shape) == 3:
        size = f"{shape[1]} \u00d7 {shape[0]} pixels"
    elif kind is FrameKind.LINE and len(shape) == 2:
        size = f"{shape[0]} pixels \u00d7 {shape[1]} bands"
    else:
        size = " \u00d7 ".join(map(str, shape))
    rate = f"{frame_format.rate_hz:g} Hz" if frame_format.rate_hz else "as fast as it can"
    return [("Frame", size), ("Values", frame_format.dtype), ("Nominal rate", rate)]


def rate_unit(state: StreamState | None) -> str:
    """Return the unit of a stream's rates."""
    frame_format = state.frame_format if state is not None else None
    is_line = frame_format is not None and frame_format.kind is FrameKind.LINE
    return "lines/s" if is_line else "fps"


def thousands(count: int) -> str:
    """Return a number with narrow blanks between groups of three digits."""
    return f"{count:,}".replace(",", "\u202f")
