"""Finds the setting with which a program runs fastest, among those that are exact enough."""

from app.tuning.limits import Limit, parse_limit
from app.tuning.results import Figures, Row, Setting, TuneResult
from app.tuning.tuner import TunePlan, tune

__all__ = (
    "Figures",
    "Limit",
    "Row",
    "Setting",
    "TunePlan",
    "TuneResult",
    "parse_limit",
    "tune",
)
