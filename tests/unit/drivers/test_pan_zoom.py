from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.drivers.builtin.pan_zoom.camera import CameraPath
from engine.errors import EndOfStreamError, InvalidArgumentError, MediaError

SIZE = {"width": 160, "height": 90}


def _ramp(width: int, height: int) -> np.ndarray[Any, Any]:
    """A photograph whose red says how far right a pixel is, whose green says how far down."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.round(np.stack([x * 255, y * 255, np.zeros_like(x)], axis=2)).astype(np.uint8)


def _window_seen_in(frame: Any) -> tuple[float, float, float, float]:
    """Return left, top, width, height of what a frame of the ramp shows, from its pixels alone."""
    height, width, _ = frame.shape
    columns = frame[..., 0].mean(axis=0) / 255
    rows = frame[..., 1].mean(axis=1) / 255
    slope_x, left = np.polyfit((np.arange(width) + 0.5) / width, columns, 1)
    slope_y, top = np.polyfit((np.arange(height) + 0.5) / height, rows, 1)
    return left, top, slope_x, slope_y


def _write_truth(folder: Path, name: str, *boxes: tuple[str, str]) -> Path:
    text = "".join(f'[["{name}"]]\nlabel = "{label}"\n{rest}\n' for label, rest in boxes)
    path = folder / "truth.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("width", "height"), [(400, 300), (200, 400), (3000, 1200)])
def test_the_truth_fits_the_pixels(
    width: int,
    height: int,
    open_driver: Callable[..., Any],
    make_image: Callable[..., Path],
    tmp_path: Path,
) -> None:
    photograph = make_image(tmp_path / "ramp.png", _ramp(width, height))
    box = np.array([0.4 * width, 0.3 * height, 0.25 * width, 0.5 * height])
    _write_truth(tmp_path, "ramp.png", ("thing", f"box = {box.tolist()}"))
    camera = open_driver("pan-zoom", path=str(photograph), zoom=2.0, rate_hz=2, **SIZE)

    errors = []
    for _ in range(40):
        frame, truth = camera.read()
        left, top, span_x, span_y = _window_seen_in(frame)
        wanted = [
            (box[0] / width - left) / span_x,
            (box[1] / height - top) / span_y,
            box[2] / width / span_x,
            box[3] / height / span_y,
        ]
        for known in truth.objects:
            assert known.label == "thing"
            got = [known.x, known.y, known.width, known.height]
            # a gray level is 1/255 of the photograph, and lines were fitted through many
            assert got == pytest.approx(wanted, abs=0.01, rel=0.006)
            errors.append(np.subtract(got, wanted)[:2])
    assert len(errors) >= 20
    # rounding of gray levels averages out: half a pixel of the frame would be 0.003 or 0.006
    assert np.abs(np.mean(errors, axis=0)).max() < 0.0012


def test_the_same_numbers_give_the_same_frames_and_another_seed_others(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    path = str(make_image(tmp_path / "ramp.png", _ramp(300, 200)))
    first, again = (open_driver("pan-zoom", path=path, **SIZE) for _ in range(2))
    other = open_driver("pan-zoom", path=path, seed=2, **SIZE)

    for _ in range(3):
        again.driver.skip()
    frames = [first.read()[0] for _ in range(4)]

    assert (again.read()[0] == frames[3]).all()
    assert (other.read()[0] != frames[0]).any()


def test_the_camera_moves_smoothly_and_stays_inside() -> None:
    path = CameraPath(aspect=1.4, zoom=3.0, seed=(1, 0))

    windows = [path.window(frame / 25) for frame in range(5000)]

    edges = np.array([[w.x, w.y, w.x + w.width, w.y + w.height] for w in windows])
    assert edges.min() >= 0.0
    assert edges.max() <= 1.0 + 1e-12
    assert np.abs(np.diff(edges, axis=0)).max() < 0.03
    widths = np.array([w.width for w in windows])
    assert widths.max() / widths.min() == pytest.approx(3.0, rel=0.01)
    assert all(w.width / w.height == pytest.approx(1.4) for w in windows)


def test_photographs_follow_each_other_and_then_the_stream_ends(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    for name, value in (("a", 40), ("b", 80), ("c", 120)):
        make_image(tmp_path / f"{name}.png", np.full((50, 50, 3), value, np.uint8))
    camera = open_driver(
        "pan-zoom", path=str(tmp_path), rate_hz=10, seconds_per_picture=0.2, loop=False, **SIZE
    )

    assert [int(frame[0, 0, 0]) for frame in camera.frames()] == [40, 40, 80, 80, 120, 120]
    assert camera.format.frame_count == 6
    with pytest.raises(EndOfStreamError, match="ended after 6 frames"):
        camera.driver.skip()


def test_a_list_of_photographs_is_shown_in_its_order_again_and_again(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    paths = [
        str(make_image(tmp_path / name, np.full((50, 50, 3), value, np.uint8)))
        for name, value in (("b.png", 80), ("a.png", 40))
    ]
    camera = open_driver("pan-zoom", path=paths, rate_hz=1, seconds_per_picture=1, **SIZE)

    assert [int(camera.read()[0][0, 0, 0]) for _ in range(5)] == [80, 40, 80, 40, 80]


def test_an_object_without_a_box_is_the_whole_photograph_and_those_out_of_sight_are_left_out(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_image(tmp_path / "ramp.png", _ramp(400, 100))
    _write_truth(tmp_path, "ramp.png", ("scene", ""), ("corner", "box = [0, 0, 4, 4]"))
    camera = open_driver("pan-zoom", path=str(path), rate_hz=1, **SIZE)

    labels = [[known.label for known in camera.read()[1].objects] for _ in range(60)]

    assert all("scene" in found for found in labels)
    assert ["scene"] in labels


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not toml", "is wrong"),
        ('[["a.png"]]\nlabel = "x"\nbox = [1, 2, 3]', "is wrong: .*length 4"),
        ('[["a.png"]]\nlabel = "x"\nbxo = [1, 2, 3, 4]', "is wrong: .*bxo"),
        (
            '[["a.png"]]\nlabel = "x"\nbox = [60, 0, 5, 5]',
            "box of 'x' in a.png is empty or outside",
        ),
        ('[["a.png"]]\nlabel = "x"\nbox = [1, 1, 0, 5]', "box of 'x' in a.png is empty or outside"),
    ],
)
def test_a_wrong_truth_file_is_named(
    text: str,
    sentence: str,
    open_driver: Callable[..., Any],
    make_image: Callable[..., Path],
    tmp_path: Path,
) -> None:
    path = make_image(tmp_path / "a.png", _ramp(50, 50))
    (tmp_path / "truth.toml").write_text(text)

    with pytest.raises(MediaError, match=sentence) as caught:
        open_driver("pan-zoom", path=str(path), **SIZE)
    assert "truth.toml" in caught.value.message


def test_missing_things_are_named(
    open_driver: Callable[..., Any], make_image: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_image(tmp_path / "a.png", _ramp(50, 50))

    with pytest.raises(MediaError, match=r"image .*b\.png does not exist"):
        open_driver("pan-zoom", path=[str(path), str(tmp_path / "b.png")])
    with pytest.raises(MediaError, match=r"truth file .*no\.toml cannot be read"):
        open_driver("pan-zoom", path=str(path), truth=str(tmp_path / "no.toml"))
    with pytest.raises(InvalidArgumentError, match="needs the parameter 'path'"):
        open_driver("pan-zoom")
