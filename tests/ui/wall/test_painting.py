"""What is painted, checked by the colors of pixels."""

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor, QImage

from engine.protocol import Box, ClassLine, ClassScore, ClassShare, Mask, StreamPhase
from tests.ui.wall.fakes import (
    LINES_60_HZ,
    FakeClock,
    FakePreviews,
    box,
    figures,
    plain_picture,
    preview,
    stream,
    telemetry,
)
from ui.shell.theme import Theme
from ui.wall import TileWall
from ui.wall.class_colors import ClassColors
from ui.wall.tile import Tile

Make = Callable[..., TileWall]

GRAY = QColor(40, 40, 40)


def tile_of(wall: TileWall, name: str = "street") -> Tile:
    tile = wall.findChild(Tile, f"tile_{name}")
    assert isinstance(tile, Tile)
    return tile


def pixel(image: QImage, tile: Tile, x: float, y: float) -> str:
    """Return the color at a place given in fractions of the picture."""
    area = tile.picture_rect()
    at = QPoint(round(area.left() + x * area.width()), round(area.top() + y * area.height()))
    return image.pixelColor(at).name().upper()


def colors_in(image: QImage) -> set[str]:
    return {
        image.pixelColor(x, y).name().upper()
        for x in range(image.width())
        for y in range(image.height())
    }


def test_a_box_is_drawn_where_the_result_says(make_wall: Make, previews: FakePreviews) -> None:
    wall = make_wall(stream())
    previews.waiting["street"] = preview(boxes=(box("cat", x=0.25, y=0.25, width=0.5, height=0.5),))
    wall.tick()
    tile = tile_of(wall)
    image = tile.grab().toImage()
    color = ClassColors().color("cat")

    assert pixel(image, tile, 0.25, 0.6) == color
    assert pixel(image, tile, 0.75, 0.6) == color
    assert pixel(image, tile, 0.5, 0.75) == color
    assert pixel(image, tile, 0.5, 0.5) == GRAY.name()
    assert pixel(image, tile, 0.1, 0.5) == GRAY.name()


def test_the_picture_itself_is_shown_with_its_colors(
    make_wall: Make, previews: FakePreviews
) -> None:
    picture = plain_picture()
    picture[:90] = (200, 100, 50, 0)
    previews.waiting["street"] = preview(picture=picture)
    wall = make_wall(stream())
    wall.tick()
    tile = tile_of(wall)
    image = tile.grab().toImage()

    assert pixel(image, tile, 0.5, 0.25) == "#3264C8"
    assert pixel(image, tile, 0.5, 0.75) == "#282828"


def test_hidden_overlays_leave_the_picture_alone(make_wall: Make, previews: FakePreviews) -> None:
    wall = make_wall(stream())
    previews.waiting["street"] = preview(boxes=(box("cat"),))
    wall.tick()
    wall.overlay_action.trigger()
    tile = tile_of(wall)

    assert pixel(tile.grab().toImage(), tile, 0.25, 0.5) == GRAY.name()


def test_landmarks_are_dots_in_the_color_of_the_box(
    make_wall: Make, previews: FakePreviews
) -> None:
    face = Box(0, "face", 0.9, 0.2, 0.2, 0.6, 0.6, (0.5, 0.5))
    previews.waiting["street"] = preview(boxes=(face,))
    wall = make_wall(stream())
    wall.tick()
    tile = tile_of(wall)

    assert pixel(tile.grab().toImage(), tile, 0.5, 0.5) == ClassColors().color("face")


def test_a_mask_tints_only_its_class(make_wall: Make, previews: FakePreviews) -> None:
    labels = ("background", "cat")
    classes = bytes((0, 1))
    previews.waiting["street"] = preview(mask=Mask(2, 1, classes, (ClassShare(1, "cat", 0.5),)))
    wall = make_wall(stream(), labels=labels)
    wall.tick()
    tile = tile_of(wall)
    image = tile.grab().toImage()

    assert pixel(image, tile, 0.25, 0.3) == GRAY.name()
    tinted = QColor(pixel(image, tile, 0.75, 0.3))
    wanted = QColor(ClassColors(labels).color("cat"))
    assert abs(tinted.red() - (wanted.red() + 40) / 2) <= 2
    assert abs(tinted.blue() - (wanted.blue() + 40) / 2) <= 2


def test_a_waterfall_fills_its_place_and_has_a_legend(
    make_wall: Make, previews: FakePreviews
) -> None:
    class_map = np.full((256, 145), 255, np.uint8)
    class_map[-64:] = 1
    labels = ("background", "corn")
    line = ClassLine(bytes(145), b"", (ClassShare(1, "corn", 1.0),))
    previews.waiting["line"] = preview(
        "line", picture=plain_picture(145, 256), class_map=class_map, line=line
    )
    wall = make_wall(stream("line", frame_format=LINES_60_HZ), labels=labels)
    wall.tick()
    tile = tile_of(wall, "line")
    image = tile.grab().toImage()

    assert pixel(image, tile, 0.5, 0.5) == GRAY.name()
    assert pixel(image, tile, 0.5, 0.9) != GRAY.name()
    assert tile.picture_rect().width() < tile.width() * 0.8
    beside = image.copy(int(tile.picture_rect().right()) + 8, 0, 60, 60)
    assert ClassColors(labels).color("corn") in colors_in(beside)


def test_class_bars_are_as_long_as_their_scores(make_wall: Make, previews: FakePreviews) -> None:
    classes = (ClassScore(1, "parrot", 1.0), ClassScore(2, "duck", 0.0))
    previews.waiting["street"] = preview(classes=classes)
    wall = make_wall(stream())
    wall.tick()
    shown = colors_in(tile_of(wall).grab().toImage())

    assert ClassColors().color("parrot") in shown
    assert ClassColors().color("duck") not in shown


def test_the_selected_tile_has_a_border_in_the_accent_color(make_wall: Make, theme: Theme) -> None:
    wall = make_wall(stream())
    tile = tile_of(wall)
    before = tile.grab().toImage().pixelColor(1, tile.height() // 2)
    wall.set_selected("street")
    image = tile.grab().toImage()

    assert before != theme.color("accent")
    for x in (0, 1):
        assert image.pixelColor(x, tile.height() // 2) == theme.color("accent")


def test_a_stalled_picture_is_dimmed(
    make_wall: Make, previews: FakePreviews, clock: FakeClock
) -> None:
    wall = make_wall(stream())
    previews.waiting["street"] = preview()
    wall.tick()
    tile = tile_of(wall)
    fresh = pixel(tile.grab().toImage(), tile, 0.1, 0.1)
    clock.pass_s(1.5)
    wall.tick()

    assert tile.badge == "nothing new for 1 s"
    assert fresh == GRAY.name()
    assert pixel(tile.grab().toImage(), tile, 0.1, 0.1) != fresh


def test_changing_the_theme_repaints_the_strip(make_wall: Make, theme: Theme) -> None:
    wall = make_wall(stream())
    wall.set_telemetry(telemetry(figures()))
    tile = tile_of(wall)
    theme.set_mode("light")
    image = tile.grab().toImage()

    assert image.pixelColor(tile.width() // 2, tile.height() - 5) == theme.color("surface")


@pytest.mark.parametrize("phase", list(StreamPhase))
@pytest.mark.parametrize("size", [(656, 404), (60, 40), (1, 1), (300, 60), (40, 500)])
def test_every_phase_is_painted_at_any_size(
    make_wall: Make, previews: FakePreviews, phase: StreamPhase, size: tuple[int, int]
) -> None:
    wall = make_wall(stream(phase=phase, message="A sentence that is long enough to be wrapped."))
    wall.set_telemetry(telemetry(figures()))
    face = Box(0, "a long class name that does not fit", 0.9, 0.0, 0.0, 1.0, 1.0, (0.5, 0.5))
    found = {
        "boxes": (face, box(y=0.0, height=0.001)),
        "classes": (ClassScore(0, "x" * 200, 0.5),) * 4,
        "mask": Mask(2, 2, bytes(4), tuple(ClassShare(i, f"c{i}", 0.1) for i in range(9))),
    }
    previews.waiting["street"] = preview(**found)
    wall.tick()
    tile = tile_of(wall)
    tile.resize(*size)

    assert not tile.grab().isNull()
    assert not tile._is_broken


@pytest.mark.expected_log
def test_a_fault_while_painting_is_logged_once_and_harms_nobody(
    make_wall: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wall = make_wall(stream())
    tile = tile_of(wall)
    monkeypatch.setattr(tile, "_paint", lambda *_: 1 / 0)
    tile.grab()
    tile.grab()

    assert [record.getMessage() for record in caplog.records] == [
        "the tile of stream 'street' cannot be drawn and stays empty"
    ]
