"""Which of the settings that were measured to choose; nothing is executed here."""

from collections.abc import Sequence

import msgspec

from app.tuning.limits import Limit
from app.tuning.results import Row
from engine.errors import EngineError

__all__ = ("NEARLY", "NoSettingError", "choose", "judge", "ranked")

NEARLY = 0.03
"""Settings whose rates differ by less are equally fast; then the more exact one is chosen."""


class NoSettingError(EngineError):
    """No setting keeps the limits."""

    code = "no_setting"


def judge(row: Row, limits: Sequence[Limit]) -> Row:
    """Return the row, with the reason in it when it breaks a limit."""
    if row.problem:
        return row
    refusals = [text for limit in limits if (text := limit.refusal(row.figures))]
    return msgspec.structs.replace(row, problem="; ".join(refusals)) if refusals else row


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that may be chosen, fastest first, and behind them those that may not."""
    return sorted(rows, key=lambda row: (bool(row.problem), -row.figures.rate_hz))


def choose(rows: Sequence[Row]) -> Row:
    """Return the fastest row that may be chosen; of nearly equal ones the more exact.

    The more exact one has the smaller difference from the original; then fewer threads win.

    Raises
    ------
    NoSettingError
        When none may be chosen.
    """
    allowed = [row for row in rows if not row.problem and row.figures.rate_hz > 0]
    if not allowed:
        reasons = "; ".join(dict.fromkeys(row.problem for row in rows if row.problem))
        raise NoSettingError(f"no setting can be chosen: {reasons or 'none was measured'}")
    fastest = max(row.figures.rate_hz for row in allowed)
    close = [row for row in allowed if row.figures.rate_hz >= fastest * (1.0 - NEARLY)]
    return min(close, key=_preference)


def _preference(row: Row) -> tuple[float, bool, int, float]:
    setting, figures = row.setting, row.figures
    return (
        figures.max_difference or 0.0,
        setting.is_quantized,
        setting.lanes * setting.threads,
        -figures.rate_hz,
    )
