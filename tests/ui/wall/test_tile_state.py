import pytest

from engine.protocol import FrameFormat, FrameKind, StreamPhase
from tests.ui.wall.fakes import LINES_60_HZ, SECOND_NS, figures, stream
from ui.wall.tile_state import PHASE_TONE, PHASE_WORD, DropWatch, notice, stall_limit_s, strip


def test_the_strip_tells_rates_age_and_drops() -> None:
    told = strip(stream(), figures(dropped={"superseded": 1200, "queue_full": 34}))

    assert (told.rates, told.age) == ("30.0 | 29.8 fps", "22 ms")
    assert told.drops == "1\u202f234 dropped"
    assert not told.is_dropping


def test_a_stream_without_drops_says_so() -> None:
    assert strip(stream(), figures()).drops == "no drops"


def test_a_line_camera_counts_lines() -> None:
    assert strip(stream(frame_format=LINES_60_HZ), figures()).rates.endswith("lines/s")


def test_without_figures_only_the_name_stands_in_the_strip() -> None:
    told = strip(stream("cam"), None)

    assert (told.name, told.rates, told.age, told.drops) == ("cam", "", "", "")


@pytest.mark.parametrize("phase", list(StreamPhase))
def test_every_phase_has_word_tone_and_sentence(phase: StreamPhase) -> None:
    headline, sentence = notice(stream(phase=phase), has_picture=False)

    assert headline.lower() == PHASE_WORD[phase]
    assert sentence.endswith(".")
    assert PHASE_TONE[phase]


def test_a_failed_stream_shows_its_own_sentence() -> None:
    state = stream(
        phase=StreamPhase.FAILED, message="The file video.mp4 is missing; choose another."
    )

    assert notice(state, has_picture=True)[1] == state.message


def test_a_running_stream_with_a_picture_needs_no_words() -> None:
    assert notice(stream(), has_picture=True) == ("", "")


def test_a_slow_source_is_not_stalled_between_two_of_its_frames() -> None:
    slow = stream(frame_format=FrameFormat(FrameKind.IMAGE, (9, 16, 3), "uint8", 0.5))

    assert stall_limit_s(slow) == 6.0
    assert stall_limit_s(stream()) == 1.0
    assert stall_limit_s(stream(frame_format=None)) == 1.0


def test_old_drops_are_no_warning_but_new_ones_are_for_a_while() -> None:
    watch = DropWatch(memory_s=3.0)
    once = figures(dropped={"superseded": 5})
    more = figures(dropped={"superseded": 6})
    told = [
        watch.update(once, 0),
        watch.update(more, SECOND_NS),
        watch.update(more, 3 * SECOND_NS),
        watch.update(more, 5 * SECOND_NS),
    ]

    assert told == [False, True, True, False]


def test_a_counter_that_begins_anew_is_no_drop() -> None:
    watch = DropWatch()
    watch.update(figures(dropped={"late": 9}), 0)

    assert not watch.update(figures(dropped={"late": 1}), SECOND_NS)
    assert not watch.update(None, SECOND_NS)
