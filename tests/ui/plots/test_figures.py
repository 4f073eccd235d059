import pytest

from engine.protocol import LatencyFigures
from tests.ui.wall.fakes import figures, telemetry
from ui.plots.figures import DropRates, series_of


def test_drops_per_second_come_from_the_counters() -> None:
    rates = DropRates()
    rates.update(telemetry(figures(dropped={"superseded": 10}), at_s=1.0))
    now = rates.update(telemetry(figures(dropped={"superseded": 12, "late": 1}), at_s=1.5))

    assert now == {"street": pytest.approx(6.0)}


def test_drops_before_the_first_batch_do_not_count() -> None:
    assert DropRates().update(telemetry(figures(dropped={"late": 500}))) == {"street": 0.0}


def test_a_counter_that_begins_anew_is_no_negative_rate() -> None:
    rates = DropRates()
    rates.update(telemetry(figures(dropped={"late": 500}), at_s=1.0))

    assert rates.update(telemetry(figures(dropped={"late": 3}), at_s=2.0)) == {"street": 3.0}


def test_two_batches_at_the_same_time_give_no_infinite_rate() -> None:
    rates = DropRates()
    rates.update(telemetry(figures(dropped={"late": 1}), at_s=1.0))

    assert rates.update(telemetry(figures(dropped={"late": 9}), at_s=1.0)) == {"street": 0.0}


def test_all_figures_of_a_batch_become_series() -> None:
    values = series_of(telemetry(figures(), lanes_busy=0.5), {"street": 2.0})

    assert values["street", "rate_out"] == 29.8
    assert values["street", "drops"] == 2.0
    assert values["street", "p99"] == 40.0
    assert values["device", "busy"] == 50.0
    assert values["process engine", "memory"] == 180.0


def test_a_stream_without_results_has_no_age() -> None:
    values = series_of(telemetry(figures(latency_ms=LatencyFigures())), {})

    assert ("street", "p50") not in values
