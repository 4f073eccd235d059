"""The simulated device keeps the rules of a pipeline, whatever comes when."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.plugins.simulator import (
    DeviceState,
    Fault,
    FaultKind,
    Outcome,
    SimulatorSettings,
    admit,
    advance,
)

TINY_S = 1e-9

settings = st.builds(
    SimulatorSettings,
    depth=st.integers(1, 16),
    rate_hz=st.floats(1.0, 5000.0),
    swap_s=st.floats(0.0, 0.5),
    inertia_s=st.floats(0.1, 60.0),
    throttle_at_c=st.floats(36.0, 130.0),
    throttle_factor=st.floats(0.1, 1.0),
    faults=st.lists(
        st.builds(Fault, st.integers(0, 40), st.sampled_from(FaultKind), st.floats(0.0, 1.0)),
        max_size=3,
    ).map(tuple),
)
arrivals = st.lists(
    st.tuples(st.floats(0.0, 0.2), st.sampled_from(["a", "b"])), min_size=1, max_size=60
)


def run(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> tuple[DeviceState, list[tuple[float, str, Outcome]]]:
    state = DeviceState.new(device, 0.0)
    at_s = 0.0
    seen = []
    for gap_s, program in gaps:
        at_s += gap_s
        state, outcome = admit(state, device, program, at_s)
        seen.append((at_s, program, outcome))
    return state, seen


def executed(seen: list[tuple[float, str, Outcome]]) -> list[tuple[float, str, Outcome]]:
    return [one for one in seen if one[2].fault is not FaultKind.WEDGE]


@given(settings, arrivals)
def test_every_frame_is_counted_once_and_in_order(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    state, seen = run(device, gaps)
    assert [outcome.frame for _, _, outcome in seen] == list(range(len(gaps)))
    assert state.frames == len(gaps)


@given(settings, arrivals)
def test_frames_come_out_in_the_order_in_which_they_went_in(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    _, seen = run(device, gaps)
    finished = [outcome.finished_s for _, _, outcome in executed(seen)]
    assert finished == sorted(finished)


@given(settings, arrivals)
def test_no_frame_is_faster_than_the_pipeline_is_long(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    _, seen = run(device, gaps)
    for at_s, _, outcome in executed(seen):
        assert outcome.entered_s >= at_s
        assert outcome.finished_s - outcome.entered_s >= device.depth / device.rate_hz - TINY_S


@given(settings, arrivals)
def test_frames_enter_no_faster_than_the_rate(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    _, seen = run(device, gaps)
    entered = [outcome.entered_s for _, _, outcome in executed(seen)]
    for before, after in pairwise(entered):
        assert after - before >= 1.0 / device.rate_hz - TINY_S


@given(settings, arrivals)
def test_another_program_enters_only_after_the_last_frame_came_out_and_the_swap(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    state, seen = run(device, gaps)
    frames = executed(seen)
    swaps = 0
    for (_, before, first), (_, after, second) in pairwise(frames):
        assert second.is_swapped == (before != after)
        if second.is_swapped:
            swaps += 1
            assert second.entered_s >= first.finished_s + device.swap_s - TINY_S
    assert state.swaps == swaps


@given(settings, arrivals)
def test_the_same_frames_give_the_same_device(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    assert run(device, gaps) == run(device, gaps)


@given(settings, arrivals)
def test_temperature_stays_between_the_surroundings_and_what_full_load_gives(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    state, _ = run(device, gaps)
    hottest = device.ambient_c + device.warming_c_per_w * device.active_w
    assert device.ambient_c - TINY_S <= state.temperature_c <= hottest + TINY_S


@given(settings, arrivals, st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_looking_in_between_changes_nothing(
    device: SimulatorSettings, gaps: list[tuple[float, str]], first_s: float, more_s: float
) -> None:
    state, _ = run(device, gaps)
    end_s = state.at_s + first_s + more_s
    at_once = advance(state, device, end_s)
    in_two = advance(advance(state, device, state.at_s + first_s), device, end_s)
    assert abs(at_once.temperature_c - in_two.temperature_c) < 1e-6
    assert abs(at_once.energy_j - in_two.energy_j) < 1e-6
    assert abs(at_once.busy_s - in_two.busy_s) < 1e-9


@given(settings, arrivals)
def test_energy_is_between_idle_and_full_load(
    device: SimulatorSettings, gaps: list[tuple[float, str]]
) -> None:
    state, _ = run(device, gaps)
    assert (
        device.idle_w * state.at_s - 1e-6 <= state.energy_j <= device.active_w * state.at_s + 1e-6
    )
    assert state.busy_s <= state.at_s + TINY_S
