"""The colors can be read: contrast is computed from the tokens, as WCAG 2 says."""

import pytest

from ui.shell.tokens import DARK, LIGHT, Tokens, contrast, mix

THEMES = {"dark": DARK, "light": LIGHT}
GROUNDS = ("window", "surface", "raised")
TEXTS = ("text", "muted", "accent", "ok", "warn", "error", "info")


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_every_text_color_has_a_contrast_of_at_least_4_5(name: str, ground: str, text: str) -> None:
    tokens = THEMES[name]
    assert contrast(getattr(tokens, text), getattr(tokens, ground)) >= 4.5


@pytest.mark.parametrize("tokens", THEMES.values(), ids=THEMES)
def test_text_on_a_primary_button_has_a_contrast_of_at_least_4_5(tokens: Tokens) -> None:
    assert contrast(tokens.window, tokens.accent) >= 4.5


@pytest.mark.parametrize("tokens", THEMES.values(), ids=THEMES)
def test_text_on_tints_of_banners_and_selections_stays_legible(tokens: Tokens) -> None:
    for tint in (mix(tokens.surface, tokens.error, 0.14), mix(tokens.surface, tokens.accent, 0.18)):
        assert contrast(tokens.text, tint) >= 4.5


@pytest.mark.parametrize("tokens", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_every_series_color_has_a_contrast_of_at_least_3(tokens: Tokens, ground: str) -> None:
    worst = min(contrast(color, getattr(tokens, ground)) for color in tokens.series)
    assert worst >= 3.0


def test_both_themes_have_the_same_number_of_different_series_colors() -> None:
    assert len(set(DARK.series)) == len(set(LIGHT.series)) == 7


def test_black_on_white_has_the_greatest_contrast_there_is() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
