"""Colors, sizes and spacing of the window as plain values."""

from dataclasses import dataclass

__all__ = (
    "BODY_PT",
    "CAPTION_PT",
    "DARK",
    "FIGURE_PT",
    "ICON_PX",
    "LIGHT",
    "RADIUS_PX",
    "SPACE_L",
    "SPACE_M",
    "SPACE_S",
    "SPACE_XL",
    "SPACE_XS",
    "TITLE_PT",
    "Tokens",
    "contrast",
    "luminance",
    "mix",
)

CAPTION_PT = 8.5
BODY_PT = 10.0
TITLE_PT = 12.0
FIGURE_PT = 16.0

SPACE_XS = 4
SPACE_S = 8
SPACE_M = 12
SPACE_L = 16
SPACE_XL = 24

RADIUS_PX = 6
ICON_PX = 20


@dataclass(frozen=True)
class Tokens:
    """The colors of one theme, each as "#RRGGBB".

    `series` are the colors of curves, boxes and classes in the order they are to be used; each
    keeps a contrast of at least 3:1 on `surface`.
    """

    window: str
    surface: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    ok: str
    warn: str
    error: str
    info: str
    series: tuple[str, ...]


DARK = Tokens(
    window="#15181C",
    surface="#1D2126",
    raised="#252A31",
    border="#313841",
    text="#E7EAEE",
    muted="#9BA5B1",
    accent="#3CC4C0",
    ok="#5BC27A",
    warn="#E5B045",
    error="#F0716A",
    info="#6AA9F0",
    series=("#56B4E9", "#E69F00", "#00AE7F", "#D68BB4", "#F0E442", "#E8701A", "#0F8FDB"),
)

LIGHT = Tokens(
    window="#F5F6F8",
    surface="#FFFFFF",
    raised="#EEF1F4",
    border="#D5DBE2",
    text="#1A1F25",
    muted="#58636F",
    accent="#0A7773",
    ok="#1E7B3E",
    warn="#8F5F00",
    error="#B3261E",
    info="#1D5FAF",
    series=("#0072B2", "#B17A00", "#008A65", "#B8578D", "#7D7400", "#D55E00", "#1B8CCD"),
)


def luminance(color: str) -> float:
    """Return the relative luminance (0..1) of a color, as WCAG 2 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colors, 1 (none) to 21 (black on white)."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def mix(first: str, second: str, share: float) -> str:
    """Return `first` with `share` (0..1) of `second` in it, for tints that carry no text."""
    pairs = ((int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)
