"""What a simulated accelerator does with each frame, without a clock, a lock or a frame.

A frame occupies each stage of the pipeline for one period. So a frame may enter one period after
the frame before it, and comes out ``depth`` periods after it entered. Another program may enter
only after everything came out and the swap is over.
"""

import math

import msgspec

from engine.plugins.simulator.settings import Fault, FaultKind, SimulatorSettings

__all__ = ("DeviceState", "Outcome", "admit", "advance")

_COOLER_C = 5.0


class DeviceState(msgspec.Struct, frozen=True):
    """A device at one moment; times are seconds of the caller's clock.

    Attributes
    ----------
    at_s : the moment, never before that of the state it came from.
    program : what is loaded; empty at first.
    busy_until_s : until then the pipeline's first stage is occupied.
    empty_at_s : when the last frame under way comes out.
    temperature_c : of the die.
    energy_j, busy_s : since the device began.
    frames, swaps : counted since the device began.
    is_throttled, is_wedged, is_blind : whether it runs slower, answers no more, shows nothing.
    """

    at_s: float
    temperature_c: float
    program: str = ""
    busy_until_s: float = 0.0
    empty_at_s: float = 0.0
    energy_j: float = 0.0
    busy_s: float = 0.0
    frames: int = 0
    swaps: int = 0
    is_throttled: bool = False
    is_wedged: bool = False
    is_blind: bool = False

    @classmethod
    def new(cls, settings: SimulatorSettings, at_s: float) -> "DeviceState":
        """Return a cold device without a program."""
        return cls(at_s, settings.ambient_c, busy_until_s=at_s, empty_at_s=at_s)


class Outcome(msgspec.Struct, frozen=True):
    """What becomes of a frame: when it enters and comes out, and what goes wrong with it."""

    frame: int
    entered_s: float
    finished_s: float
    is_swapped: bool
    fault: FaultKind | None = None


def admit(
    state: DeviceState, settings: SimulatorSettings, program: str, arrived_s: float
) -> tuple[DeviceState, Outcome]:
    """Take in a frame for a program, after all frames before it.

    Returns
    -------
    tuple of DeviceState and Outcome
        The device when the frame has entered, and what becomes of the frame.
    """
    fault = _fault(state, settings)
    if state.is_wedged or (fault is not None and fault.kind is FaultKind.WEDGE):
        wedged = msgspec.structs.replace(
            advance(state, settings, arrived_s), frames=state.frames + 1, is_wedged=True
        )
        moment = max(arrived_s, state.at_s)
        return wedged, Outcome(state.frames, moment, moment, False, FaultKind.WEDGE)
    is_swapped = bool(state.program) and program != state.program
    free_s = state.empty_at_s + settings.swap_s if is_swapped else state.busy_until_s
    if fault is not None and fault.kind is FaultKind.STALL:
        free_s = max(free_s, arrived_s) + fault.seconds
    entered_s = max(arrived_s, free_s, state.at_s)
    before = advance(state, settings, entered_s)
    is_throttled = _is_throttled(before, settings)
    period_s = 1.0 / (settings.rate_hz * (settings.throttle_factor if is_throttled else 1.0))
    # A slower clock holds up the frames before this one too: it never overtakes them.
    finished_s = max(entered_s + settings.depth * period_s, state.empty_at_s)
    after = msgspec.structs.replace(
        before,
        program=program,
        busy_until_s=entered_s + period_s,
        empty_at_s=finished_s,
        frames=state.frames + 1,
        swaps=state.swaps + is_swapped,
        is_throttled=is_throttled,
        is_blind=state.is_blind or (fault is not None and fault.kind is FaultKind.SENSOR),
    )
    return after, Outcome(
        state.frames, entered_s, finished_s, is_swapped, fault.kind if fault is not None else None
    )


def advance(state: DeviceState, settings: SimulatorSettings, to_s: float) -> DeviceState:
    """Return the device at a later moment when nothing enters until then.

    A moment before the state's own changes nothing.
    """
    if to_s <= state.at_s:
        return state
    busy_s = min(max(state.busy_until_s - state.at_s, 0.0), to_s - state.at_s)
    idle_s = to_s - state.at_s - busy_s
    warm = _settle(state.temperature_c, settings, settings.active_w, busy_s)
    return msgspec.structs.replace(
        state,
        at_s=to_s,
        temperature_c=_settle(warm, settings, settings.idle_w, idle_s),
        energy_j=state.energy_j + settings.active_w * busy_s + settings.idle_w * idle_s,
        busy_s=state.busy_s + busy_s,
    )


def _settle(start_c: float, settings: SimulatorSettings, power_w: float, time_s: float) -> float:
    """Return the temperature after some time at one power."""
    end_c = settings.ambient_c + settings.warming_c_per_w * power_w
    return end_c + (start_c - end_c) * math.exp(-time_s / settings.inertia_s)


def _is_throttled(state: DeviceState, settings: SimulatorSettings) -> bool:
    limit_c = settings.throttle_at_c - (_COOLER_C if state.is_throttled else 0.0)
    return state.temperature_c >= limit_c


def _fault(state: DeviceState, settings: SimulatorSettings) -> Fault | None:
    return next((fault for fault in settings.faults if fault.frame == state.frames), None)
