"""Says in one sentence what holds the slowest stream back."""

from collections.abc import Mapping, Sequence

from engine.protocol import STAGES, StreamFigures

__all__ = ("advise",)

_KEEPS_UP = 0.95
_SATURATED = 0.9

# A stage in which frames only wait belongs to the thing they wait for.
_PARTS = {
    "capture": ("capture",),
    "pre": ("pre",),
    "device": ("queue", "device", "order"),
    "post": ("post",),
}
_WORDS = {
    "capture": "the source (capture)",
    "pre": "pre-processing",
    "device": "the device",
    "post": "post-processing",
}


def advise(streams: Sequence[StreamFigures], nominal_hz: Mapping[str, float]) -> str:
    """Name the stage that limits the slowest stream, with numbers.

    Parameters
    ----------
    streams : current figures of the running streams.
    nominal_hz : frames per second that each stream's source wants to deliver, by stream name;
        0 or missing when the source has no clock of its own.

    Returns
    -------
    str
        One sentence, or an empty string when every stream keeps up or nothing is known yet.
    """
    late = [stream for stream in streams if _share(stream, nominal_hz) < _KEEPS_UP]
    if not late:
        return ""
    slowest = min(late, key=lambda stream: (_share(stream, nominal_hz), stream.name))
    return _sentence(slowest, _wanted_hz(slowest, nominal_hz))


def _wanted_hz(stream: StreamFigures, nominal_hz: Mapping[str, float]) -> float:
    return nominal_hz.get(stream.name, 0.0) or stream.rate_in_hz


def _share(stream: StreamFigures, nominal_hz: Mapping[str, float]) -> float:
    """Return the delivered share of what the source wants to deliver, 1 when nothing is known."""
    wanted = _wanted_hz(stream, nominal_hz)
    if wanted <= 0 or not stream.frames_out or not any(stream.stages_mean_ms.values()):
        return 1.0
    return stream.rate_out_hz / wanted


def _sentence(stream: StreamFigures, wanted_hz: float) -> str:
    means = stream.stages_mean_ms
    part = _limiting_part(means, stream.rate_out_hz)
    took = sum(means.get(stage, 0.0) for stage in _PARTS[part])
    age = sum(means.get(stage, 0.0) for stage in STAGES)
    waiting = means.get("queue", 0.0) if part == "device" else 0.0
    note = f" ({_ms(waiting)} of it waiting for a free lane)" if waiting > took / 3 else ""
    return (
        f"{_capital(_WORDS[part])} limits {stream.name}: {_ms(took)} of {_ms(age)}{note}; "
        f"{_number(stream.rate_out_hz)} of {_number(wanted_hz)} frames/s are delivered"
    )


def _limiting_part(means_ms: Mapping[str, float], rate_hz: float) -> str:
    """Return the part that works without a pause, else the one in which frames stay longest.

    Source, pre- and post-processing take one frame of a stream after the other, so their time per
    frame times the rate is how busy they are. The device may execute several frames at once.
    """
    took = {part: sum(means_ms.get(s, 0.0) for s in stages) for part, stages in _PARTS.items()}
    busy = [p for p in took if p != "device" and took[p] / 1000 * rate_hz >= _SATURATED]
    return max(busy or took, key=lambda part: took[part])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ms(value: float) -> str:
    return f"{_number(value)} ms"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
