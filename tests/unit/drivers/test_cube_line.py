from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import EndOfStreamError, MediaError
from engine.protocol import FrameKind, Truth


@pytest.fixture
def cube() -> np.ndarray[Any, Any]:
    return np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)


def _save(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


def test_lines_come_one_by_one_with_their_classes(
    open_driver: Callable[..., Any], cube: Any, tmp_path: Path
) -> None:
    classes = np.arange(20, dtype=np.uint8).reshape(4, 5)
    camera = open_driver(
        "cube-line",
        path=_save(tmp_path / "cube.npy", cube),
        ground_truth=_save(tmp_path / "gt.npy", classes),
        rate_hz=30,
        loop=False,
    )

    lines = [camera.read() for _ in range(4)]

    assert camera.format.kind is FrameKind.LINE
    assert (camera.format.shape, camera.format.dtype) == ((5, 6), "uint16")
    assert (camera.format.rate_hz, camera.format.frame_count) == (30.0, 4)
    for index, (line, truth) in enumerate(lines):
        assert (line == cube[index]).all()
        assert truth == Truth(classes=tuple(range(5 * index, 5 * index + 5)))
    with pytest.raises(EndOfStreamError, match="ended after 4 lines"):
        camera.read()


def test_a_looping_camera_begins_anew_and_skips(
    open_driver: Callable[..., Any], cube: Any, tmp_path: Path
) -> None:
    camera = open_driver("cube-line", path=_save(tmp_path / "cube.npy", cube))

    for _ in range(5):
        camera.driver.skip()
    line, truth = camera.read()

    assert (line == cube[1]).all()
    assert truth is None


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [("uint8", "uint16"), ("float64", "float32"), ("int16", "float32"), (">u2", "uint16")],
)
def test_other_value_types_are_converted(
    dtype: str, wanted: str, open_driver: Callable[..., Any], cube: Any, tmp_path: Path
) -> None:
    camera = open_driver("cube-line", path=_save(tmp_path / "c.npy", cube.astype(dtype)))

    line, _ = camera.read()

    assert camera.format.dtype == wanted
    assert line.tolist() == cube[0].tolist()


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 4)), r"has the shape \(3, 4\); a line camera needs three axes"),
        (np.zeros((0, 4, 5)), "has the shape"),
        (np.zeros((2, 3, 4), complex), "real numbers"),
        (np.array(["a"]), "real numbers"),
        (np.array([{}], object), "cannot be read"),
    ],
)
def test_an_array_that_is_no_cube_is_named(
    array: Any, sentence: str, open_driver: Callable[..., Any], tmp_path: Path
) -> None:
    path = _save(tmp_path / "cube.npy", array)

    with pytest.raises(MediaError, match=sentence) as caught:
        open_driver("cube-line", path=path)
    assert path in caught.value.message


def test_a_cut_off_cube_is_named(
    open_driver: Callable[..., Any], cube: Any, tmp_path: Path
) -> None:
    path = Path(_save(tmp_path / "cube.npy", cube))
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(MediaError, match=r"cube .*cube\.npy cannot be read: it is cut off"):
        open_driver("cube-line", path=str(path))


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        (np.zeros((5, 4), np.uint8), r"has the shape \(5, 4\); .* needs \(4, 5\)"),
        (np.zeros((4, 5)), "classes are whole numbers"),
    ],
)
def test_a_ground_truth_that_does_not_fit_is_named(
    truth: Any, sentence: str, open_driver: Callable[..., Any], cube: Any, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match=sentence):
        open_driver(
            "cube-line",
            path=_save(tmp_path / "cube.npy", cube),
            ground_truth=_save(tmp_path / "gt.npy", truth),
        )


def test_a_missing_cube_is_named(open_driver: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cube .*nowhere\.npy does not exist"):
        open_driver("cube-line", path=str(tmp_path / "nowhere.npy"))
