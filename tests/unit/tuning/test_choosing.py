"""Which setting is chosen; nothing is executed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from app.tuning import Figures, Limit, Row, Setting, parse_limit
from app.tuning.choosing import NoSettingError, choose, judge, ranked
from app.tuning.material import split
from app.tuning.tuner import settings_of
from engine.errors import InvalidArgumentError


@dataclass
class Case:
    """One setting by its plugin's name, its rate, and its numbers."""

    plugin: str
    rate_hz: float
    cosine: float | None = 1.0
    difference: float = 0.0
    top1: float | None = 1.0
    is_quantized: bool = False

    @property
    def row(self) -> Row:
        setting = Setting(self.plugin, is_quantized=self.is_quantized)
        return Row(setting, Figures(self.rate_hz, 1.0, self.cosine, self.difference, self.top1))


def winner(*cases: Case, limits: tuple[str, ...] = ("cosine>=0.99",)) -> str:
    parsed = [parse_limit(text) for text in limits]
    return choose([judge(case.row, parsed) for case in cases]).setting.plugin


EXACT = Case("exact", 100.0)
FAST = Case("fast", 200.0, cosine=0.995, difference=0.1, top1=0.97)
FASTEST = Case("fastest", 300.0, cosine=0.98, difference=0.5, top1=0.9)


def test_the_fastest_setting_within_the_limits_wins() -> None:
    assert winner(EXACT, FAST, FASTEST) == "fast"


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        (("cosine>=0.9",), "fastest"),
        (("cosine>=0.999",), "exact"),
        (("top1>=0.95",), "fast"),
        (("difference<=0.01",), "exact"),
        (("cosine>=0.9", "difference<=0.2"), "fast"),
        (("cosine >= 0.9", "top1>=0.99"), "exact"),
    ],
)
def test_every_limit_has_to_be_kept(limits: tuple[str, ...], chosen: str) -> None:
    assert winner(EXACT, FAST, FASTEST, limits=limits) == chosen


def test_of_nearly_equal_rates_the_more_exact_setting_wins() -> None:
    assert winner(Case("exact", 98.0), Case("rounded", 100.0, difference=0.01)) == "exact"
    assert winner(Case("exact", 96.0), Case("rounded", 100.0, difference=0.01)) == "rounded"


def test_a_figure_that_the_outputs_do_not_have_breaks_no_limit() -> None:
    whole_numbers = Case("whole numbers", 200.0, cosine=None, top1=None)
    assert winner(EXACT, whole_numbers) == "whole numbers"


def test_a_setting_that_failed_is_never_chosen_and_its_reason_stays() -> None:
    crashed = Row(Setting("crashed"), Figures(900.0), problem="its process was killed by SIGILL")
    assert judge(crashed, [Limit("cosine", 0.9)]) == crashed
    assert choose([crashed, EXACT.row]).setting.plugin == "exact"


def test_a_setting_that_was_never_measured_is_not_chosen() -> None:
    assert winner(EXACT, Case("dead", 0.0)) == "exact"


def test_a_refusal_says_what_was_found_and_what_is_asked_for() -> None:
    row = judge(FASTEST.row, [parse_limit("cosine>=0.99"), parse_limit("top1>=0.95")])
    cosine, top1 = row.problem.split("; ")
    assert cosine == "cosine 0.98, cosine>=0.99 is asked for"
    assert top1 == "top1 0.9, top1>=0.95 is asked for"


def test_without_a_setting_that_may_be_chosen_the_reasons_are_told() -> None:
    with pytest.raises(NoSettingError, match=r"no setting can be chosen: cosine 0\.98"):
        winner(FASTEST)


def test_refused_settings_stand_behind_the_others_however_fast() -> None:
    rows = [judge(case.row, [Limit("cosine", 0.99)]) for case in (EXACT, FASTEST, FAST)]
    assert [row.setting.plugin for row in ranked(rows)] == ["fast", "exact", "fastest"]


@pytest.mark.parametrize(
    "text", ["cosine", "cosine<=0.9", "top1>0.9", "sharpness>=1", "cosine>=.", ""]
)
def test_a_limit_that_does_not_read_like_one_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"is no threshold; write cosine>=0\.99"):
        parse_limit(text)


def test_a_limit_reads_as_it_is_written() -> None:
    assert str(parse_limit(" difference <= 1e-2 ")) == "difference<=0.01"


@pytest.mark.parametrize(
    ("cores", "ways"),
    [
        (1, [(1, 1)]),
        (2, [(2, 1), (1, 2)]),
        (8, [(8, 1), (4, 2), (2, 4), (1, 8)]),
        (6, [(6, 1), (3, 2), (1, 6)]),
    ],
)
def test_every_division_of_the_cores_uses_all_of_them(cores: int, ways: Any) -> None:
    found = settings_of(Setting("any"), cores, 0)
    assert [(setting.lanes, setting.threads) for setting in found] == ways


def test_a_plugin_that_says_how_many_lanes_it_wants_gets_those() -> None:
    assert settings_of(Setting("card"), 8, 6) == [Setting("card", lanes=6)]


def test_frames_that_are_compared_are_none_that_the_quantizer_saw() -> None:
    frames = {"x": np.arange(10), "y": np.arange(10) * 2}
    learnt, compared = split(frames)
    assert compared["x"].tolist() == [0, 4, 8]
    assert compared["y"].tolist() == [0, 8, 16]
    assert sorted([*learnt["x"], *compared["x"]]) == list(range(10))


def test_few_frames_serve_for_both() -> None:
    learnt, compared = split({"x": np.arange(3)})
    assert learnt["x"].tolist() == compared["x"].tolist() == [0, 1, 2]
