"""The driver in docs/drivers.md works as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.drivers import DriverCatalog, DriverProcess, FrameReady

DOCS = Path(__file__).parents[3] / "docs" / "drivers.md"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Write the files that the page shows after their names."""
    text = DOCS.read_text(encoding="utf-8")
    for name, content in re.findall(
        r"`(moving-square/[\w.]+)`:\n\n```\w+\n(.*?)```", text, re.DOTALL
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_the_example_has_no_more_than_fifty_lines(example: Path) -> None:
    lines = [len(path.read_text().splitlines()) for path in (example / "moving-square").iterdir()]

    assert len(lines) == 2
    assert sum(lines) <= 50


def test_the_example_runs_and_its_truth_fits_its_pixels(
    example: Path, run_driver: Callable[..., DriverProcess]
) -> None:
    process = run_driver(DriverCatalog([example]).get("moving-square"), {"size": 20})
    process.start()

    for _ in range(3):
        event = process.receive(5.0)
        assert isinstance(event, FrameReady)
        assert event.truth is not None
        square = event.truth.objects[0]
        frame = process.frame(event.slot)
        x = round(square.x * 320)
        assert x == 2 * event.frame_id
        assert (frame[:20, x : x + 20] == 255).all()
        assert int(frame.sum()) == 20 * 20 * 3 * 255
        process.free(event.slot)
