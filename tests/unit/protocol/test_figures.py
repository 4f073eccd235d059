"""Published figures: stages have names and order, and every figure has a definition."""

from typing import get_type_hints

import pytest

from engine.protocol import (
    METRICS,
    STAGES,
    LatencyFigures,
    ProcessFigures,
    StageFigures,
    StreamFigures,
    StreamReport,
    Telemetry,
    metric,
)


def test_stages_are_consecutive_from_capture_to_the_result() -> None:
    assert STAGES == ("capture", "wait", "pre", "queue", "device", "order", "post")


def test_stage_figures_begin_at_zero() -> None:
    assert StageFigures() == StageFigures(p50=0.0, p95=0.0)
    assert LatencyFigures() == LatencyFigures(p50=0.0, p95=0.0, p99=0.0)


@pytest.mark.parametrize(
    ("kind", "owner"),
    [(StreamFigures, "stream"), (StreamReport, "stream"), (ProcessFigures, "process")],
)
def test_every_published_figure_has_a_definition(kind: type, owner: str) -> None:
    defined = {one.metric_id for one in METRICS}
    hints = get_type_hints(kind)
    figures = {name for name, type_ in hints.items() if type_ is not str and name != "pid"}
    assert {name for name in figures if f"{owner}.{name}" not in defined} == set()
    assert figures


def test_every_definition_belongs_to_a_published_figure() -> None:
    published = {
        *(f"stream.{name}" for name in StreamFigures.__struct_fields__),
        *(f"stream.{name}" for name in StreamReport.__struct_fields__),
        *(f"process.{name}" for name in ProcessFigures.__struct_fields__),
        *(f"engine.{name}" for name in Telemetry.__struct_fields__),
    }
    assert {one.metric_id for one in METRICS} <= published


def test_metrics_have_unique_ids_and_definitions_in_sentences() -> None:
    assert len({one.metric_id for one in METRICS}) == len(METRICS)
    for one in METRICS:
        assert one.label
        assert one.definition.endswith(".")
        assert one.definition[0].isupper()


def test_a_metric_is_found_by_its_id() -> None:
    assert metric("stream.latency_ms").unit == "ms"
    with pytest.raises(KeyError):
        metric("stream.happiness")
