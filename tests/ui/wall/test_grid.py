import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.wall.grid import best_columns, grid


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (9, 3), (16, 4), (36, 6)])
def test_a_wide_wall_is_divided_evenly(count: int, columns: int) -> None:
    assert best_columns(count, 1600, 900 + 28, gap=8, strip=28) == columns


def test_a_tall_narrow_wall_puts_tiles_below_each_other() -> None:
    assert best_columns(3, 300, 900, gap=8, strip=28) == 1


def test_no_tile_no_cell() -> None:
    assert grid(0, 100, 100) == []


@given(st.integers(1, 36), st.integers(0, 4000), st.integers(0, 3000))
def test_tiles_lie_inside_and_never_on_each_other(count: int, width: int, height: int) -> None:
    cells = grid(count, width, height)

    assert len(cells) == count
    assert all(cell.width >= 1 and cell.height >= 1 for cell in cells)
    if width >= 600 and height >= 600:
        assert all(c.x >= 0 and c.x + c.width <= width for c in cells)
        assert all(c.y >= 0 and c.y + c.height <= height for c in cells)
        places = [(x.x, x.y) for x in cells]
        assert len(set(places)) == count
        for first in cells:
            for second in cells:
                if first is not second:
                    assert (
                        first.x + first.width <= second.x
                        or second.x + second.width <= first.x
                        or first.y + first.height <= second.y
                        or second.y + second.height <= first.y
                    )
