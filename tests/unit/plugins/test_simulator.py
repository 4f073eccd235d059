"""The simulated accelerator: its pace, its warmth, its faults, and real results."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import DeviceError, DeviceLostError, DeviceNotFoundError, PluginError
from engine.plugins import DeviceTelemetry, HasTelemetry, ProcessingPlugin
from engine.plugins.onnxruntime_cpu import TINY_MODEL
from engine.plugins.simulator import (
    ENVIRONMENT,
    DeviceState,
    Fault,
    FaultKind,
    RealClock,
    SimulatorPlugin,
    SimulatorSettings,
    SteppedClock,
    admit,
    advance,
    read_devices,
    read_settings,
)

FRAME = np.full((1, 4), 3.0, np.float32)
OTHER_MODEL = TINY_MODEL.replace(b"tiny", b"tinz")


def plugin_of(clock: SteppedClock | None = None, **fields: Any) -> SimulatorPlugin:
    return SimulatorPlugin(SimulatorSettings(**fields), clock or SteppedClock())


def test_it_is_a_plugin_with_telemetry() -> None:
    plugin = plugin_of()
    assert isinstance(plugin, ProcessingPlugin)
    assert isinstance(plugin, HasTelemetry)
    report = plugin.probe()
    assert report.is_available
    assert report.devices[0].name == "simulated: 6 stages, 400 frames/s"


def test_results_are_real() -> None:
    session = plugin_of().load(TINY_MODEL)
    assert session.run([FRAME])[0].tolist() == [[6.0, 6.0, 6.0, 6.0]]
    session.close()


def test_one_frame_at_a_time_takes_the_whole_pipeline_each() -> None:
    clock = SteppedClock()
    session = plugin_of(clock, depth=4, rate_hz=100).load(TINY_MODEL)
    for _ in range(5):
        session.run([FRAME])
    assert clock.now_s() == pytest.approx(5 * 4 / 100)


def test_frames_at_once_come_at_the_full_rate() -> None:
    settings = SimulatorSettings(depth=4, rate_hz=100)
    state = DeviceState.new(settings, 0.0)
    outcomes = []
    for _ in range(10):
        state, outcome = admit(state, settings, "a", 0.0)
        outcomes.append(outcome)
    assert [o.finished_s for o in outcomes] == pytest.approx([0.04 + n / 100 for n in range(10)])


def test_another_program_waits_for_the_last_frame_and_the_swap() -> None:
    clock = SteppedClock()
    plugin = plugin_of(clock, depth=2, rate_hz=100, swap_s=0.5)
    first, second = plugin.load(TINY_MODEL), plugin.load(OTHER_MODEL)
    for session in (first, second, second, first):
        session.run([FRAME])
    assert plugin.device.state.swaps == 2
    assert clock.now_s() == pytest.approx(4 * 0.02 + 2 * 0.5)


def test_it_warms_up_under_load_and_runs_slower_when_it_is_too_warm() -> None:
    settings = SimulatorSettings(
        depth=1,
        rate_hz=10,
        ambient_c=20,
        active_w=10,
        warming_c_per_w=8,
        inertia_s=5,
        throttle_at_c=80,
        throttle_factor=0.5,
    )
    state = DeviceState.new(settings, 0.0)
    periods = []
    for _ in range(400):
        before = state.busy_until_s
        state, _ = admit(state, settings, "a", 0.0)
        periods.append(state.busy_until_s - before)
    assert periods[0] == pytest.approx(0.1)
    assert periods[-1] == pytest.approx(0.2)
    assert state.is_throttled
    cold = advance(state, settings, state.at_s + 100)
    after, _ = admit(cold, settings, "a", cold.at_s)
    assert not after.is_throttled


def test_telemetry_is_the_mean_since_the_reading_before() -> None:
    clock = SteppedClock()
    plugin = plugin_of(clock, depth=1, rate_hz=10, idle_w=1, active_w=9)
    session = plugin.load(TINY_MODEL)
    plugin.telemetry()
    for _ in range(5):
        session.run([FRAME])  # half a second of work
    clock.wait_until(1.0)
    told = plugin.telemetry()
    assert told.utilization == pytest.approx(0.5)
    assert told.power_w == pytest.approx(5.0)
    assert told.temperature_c is not None
    assert told.temperature_c > 35.0
    clock.wait_until(2.0)
    assert plugin.telemetry().utilization == pytest.approx(0.0)


def test_a_frame_fails_as_the_settings_say_and_the_next_does_not() -> None:
    session = plugin_of(faults=(Fault(1),)).load(TINY_MODEL)
    session.run([FRAME])
    with pytest.raises(DeviceError, match="failed on frame 1"):
        session.run([FRAME])
    session.run([FRAME])


def test_a_stall_holds_up_the_frame_and_those_after_it() -> None:
    clock = SteppedClock()
    faults = (Fault(1, FaultKind.STALL, 2.0),)
    session = plugin_of(clock, depth=1, rate_hz=10, faults=faults).load(TINY_MODEL)
    for _ in range(3):
        session.run([FRAME])
    assert clock.now_s() == pytest.approx(2.3)


def test_a_wedged_device_answers_again_after_a_reset() -> None:
    plugin = plugin_of(faults=(Fault(1, FaultKind.WEDGE),))
    session = plugin.load(TINY_MODEL)
    session.run([FRAME])
    for _ in range(2):
        with pytest.raises(DeviceError, match="answers no more"):
            session.run([FRAME])
    plugin.device.reset()
    assert session.run([FRAME])[0][0, 0] == 6.0


def test_blind_sensors_tell_nothing() -> None:
    plugin = plugin_of(faults=(Fault(0, FaultKind.SENSOR),))
    plugin.load(TINY_MODEL).run([FRAME])
    told = plugin.telemetry()
    assert (told.utilization, told.temperature_c, told.power_w) == (None, None, None)


def test_threads_share_the_pipeline() -> None:
    clock = SteppedClock()
    session = plugin_of(clock, depth=4, rate_hz=100).load(TINY_MODEL)
    threads = [threading.Thread(target=session.run, args=([FRAME],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert 0.04 + 7 / 100 - 1e-9 <= clock.now_s() <= 8 * 0.04 + 1e-9


def test_the_real_clock_waits_until_then_and_not_for_what_has_passed() -> None:
    clock = RealClock()
    begun = clock.now_s()
    clock.wait_until(begun - 100)
    clock.wait_until(begun + 0.02)
    assert clock.now_s() >= begun + 0.02


# -- settings


def test_settings_are_read_from_the_environment() -> None:
    text = "depth = 3, rate_hz = 50, faults = [{frame = 7, kind = 'stall', seconds = 0.5}]"
    found = read_settings({ENVIRONMENT: text})
    assert found == SimulatorSettings(depth=3, rate_hz=50, faults=(Fault(7, FaultKind.STALL, 0.5),))
    assert read_settings({}) == SimulatorSettings()


def test_settings_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "slow.toml"
    path.write_text("rate_hz = 1.5\n[[faults]]\nframe = 2\n")
    found = read_settings({ENVIRONMENT: str(path)})
    assert (found.rate_hz, found.faults) == (1.5, (Fault(2),))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("depth = 0", "depth"),
        ("speed = 3", "speed"),
        ("depth =", "Invalid value"),
        ("nowhere.toml", "nowhere.toml"),
    ],
)
def test_wrong_settings_are_named(given: str, reason: str) -> None:
    with pytest.raises(PluginError, match=f"{ENVIRONMENT} has no settings.*{reason}"):
        read_settings({ENVIRONMENT: given})


def test_several_devices_have_a_pace_and_faults_of_their_own() -> None:
    text = "rate_hz = 100, devices = [{}, {rate_hz = 400, faults = [{frame = 1, kind = 'wedge'}]}]"
    settings = read_devices({ENVIRONMENT: text})
    assert [one.rate_hz for one in settings] == [100, 400]
    plugin = SimulatorPlugin(settings, SteppedClock())
    assert [device.name for device in plugin.probe().devices] == [
        "simulated: 6 stages, 100 frames/s",
        "simulated: 6 stages, 400 frames/s",
    ]
    first, second = (plugin.load(TINY_MODEL, device_index=index) for index in range(2))
    second.run([FRAME])
    with pytest.raises(DeviceLostError, match="answers no more"):
        second.run([FRAME])
    for _ in range(3):
        assert first.run([FRAME])[0][0, 0] == 6
    assert [device.state.frames for device in plugin.devices] == [3, 2]
    busy = [plugin.telemetry(index).utilization or 0.0 for index in range(2)]
    assert busy[0] > busy[1] > 0
    assert plugin.telemetry(2) == DeviceTelemetry()


def test_a_device_that_is_not_simulated_is_refused_with_how_many_there_are() -> None:
    with pytest.raises(DeviceNotFoundError, match=r"no simulated device 1; there are 1.*SIMULATOR"):
        plugin_of().load(TINY_MODEL, device_index=1)


@pytest.mark.parametrize("devices", ["[]", "3", "[3]", "[{depth = 0}]", "[{colour = 1}]"])
def test_devices_that_cannot_be_read_are_refused(devices: str) -> None:
    with pytest.raises(PluginError, match="has no settings of the simulator"):
        read_devices({ENVIRONMENT: f"devices = {devices}"})
