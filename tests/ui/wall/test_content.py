import gc
from math import inf, nan

import numpy as np
import pytest

from engine.protocol import Box, ClassLine, ClassScore, ClassShare, Mask
from tests.ui.wall.fakes import box, plain_picture, preview
from ui.wall.class_colors import ClassColors
from ui.wall.content import MAX_BOXES, prepare

PLAIN = ClassColors()


def test_a_picture_is_wrapped_and_outlives_its_array(qapp: object) -> None:
    picture = plain_picture(4, 3)
    picture[1, 2] = (10, 20, 30, 0)
    content = prepare(preview(picture=picture), PLAIN)
    del picture
    gc.collect()

    assert content.picture is not None
    assert content.picture.pixelColor(2, 1).getRgb()[:3] == (30, 20, 10)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 0, 4), np.uint8),
        np.zeros((5, 0, 4), np.uint8),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.float32),
        None,
    ],
)
def test_what_is_no_picture_is_left_out(picture: object) -> None:
    odd = preview()
    object.__setattr__(odd, "picture", picture)

    assert prepare(odd, PLAIN).picture is None


def test_a_picture_with_gaps_between_its_rows_is_shown_right() -> None:
    wide = np.arange(4 * 6 * 4, dtype=np.uint8).reshape(4, 6, 4)
    content = prepare(preview(picture=wide[:, ::2]), PLAIN)

    assert content.picture is not None
    assert content.picture.width() == 3
    assert content.picture.pixelColor(1, 0).blue() == wide[0, 2, 0]


@pytest.mark.parametrize(
    "place",
    [
        {"x": nan},
        {"width": inf},
        {"width": 0.0},
        {"height": -1.0},
        {"x": 2.0},
        {"y": -3.0, "height": 1.0},
    ],
)
def test_a_box_that_cannot_be_drawn_is_left_out(place: dict[str, float]) -> None:
    content = prepare(preview(boxes=(box(**place), box("dog"))), PLAIN)

    assert [mark.text for mark in content.boxes] == ["dog 0.83"]


def test_a_box_beyond_the_picture_is_cut_at_its_edges() -> None:
    (mark,) = prepare(preview(boxes=(box(x=-1.0, width=5.0),)), PLAIN).boxes

    assert (mark.area.left(), mark.area.right()) == (0.0, 1.0)


def test_a_score_that_is_not_a_number_counts_as_nothing() -> None:
    content = prepare(preview(boxes=(box("cat", nan),)), PLAIN)

    assert content.boxes[0].text == "cat 0.00"


def test_very_many_boxes_are_cut() -> None:
    assert len(prepare(preview(boxes=(box(),) * 5000), PLAIN).boxes) == MAX_BOXES


def test_landmarks_outside_or_unpaired_are_left_out() -> None:
    face = Box(0, "face", 0.9, 0.1, 0.1, 0.5, 0.5, (0.2, 0.3, 7.0, 0.1, nan, 0.5, 0.4))
    (mark,) = prepare(preview(boxes=(face,)), PLAIN).boxes

    assert [(point.x(), point.y()) for point in mark.points] == [(0.2, 0.3)]


def test_three_strongest_classes_are_kept() -> None:
    classes = tuple(ClassScore(i, f"c{i}", 1.0 - i / 10) for i in range(5))

    scores = prepare(preview(classes=classes), PLAIN).scores

    assert [score.label for score in scores] == ["c0", "c1", "c2"]


@pytest.mark.parametrize(
    "mask", [Mask(4, 4, b"short"), Mask(0, 0, b""), Mask(-1, 4, b""), Mask(3, 3, b"0" * 10)]
)
def test_a_mask_whose_size_does_not_fit_is_left_out(mask: Mask) -> None:
    assert prepare(preview(mask=mask), PLAIN).tint is None


def test_a_mask_may_be_smaller_than_the_picture() -> None:
    colors = ClassColors(("background", "cat"))
    content = prepare(preview(mask=Mask(2, 1, bytes((0, 1)))), colors)

    assert content.tint is not None
    assert content.tint.pixelColor(0, 0).alpha() == 0
    assert content.tint.pixelColor(1, 0).alpha() > 0


def test_shares_of_a_waterfall_are_those_of_all_lines_shown() -> None:
    class_map = np.array([[1, 1], [2, 255]], np.uint8)
    line = ClassLine(bytes(2), b"", (ClassShare(9, "else", 1.0),))
    content = prepare(
        preview(class_map=class_map, line=line), ClassColors(("background", "corn", "oats"))
    )

    assert content.is_waterfall
    assert [(entry.label, entry.share) for entry in content.legend] == [
        ("corn", 0.5),
        ("oats", 0.25),
    ]


def test_without_labels_the_shares_of_the_newest_line_are_shown() -> None:
    line = ClassLine(bytes(2), b"", (ClassShare(9, "else", 1.0), ClassShare(0, "background", 0.2)))
    content = prepare(preview(class_map=np.zeros((2, 2), np.uint8), line=line), PLAIN)

    assert [entry.label for entry in content.legend] == ["else"]


def test_a_class_map_of_another_kind_is_left_out() -> None:
    assert prepare(preview(class_map=np.zeros((2, 2), np.float32)), PLAIN).tint is None


def test_the_result_is_told_in_words() -> None:
    assert prepare(preview(boxes=(box("cat", 0.83),)), PLAIN).told == "cat 0.83"
