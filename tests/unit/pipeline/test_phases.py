import pytest

from engine.errors import EngineBugError
from engine.pipeline.phases import next_phase
from engine.protocol import StreamPhase


@pytest.mark.parametrize(
    ("events", "end"),
    [
        (["start", "opened", "stop", "stopped"], StreamPhase.STOPPED),
        (["start", "opened", "source_ended"], StreamPhase.FINISHED),
        (["start", "opened", "driver_died", "start_again", "opened"], StreamPhase.RUNNING),
        (["start", "driver_died", "give_up"], StreamPhase.FAILED),
        (["start", "stop", "stopped"], StreamPhase.STOPPED),
        (["start", "opened", "driver_died", "stop", "stopped"], StreamPhase.STOPPED),
    ],
)
def test_the_table_leads_through_the_lives_of_a_stream(events: list[str], end: StreamPhase) -> None:
    phase = StreamPhase.STOPPED
    for event in events:
        phase = next_phase(phase, event)

    assert phase is end


@pytest.mark.parametrize("phase", list(StreamPhase))
def test_giving_up_is_possible_from_everywhere(phase: StreamPhase) -> None:
    assert next_phase(phase, "give_up") is StreamPhase.FAILED


def test_a_move_that_is_not_in_the_table_is_our_bug() -> None:
    with pytest.raises(EngineBugError, match="'opened' while stopped"):
        next_phase(StreamPhase.STOPPED, "opened")
