from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import EndOfStreamError
from engine.protocol import FrameKind


def test_the_square_is_where_the_truth_says(open_driver: Callable[..., Any]) -> None:
    camera = open_driver("pattern", width=160, height=96, speed=7)

    for _ in range(50):
        frame, truth = camera.read()
        [square] = truth.objects
        x, y = round(square.x * 160), round(square.y * 96)
        side = round(square.width * 160)
        assert side == round(square.height * 96) == 12
        assert (frame[y : y + side, x : x + side] == (255, 96, 32)).all()
        assert (frame == (255, 96, 32)).all(axis=2).sum() == side * side


def test_the_bars_move_with_the_speed(open_driver: Callable[..., Any]) -> None:
    camera = open_driver("pattern", width=160, height=96, speed=3)

    first, _ = camera.read()
    first = first.copy()
    second, _ = camera.read()

    assert (first[-1, 3:] == second[-1, :-3]).all()
    assert camera.format.kind is FrameKind.IMAGE
    assert camera.format.shape == (96, 160, 3)


def test_the_pattern_ends_after_the_wanted_frames(open_driver: Callable[..., Any]) -> None:
    camera = open_driver("pattern", frames=2)
    camera.read()
    camera.read()

    with pytest.raises(EndOfStreamError, match="after 2 frames"):
        camera.read()
    assert camera.format.frame_count == 2


def test_a_skipped_frame_is_used_up(open_driver: Callable[..., Any]) -> None:
    straight = open_driver("pattern", width=160, height=96)
    skipping = open_driver("pattern", width=160, height=96)
    straight.read()
    skipping.driver.skip()

    assert straight.read()[1] == skipping.read()[1]
