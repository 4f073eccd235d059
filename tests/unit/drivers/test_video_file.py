from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from engine.drivers.builtin.video_file.convert import write_rgb
from engine.errors import EndOfStreamError, InvalidArgumentError, MediaError

GRAYS = [16 + 10 * index for index in range(20)]


def _grays(frames: list[Any]) -> list[int]:
    return [round(float(frame.mean())) for frame in frames]


def test_every_frame_arrives_in_order_and_then_the_stream_ends(
    open_driver: Callable[..., Any], make_video: Callable[..., Path], tmp_path: Path
) -> None:
    video = open_driver("video-file", path=str(make_video(tmp_path / "a.mp4")), loop=False)

    assert video.format.shape == (48, 64, 3)
    assert video.format.rate_hz == 10.0
    assert video.format.frame_count == 20
    assert _grays(video.frames()) == pytest.approx(GRAYS, abs=2)
    with pytest.raises(EndOfStreamError, match=r"a\.mp4 ended after 20 frames"):
        video.read()


def test_a_skipped_frame_is_used_up(
    open_driver: Callable[..., Any], make_video: Callable[..., Path], tmp_path: Path
) -> None:
    video = open_driver("video-file", path=str(make_video(tmp_path / "a.mp4")), loop=False)

    video.driver.skip()
    frame, _ = video.read()

    assert _grays([frame]) == pytest.approx(GRAYS[1:2], abs=2)
    assert len(video.frames()) == 18


def test_a_looping_video_begins_anew(
    open_driver: Callable[..., Any], make_video: Callable[..., Path], tmp_path: Path
) -> None:
    video = open_driver("video-file", path=str(make_video(tmp_path / "a.mp4", frames=3)), rate_hz=7)

    grays = _grays([video.read()[0] for _ in range(8)])

    assert grays == pytest.approx([*GRAYS[:3], *GRAYS[:3], *GRAYS[:2]], abs=2)
    assert video.format.frame_count == 0
    assert video.format.rate_hz == 7.0


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_cut_off_file_gives_its_frames_and_then_says_so(
    name: str, open_driver: Callable[..., Any], make_video: Callable[..., Path], tmp_path: Path
) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    path = make_video(tmp_path / name, size=(320, 240), pix_fmt="yuv444p", **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    video = open_driver("video-file", path=str(path))

    grays: list[int] = []
    with pytest.raises(MediaError, match=f"{name} is cut off: it ended after") as caught:
        grays.extend(iter(lambda: round(float(video.read()[0].mean())), None))

    assert 2 <= len(grays) < 20
    assert grays == pytest.approx(GRAYS[: len(grays)], abs=2)
    assert caught.value.details["frames"] == len(grays)


@pytest.mark.expected_log
def test_damage_in_the_middle_does_not_end_the_video(
    open_driver: Callable[..., Any], make_video: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_video(tmp_path / "a.mp4", size=(320, 240), movflags="faststart")
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)

    frames = open_driver("video-file", path=str(path), loop=False).frames()

    assert len(frames) >= 10
    assert _grays(frames[-2:]) == pytest.approx(GRAYS[-2:], abs=2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not exist"),
        (b"", "cannot be opened"),
        (b"this is not a video at all" * 100, "cannot be opened"),
        ("folder", "is a folder"),
        ("no index", "cannot be opened: it is cut off"),
        ("sound", "has no video in it"),
    ],
)
def test_a_file_that_cannot_be_played_is_named(
    content: Any,
    sentence: str,
    open_driver: Callable[..., Any],
    make_video: Callable[..., Path],
    tmp_path: Path,
) -> None:
    path = tmp_path / "bad.mp4"
    if content == "folder":
        path.mkdir()
    elif content == "no index":
        path.write_bytes(make_video(tmp_path / "good.mp4").read_bytes()[:400])
    elif content == "sound":
        path = _write_sound(tmp_path / "bad.wav")
    elif content is not None:
        path.write_bytes(content)

    with pytest.raises(MediaError, match=sentence) as caught:
        open_driver("video-file", path=str(path))
    assert str(path) in caught.value.message


def test_a_list_of_files_is_refused(open_driver: Callable[..., Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="takes one path"):
        open_driver("video-file", path=["a.mp4", "b.mp4"])


@pytest.mark.parametrize("colorspace", [1, 2, 5])
@pytest.mark.parametrize("color_range", [1, 2])
def test_the_short_way_to_rgb_agrees_with_ffmpeg(colorspace: int, color_range: int) -> None:
    random = np.random.default_rng(3)
    smooth = np.kron(random.integers(60, 190, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(smooth, format="rgb24").reformat(format="yuv444p")
    frame.colorspace, frame.color_range = colorspace, color_range
    out = np.zeros((48, 64, 3), np.uint8)

    write_rgb(frame, out)

    # FFmpeg's own way, which an odd target size forces
    space = 1 if colorspace == 1 else 5
    wanted = frame.to_ndarray(
        format="rgb24",
        src_colorspace=space,
        dst_colorspace=space,
        src_color_range=color_range,
        dst_color_range=2,
    )
    assert np.abs(out.astype(int) - wanted).max() <= 3


def test_a_frame_of_another_size_is_scaled() -> None:
    frame = av.VideoFrame.from_ndarray(np.full((30, 40, 3), 77, np.uint8), format="rgb24")
    out = np.zeros((48, 64, 3), np.uint8)

    write_rgb(frame, out)

    assert np.abs(out.astype(int) - 77).max() <= 1


def _write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
