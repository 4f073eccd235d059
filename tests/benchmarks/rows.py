"""One line of the table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    ours: str
    bare: str = ""
    ratio: str = ""
    wanted: str = ""
    verdict: str = ""


def compared(
    what: str, ours: float, bare: float, unit: str, *, at_least: float = 0, at_most: float = 0
) -> Row:
    """Compare two figures of the same unit; exactly one bound is given."""
    ratio = ours / bare if bare else float("inf")
    is_good = ratio >= at_least if at_least else ratio <= at_most
    wanted = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
    return Row(
        what,
        f"{ours:.1f} {unit}",
        f"{bare:.1f} {unit}",
        f"{ratio:.3f}",
        wanted,
        "ok" if is_good else "MISSED",
    )


def bounded(what: str, value: float, unit: str, at_most: float) -> Row:
    """Compare a figure with a bound."""
    verdict = "ok" if value <= at_most else "MISSED"
    return Row(what, f"{value:.1f} {unit}", wanted=f"<= {at_most:g} {unit}", verdict=verdict)
