"""Benchmark and Simulator, as far as their use is known."""

import logging
from typing import Any

import numpy as np
import pytest

from engine.accelerator import Benchmark, Simulator
from engine.errors import DeviceError
from engine.plugins.simulator import Fault, FaultKind, SimulatorSettings

CARD = SimulatorSettings(depth=4, rate_hz=200)


@pytest.mark.parametrize("threading", [True, False])
def test_a_benchmark_returns_outputs_latency_and_rate(identity: bytes, threading: bool) -> None:
    with Benchmark(dfp=identity, verbose=1, chip_gen=3.1) as bench:
        outputs, latency_ms, fps = bench.run(frames=20, threading=threading)
    assert isinstance(outputs, np.ndarray)
    assert outputs.shape == (1, 4)
    assert latency_ms > 0
    assert fps > 0


def test_frames_that_wait_for_each_other_have_a_rate_of_one_over_their_latency(
    identity: bytes, device: Any
) -> None:
    device.takes_s = 0.02
    with Benchmark(dfp=identity) as bench:
        _, latency_ms, fps = bench.run(frames=5, threading=False)
    assert latency_ms >= 20
    assert fps == pytest.approx(1000 / latency_ms, rel=0.1)


def test_frames_that_overlap_are_all_run_and_those_of_the_warm_up_do_not_count(
    identity: bytes, device: Any
) -> None:
    with Benchmark(dfp=identity) as bench:
        bench.run(frames=40)
        bench.run(frames=1, threading=False)
    assert device.executed == 3 + 40 + 3 + 1


def test_a_benchmark_without_a_number_of_frames_runs_many_or_one(
    identity: bytes, device: Any
) -> None:
    with Benchmark(dfp=identity) as bench:
        bench.run(threading=False)
        once = device.executed
        bench.run()
    assert (once, device.executed - once) == (3 + 1, 3 + 100)


def test_a_benchmark_runs_the_frame_that_is_given(two_ports: bytes, frame: Any) -> None:
    with Benchmark(two_ports) as bench:
        (total, difference), _, _ = bench.run([frame(5), frame(3)], frames=3)
    assert (total[0, 0], difference[0, 0]) == (8, 2)


def test_a_benchmark_of_a_program_of_two_models_runs_the_one_that_is_named(
    two_models: bytes, frame: Any
) -> None:
    with Benchmark(two_models) as bench:
        outputs, _, _ = bench.run(frame(4), frames=2, model_idx=1)
        assert outputs[0, 0] == 8
        with pytest.raises(IndexError):
            bench.run(model_idx=2)


@pytest.mark.parametrize(("frames", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError)])
def test_a_number_of_frames_is_1_or_more(frames: Any, error: Any, identity: bytes) -> None:
    with Benchmark(identity) as bench, pytest.raises(error, match="frames is"):
        bench.run(frames=frames)


def test_figures_are_logged_when_asked_for(
    identity: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "engine.accelerator"), Benchmark(identity, verbose=1) as b:
        b.run(frames=2)
    assert "2 frames: " in caplog.text


def test_a_simulator_returns_real_outputs_and_the_simulated_device_s_times(
    identity: bytes, frame: Any
) -> None:
    with Simulator(dfp=identity, settings=CARD) as simulator:
        outputs, latency_ms, fps = simulator.run(frame(3), frames=50)
        again = simulator.run(frame(3), frames=50)
    np.testing.assert_array_equal(outputs, frame(3))
    assert latency_ms == pytest.approx(4 / 200 * 1000)
    assert fps == pytest.approx(200)
    assert again[1:] == (latency_ms, fps)


def test_a_simulator_takes_several_frames_and_random_ones(identity: bytes, frame: Any) -> None:
    with Simulator(identity, settings=CARD) as simulator:
        outputs, _, _ = simulator.run([frame(1), frame(2)])
        random, _, _ = simulator.run()
    assert [output[0, 0] for output in outputs] == [1, 2]
    assert isinstance(random, np.ndarray)
    assert random.shape == (1, 4)


def test_a_simulator_s_faults_are_those_of_its_settings(identity: bytes) -> None:
    settings = SimulatorSettings(faults=(Fault(7, FaultKind.ERROR),))
    with Simulator(identity, settings=settings) as simulator:
        with pytest.raises(DeviceError, match="failed on frame 7"):
            simulator.run(frames=20)
        _, _, fps = simulator.run(frames=5)
    assert fps > 0
