from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dfp.calibration import FRAMES_LIMIT, pack_frames, read_frames, unpack_frames
from engine.errors import InvalidArgumentError
from engine.protocol import TensorInfo

IMAGE = TensorInfo("image", (1, 3, 2, 2), "float32")
BYTES = TensorInfo("bytes", (4,), "uint8")


def frame(value: float = 0.5) -> Any:
    return np.full((3, 2, 2), value, np.float32)


def refused(given: Any, *inputs: TensorInfo) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        read_frames(given, inputs or (IMAGE,), "net")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        [frame()] * 2,
        (frame()[None], frame()[None]),
        [[frame()], [frame()]],
        [{"image": frame()}] * 2,
        {"image": [frame(), frame()]},
        np.stack([frame()] * 2),
        np.stack([frame()[None]] * 2),
        np.full((2, 3, 2, 2), 0.5),
    ],
)
def test_frames_are_given_in_many_ways(given: Any) -> None:
    found = read_frames(given, (IMAGE,), "net")

    assert list(found) == ["image"]
    assert (found["image"].shape, found["image"].dtype) == ((2, 1, 3, 2, 2), np.float32)
    assert (found["image"] == 0.5).all()


def test_one_frame_needs_no_list() -> None:
    assert read_frames(frame(), (IMAGE,), "net")["image"].shape == (1, 1, 3, 2, 2)
    assert read_frames(frame()[None], (IMAGE,), "net")["image"].shape == (1, 1, 3, 2, 2)


def test_several_inputs_are_given_in_their_order() -> None:
    found = read_frames([[frame(), np.arange(4)]] * 3, (IMAGE, BYTES), "net")

    assert {name: array.shape for name, array in found.items()} == {
        "image": (3, 1, 3, 2, 2),
        "bytes": (3, 4),
    }
    assert found["bytes"].dtype == np.uint8


def test_more_frames_than_help_are_left_out() -> None:
    found = read_frames(np.zeros((FRAMES_LIMIT + 9, 4), np.uint8), (BYTES,), "net")

    assert len(found["bytes"]) == FRAMES_LIMIT


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_files_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frames.{suffix}"
    frames = np.stack([frame()] * 3)
    np.save(path, frames) if suffix == "npy" else np.savez(path, image=frames)

    assert len(read_frames(path, (IMAGE,), "net")["image"]) == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((2, 3, 9, 9)), "have the shape (2, 3, 9, 9), a frame has (1, 3, 2, 2)"),
        (np.zeros((0, 3, 2, 2)), "have the shape (0, 3, 2, 2)"),
        ({"picture": frame()}, "for 'picture', but the inputs are 'image'"),
        ({}, "for nothing"),
        ([frame(), np.zeros(2)], "different shapes"),
        ([[1, 2]], "2 arrays for 1 inputs"),
        ([], "a list of frames"),
        (7, "a list of frames"),
        (np.array(["a"]), "hold <U1, not numbers"),
    ],
)
def test_frames_that_do_not_fit_are_refused(given: Any, words: str) -> None:
    assert words in refused(given)


def test_inputs_with_different_numbers_of_frames_are_refused() -> None:
    given = {"image": np.stack([frame()] * 2), "bytes": np.zeros((3, 4))}

    assert "different numbers of frames" in refused(given, IMAGE, BYTES)


@pytest.mark.parametrize(
    "content", [b"", b"not an array", b"PK\x03\x04junk", b"\x93NUMPY\x01\x00v\x00{'descr'"]
)
def test_a_file_that_is_none_is_told_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frames.npy"
    path.write_bytes(content)

    assert "frames.npy cannot be read" in refused(path)


def test_a_file_with_a_pickle_is_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)

    assert "no .npy or .npz file of numbers" in refused(tmp_path / "frames.npy")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "no.npy cannot be read: No such file" in refused(tmp_path / "no.npy")


def test_frames_survive_the_way_to_another_process() -> None:
    frames = {"b": np.arange(3), "a/ü": np.ones((2, 2), np.uint8)}

    found = unpack_frames(pack_frames(frames))

    assert found.keys() == frames.keys()
    for name, array in frames.items():
        np.testing.assert_array_equal(found[name], array)
