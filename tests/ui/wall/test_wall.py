from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from engine.protocol import StreamPhase
from tests.ui.wall.fakes import (
    FakeClock,
    FakePreviews,
    figures,
    preview,
    snapshot,
    stream,
    telemetry,
)
from ui.shell.theme import Theme
from ui.wall import TileWall
from ui.wall.tile import Tile

Make = Callable[..., TileWall]


def tiles(wall: TileWall) -> dict[str, Tile]:
    return {tile.name: tile for tile in wall.findChildren(Tile)}


def shown(wall: TileWall) -> list[str]:
    return [name for name, tile in tiles(wall).items() if not tile.isHidden()]


def four(make_wall: Make) -> TileWall:
    return make_wall(*(stream(name) for name in "abcd"))


def test_every_stream_has_a_tile_in_order(make_wall: Make) -> None:
    assert list(tiles(four(make_wall))) == ["a", "b", "c", "d"]


def test_at_most_36_tiles_are_made(make_wall: Make) -> None:
    assert len(tiles(make_wall(*(stream(f"s{i}") for i in range(50))))) == 36


def test_a_tile_stays_when_other_streams_come_and_go(make_wall: Make, qtbot: QtBot) -> None:
    wall = make_wall(stream("a"), stream("b"))
    kept = tiles(wall)["b"]
    wall.set_snapshot(snapshot(stream("b"), stream("c")))
    qtbot.waitUntil(lambda: set(tiles(wall)) == {"b", "c"})

    assert tiles(wall)["b"] is kept


def test_without_streams_the_wall_offers_to_open_a_project(make_wall: Make, qtbot: QtBot) -> None:
    wall = make_wall()
    button = wall.findChild(QPushButton, "open_project")
    assert isinstance(button, QPushButton)
    assert button.isVisible()

    with qtbot.waitSignal(wall.open_requested):
        button.click()


def test_the_offer_goes_when_a_stream_comes(make_wall: Make) -> None:
    wall = make_wall()
    wall.set_snapshot(snapshot(stream()))
    empty = wall.findChild(QWidget, "empty_wall")

    assert isinstance(empty, QWidget)
    assert empty.isHidden()


def test_a_tick_asks_only_for_visible_tiles(make_wall: Make, previews: FakePreviews) -> None:
    wall = four(make_wall)
    wall.enlarge("c")
    wall.tick()

    assert previews.asked == ["c"]


def test_a_hidden_wall_asks_for_nothing(make_wall: Make, previews: FakePreviews) -> None:
    wall = four(make_wall)
    wall.hide()
    wall.tick()

    assert previews.asked == []


def test_a_frozen_wall_asks_for_nothing_and_says_since_when(
    make_wall: Make, previews: FakePreviews, clock: FakeClock
) -> None:
    wall = make_wall(stream())
    previews.waiting["street"] = preview()
    wall.tick()
    previews.asked.clear()
    wall.set_frozen(True)
    clock.pass_s(60)
    wall.tick()

    assert previews.asked == []
    assert tiles(wall)["street"].badge.startswith("frozen since ")


def test_a_wall_that_runs_again_is_not_called_stalled_at_once(
    make_wall: Make, previews: FakePreviews, clock: FakeClock
) -> None:
    wall = make_wall(stream())
    previews.waiting["street"] = preview()
    wall.tick()
    wall.set_frozen(True)
    clock.pass_s(60)
    wall.set_frozen(False)
    wall.tick()

    assert tiles(wall)["street"].badge == ""


def test_a_new_picture_ends_the_stall(
    make_wall: Make, previews: FakePreviews, clock: FakeClock
) -> None:
    wall = make_wall(stream())
    previews.waiting["street"] = preview()
    wall.tick()
    clock.pass_s(5)
    wall.tick()
    stalled = tiles(wall)["street"].badge
    previews.waiting["street"] = preview(sequence=2)
    wall.tick()

    assert stalled == "nothing new for 5 s"
    assert tiles(wall)["street"].badge == ""


def test_a_stopped_stream_is_never_stalled(
    make_wall: Make, previews: FakePreviews, clock: FakeClock
) -> None:
    wall = make_wall(stream())
    previews.waiting["street"] = preview()
    wall.tick()
    wall.set_snapshot(snapshot(stream(phase=StreamPhase.STOPPED)))
    clock.pass_s(5)
    wall.tick()

    assert tiles(wall)["street"].badge == ""


def test_a_click_selects_the_tile(make_wall: Make, qtbot: QtBot) -> None:
    wall = four(make_wall)

    with qtbot.waitSignal(wall.selected) as told:
        qtbot.mouseClick(tiles(wall)["b"], Qt.MouseButton.LeftButton)

    assert told.args == ["b"]


def test_selecting_from_outside_tells_nobody(make_wall: Make, qtbot: QtBot) -> None:
    wall = four(make_wall)
    with qtbot.assertNotEmitted(wall.selected):
        wall.set_selected("b")

    assert "selected" in tiles(wall)["b"].accessibleName()


def test_a_double_click_enlarges_and_escape_shows_all(make_wall: Make, qtbot: QtBot) -> None:
    wall = four(make_wall)
    qtbot.mouseDClick(tiles(wall)["c"], Qt.MouseButton.LeftButton)
    alone = shown(wall)
    width = tiles(wall)["c"].width()
    qtbot.keyClick(wall, Qt.Key.Key_Escape)

    assert alone == ["c"]
    assert width == wall.width() - 16
    assert shown(wall) == ["a", "b", "c", "d"]


def test_a_second_double_click_shows_all(make_wall: Make, qtbot: QtBot) -> None:
    wall = four(make_wall)
    qtbot.mouseDClick(tiles(wall)["c"], Qt.MouseButton.LeftButton)
    qtbot.mouseDClick(tiles(wall)["c"], Qt.MouseButton.LeftButton)

    assert wall.enlarged == ""


def test_removing_the_enlarged_stream_shows_the_others(make_wall: Make) -> None:
    wall = four(make_wall)
    wall.enlarge("c")
    wall.set_snapshot(snapshot(stream("a"), stream("b")))

    assert wall.enlarged == ""


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ([Qt.Key.Key_Right], "a"),
        ([Qt.Key.Key_Right, Qt.Key.Key_Right], "b"),
        ([Qt.Key.Key_Right, Qt.Key.Key_Down], "c"),
        ([Qt.Key.Key_Right, Qt.Key.Key_Left], "a"),
    ],
)
def test_arrow_keys_move_the_selection(
    make_wall: Make, qtbot: QtBot, keys: list[Qt.Key], chosen: str
) -> None:
    wall = four(make_wall)
    told: list[str] = []
    wall.selected.connect(told.append)
    for key in keys:
        qtbot.keyClick(wall, key)

    assert told[-1] == chosen


def test_wanted_previews_are_told_once_with_their_size(make_wall: Make, qtbot: QtBot) -> None:
    wall = make_wall(stream("a"), stream("b"))
    with qtbot.waitSignal(wall.previews_wanted) as told:
        pass
    area = tiles(wall)["a"].picture_size_px()

    assert told.args == [
        [("a", True, area.width(), area.height()), ("b", True, area.width(), area.height())]
    ]
    with qtbot.assertNotEmitted(wall.previews_wanted, wait=200):
        wall.set_snapshot(snapshot(stream("a"), stream("b"), version=2))


def test_only_the_enlarged_tile_is_watched(make_wall: Make, qtbot: QtBot) -> None:
    wall = make_wall(stream("a"), stream("b"))
    with qtbot.waitSignal(wall.previews_wanted):
        pass
    with qtbot.waitSignal(wall.previews_wanted) as told:
        wall.enlarge("b")

    assert [(name, watched) for name, watched, _, _ in told.args[0]] == [("a", False), ("b", True)]


def test_nothing_is_watched_while_the_wall_is_hidden(make_wall: Make, qtbot: QtBot) -> None:
    wall = make_wall(stream("a"))
    with qtbot.waitSignal(wall.previews_wanted):
        pass
    with qtbot.waitSignal(wall.previews_wanted) as told:
        wall.hide()

    assert told.args[0][0][1] is False


def test_a_tile_tells_name_state_result_and_figures_to_screen_readers(make_wall: Make) -> None:
    wall = make_wall(stream("street"))
    wall.set_telemetry(telemetry(figures("street")))
    tile = tiles(wall)["street"]

    assert tile.accessibleName() == "street, running"
    assert tile.accessibleDescription() == (
        "person 0.71, bicycle 0.55; 30.0 | 29.8 fps, 22 ms, no drops"
    )


def test_a_failed_tile_tells_its_reason_to_screen_readers(make_wall: Make) -> None:
    wall = make_wall(stream(phase=StreamPhase.FAILED, message="The file is missing."))

    assert tiles(wall)["street"].accessibleName() == "street, failed"
    assert tiles(wall)["street"].accessibleDescription() == "The file is missing."


def test_the_gaps_have_the_color_of_the_window(make_wall: Make, theme: Theme) -> None:
    wall = four(make_wall)
    theme.set_mode("light")

    assert wall.grab().toImage().pixelColor(2, 2) == theme.color("window")
