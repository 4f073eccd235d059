import pytest

from ui.shell.tokens import contrast
from ui.wall.class_colors import CLASS_COLORS, NO_CLASS, ClassColors, text_on


def test_the_same_name_has_the_same_color_whoever_asks() -> None:
    assert ClassColors().color("cat") == ClassColors(("dog", "fish")).color("cat")
    assert ClassColors(("cat", "dog")).color("cat") == ClassColors(("cat", "dog")).color("cat")


def test_24_classes_of_one_program_never_share_a_color() -> None:
    labels = [f"class {index}" for index in range(24)]
    colors = ClassColors(labels)

    assert len({colors.color(label) for label in labels}) == 24


def test_a_25th_class_gets_a_color_as_well() -> None:
    labels = [f"class {index}" for index in range(90)]

    assert {ClassColors(labels).color(label) for label in labels} == set(CLASS_COLORS)


@pytest.mark.parametrize("color", CLASS_COLORS)
def test_text_on_every_class_color_is_legible(color: str) -> None:
    assert contrast(text_on(color), color) >= 4.5


def test_background_and_no_class_are_invisible_in_the_table() -> None:
    table = ClassColors(("background", "corn")).table(1.0)

    assert table[0] == 0
    assert table[NO_CLASS] == 0
    assert f"#{int(table[1]) & 0xFFFFFF:06X}" == ClassColors(("background", "corn")).color("corn")


def test_the_table_is_premultiplied() -> None:
    table = ClassColors(("corn",)).table(0.5)
    alpha = int(table[0]) >> 24

    assert alpha == 128
    assert all((int(table[0]) >> shift) & 0xFF <= alpha for shift in (0, 8, 16))
