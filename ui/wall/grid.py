"""Where the tiles stand: the grid in which pictures of 16:9 become as large as possible."""

from dataclasses import dataclass
from math import ceil

__all__ = ("Cell", "best_columns", "grid")

ASPECT = 16 / 9


@dataclass(frozen=True)
class Cell:
    """Place of a tile in pixels."""

    x: int
    y: int
    width: int
    height: int


def best_columns(count: int, width: int, height: int, *, gap: int, strip: int) -> int:
    """Return how many columns give the widest picture; with equal width the fewest free cells."""

    def rank(columns: int) -> tuple[int, int]:
        rows = ceil(count / columns)
        cell_width = (width - gap * (columns - 1)) / columns
        cell_height = (height - gap * (rows - 1)) / rows - strip
        picture = min(cell_width, cell_height * ASPECT)
        return int(picture), count - columns * rows

    return max(range(1, count + 1), key=rank, default=1)


def grid(count: int, width: int, height: int, *, gap: int = 8, strip: int = 28) -> list[Cell]:
    """Return the cells of `count` tiles in an area, row by row.

    Parameters
    ----------
    gap : pixels between tiles.
    strip : pixels of a tile's height that are not picture.
    """
    if count < 1:
        return []
    columns = best_columns(count, width, height, gap=gap, strip=strip)
    rows = ceil(count / columns)
    cells = []
    for index in range(count):
        row, column = divmod(index, columns)
        left, right = _span(column, columns, width, gap)
        top, bottom = _span(row, rows, height, gap)
        cells.append(Cell(left, top, max(1, right - left), max(1, bottom - top)))
    return cells


def _span(index: int, count: int, size: int, gap: int) -> tuple[int, int]:
    """Return first and last pixel of a cell, so that all cells together fill the size exactly."""
    step = (size + gap) / count
    return round(index * step), round((index + 1) * step) - gap
