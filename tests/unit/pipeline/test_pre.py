"""Frames become tensors: fit, channels, normalization, and the way back."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engine.config import Normalization, PreSettings, ResizeMode
from engine.errors import InvalidArgumentError
from engine.pipeline.pre import Geometry, Preprocessor
from engine.protocol import FrameFormat, FrameKind, TensorInfo

RED, GREEN, BLUE = (200, 0, 0), (0, 150, 0), (0, 0, 100)


def picture_format(height: int, width: int) -> FrameFormat:
    return FrameFormat(kind=FrameKind.IMAGE, shape=(height, width, 3), dtype="uint8")


def line_format(pixels: int, bands: int, dtype: str = "uint16") -> FrameFormat:
    return FrameFormat(kind=FrameKind.LINE, shape=(pixels, bands), dtype=dtype)


def random_picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain_picture(height: int, width: int, color: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    return np.broadcast_to(np.array(color, np.uint8), (height, width, 3)).copy()


def process(
    settings: PreSettings, shape: tuple[int, ...], dtype: str, frame: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], Geometry]:
    frame_format = (
        picture_format(*frame.shape[:2])
        if frame.ndim == 3
        else line_format(*frame.shape, dtype=str(frame.dtype))
    )
    preprocessor = Preprocessor(settings, TensorInfo("in", shape, dtype), frame_format)
    out = preprocessor.new_tensor()
    out.fill(7)  # whatever an earlier frame left
    geometry = preprocessor(frame, out)
    return out, geometry


def to_frame(geometry: Geometry, x: float, y: float) -> tuple[float, float]:
    return (
        x * geometry.scale_x + geometry.offset_x,
        y * geometry.scale_y + geometry.offset_y,
    )


def test_a_frame_of_the_right_size_is_passed_on_unchanged() -> None:
    frame = random_picture(4, 6)
    settings = PreSettings(resize=ResizeMode.NONE, layout="nhwc")

    out, geometry = process(settings, (1, 4, 6, 3), "uint8", frame)

    np.testing.assert_array_equal(out[0], frame)
    assert geometry == Geometry()


@pytest.mark.parametrize(("channels", "order"), [("rgb", [0, 1, 2]), ("bgr", [2, 1, 0])])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_channels_are_in_the_order_that_the_model_wants(
    channels: str, order: list[int], dtype: str
) -> None:
    frame = random_picture(4, 6)

    planar, _ = process(PreSettings(channels=channels), (1, 3, 4, 6), dtype, frame)
    interleaved, _ = process(
        PreSettings(channels=channels, layout="nhwc"), (1, 4, 6, 3), dtype, frame
    )

    np.testing.assert_array_equal(planar[0], frame[:, :, order].transpose(2, 0, 1))
    np.testing.assert_array_equal(interleaved[0], frame[:, :, order])


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_gray_weighs_the_colors_as_eyes_do(layout: str) -> None:
    shape = (1, 1, 2, 2) if layout == "nchw" else (1, 2, 2, 1)
    settings = PreSettings(channels="gray", layout=layout)

    out, _ = process(settings, shape, "uint8", plain_picture(2, 2, GREEN))

    assert np.unique(out).tolist() == [88]  # 0.587 x 150


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_normalization_subtracts_the_mean_then_scales_each_channel_of_the_model(
    layout: str, channels: str
) -> None:
    frame = random_picture(5, 7)
    mean, scale = (104.0, 117.0, 123.0), (0.5, 0.25, 2.0)
    settings = PreSettings(
        channels=channels, layout=layout, normalization=Normalization(mean=mean, scale=scale)
    )
    shape = (1, 3, 5, 7) if layout == "nchw" else (1, 5, 7, 3)

    out, _ = process(settings, shape, "float32", frame)

    ordered = frame if channels == "rgb" else frame[:, :, ::-1]
    wanted = (ordered.astype(np.float32) - np.float32(mean)) * np.float32(scale)
    got = out[0].transpose(1, 2, 0) if layout == "nchw" else out[0]
    np.testing.assert_array_equal(got, wanted)


def test_one_mean_counts_for_all_channels() -> None:
    settings = PreSettings(normalization=Normalization(mean=(127.5,), scale=(1 / 127.5,)))

    out, _ = process(settings, (1, 3, 2, 2), "float32", plain_picture(2, 2, (255, 0, 255)))

    np.testing.assert_allclose(out[0, :, 0, 0], [1, -1, 1], rtol=1e-6)


def test_stretch_fills_the_tensor_and_maps_back_to_the_whole_frame() -> None:
    frame = plain_picture(20, 40, RED)
    frame[:, 20:] = BLUE

    out, geometry = process(PreSettings(layout="nhwc"), (1, 10, 10, 3), "uint8", frame)

    assert tuple(out[0, 5, 0]) == RED
    assert tuple(out[0, 5, 9]) == BLUE
    assert to_frame(geometry, 0.25, 0.75) == (0.25, 0.75)


@pytest.mark.parametrize(("layout", "dtype"), [("nhwc", "uint8"), ("nchw", "float32")])
def test_letterbox_fills_with_zeros_on_the_right_and_below(layout: str, dtype: str) -> None:
    shape = (1, 16, 16, 3) if layout == "nhwc" else (1, 3, 16, 16)
    settings = PreSettings(resize=ResizeMode.LETTERBOX, layout=layout)

    wide, _ = process(settings, shape, dtype, plain_picture(20, 40, RED))
    tall, _ = process(settings, shape, dtype, plain_picture(40, 20, RED))

    red = [out[0, :, :, 0] if layout == "nhwc" else out[0, 0] for out in (wide, tall)]
    assert (red[0][:8] == 200).all()
    assert not red[0][8:].any()
    assert (red[1][:, :8] == 200).all()
    assert not red[1][:, 8:].any()


def test_letterbox_maps_back_by_the_size_of_the_inner_picture() -> None:
    settings = PreSettings(resize=ResizeMode.LETTERBOX)

    _, geometry = process(settings, (1, 3, 16, 16), "float32", plain_picture(20, 40, RED))

    assert to_frame(geometry, 1.0, 0.5) == (1.0, 1.0)
    assert to_frame(geometry, 0.5, 0.25) == (0.5, 0.5)


def test_crop_cuts_the_longer_axis_around_the_center_and_maps_back() -> None:
    frame = plain_picture(20, 40, RED)
    frame[:, 10:30] = GREEN
    settings = PreSettings(resize=ResizeMode.CROP, layout="nhwc")

    out, geometry = process(settings, (1, 10, 10, 3), "uint8", frame)

    assert (out[0] == GREEN).all()
    assert to_frame(geometry, 0.0, 0.0) == (0.25, 0.0)
    assert to_frame(geometry, 1.0, 1.0) == (0.75, 1.0)


@pytest.mark.parametrize("mode", [ResizeMode.STRETCH, ResizeMode.LETTERBOX, ResizeMode.CROP])
@pytest.mark.parametrize("size", [(45, 80), (80, 45), (31, 97), (64, 64)])
def test_a_mark_seen_in_the_tensor_is_found_again_in_the_frame(
    mode: ResizeMode, size: tuple[int, int]
) -> None:
    height, width = size
    frame = plain_picture(height, width, (0, 0, 0))
    top, left = height // 2 - 4, width // 2 + 3
    frame[top : top + 6, left : left + 6] = 255
    settings = PreSettings(resize=mode, layout="nhwc")

    out, geometry = process(settings, (1, 128, 128, 3), "uint8", frame)

    rows, columns = np.nonzero(out[0, :, :, 0] > 127)
    x, y = to_frame(geometry, (columns.mean() + 0.5) / 128, (rows.mean() + 0.5) / 128)
    assert x * width == pytest.approx(left + 3, abs=0.6)
    assert y * height == pytest.approx(top + 3, abs=0.6)


def test_a_frame_that_may_not_be_written_is_read() -> None:
    frame = random_picture(8, 8)
    frame.flags.writeable = False

    out, _ = process(PreSettings(layout="nhwc"), (1, 8, 8, 3), "uint8", frame)

    np.testing.assert_array_equal(out[0], frame)


def test_a_free_batch_and_free_sizes_are_resolved() -> None:
    settings = PreSettings(width=32, height=16)
    tensor = TensorInfo("in", (0, 3, 0, 0), "float32")

    preprocessor = Preprocessor(settings, tensor, picture_format(20, 40))

    assert preprocessor.new_tensor().shape == (1, 3, 16, 32)
    assert preprocessor.new_tensor().dtype == np.float32


def test_a_line_becomes_the_only_line_of_the_tensor() -> None:
    line = np.arange(6, dtype=np.uint16).reshape(3, 2)
    settings = PreSettings(layout="lines", resize=ResizeMode.NONE)

    out, geometry = process(settings, (0, 0, 2), "float32", line)

    np.testing.assert_array_equal(out, [[[0, 1], [2, 3], [4, 5]]])
    assert geometry == Geometry()


def test_a_line_is_normalized_band_by_band() -> None:
    line = np.array([[10, 20], [30, 40]], np.uint16)
    normalization = Normalization(mean=(10.0, 20.0), scale=(1.0, 0.1))
    settings = PreSettings(layout="lines", normalization=normalization)

    out, _ = process(settings, (1, 2, 2), "float32", line)

    np.testing.assert_allclose(out, [[[0, 0], [20, 2]]])


@pytest.mark.parametrize(
    ("settings", "tensor", "frame_format", "reason"),
    [
        (PreSettings(), ((1, 3, 8, 8), "float32"), line_format(8, 3), "8-bit RGB pictures"),
        (PreSettings(layout="lines"), ((1, 8, 3), "float32"), picture_format(8, 8), "line camera"),
        (PreSettings(layout="lines"), ((1, 9, 3), "float32"), line_format(8, 3), "8 pixels"),
        (PreSettings(layout="lines"), ((1, 8, 3), "uint8"), line_format(8, 3, "float32"), "hold"),
        (PreSettings(), ((3, 8, 8), "float32"), picture_format(8, 8), "needs 4"),
        (PreSettings(), ((2, 3, 8, 8), "float32"), picture_format(8, 8), "batch of 1"),
        (PreSettings(layout="nhwc"), ((1, 3, 8, 8), "uint8"), picture_format(8, 8), "3 channels"),
        (PreSettings(), ((1, 3, 0, 8), "uint8"), picture_format(8, 8), "free height"),
        (PreSettings(width=9), ((1, 3, 8, 8), "uint8"), picture_format(8, 8), "width of 8"),
        (PreSettings(), ((1, 3, 8, 8), "int64"), picture_format(8, 8), "int64"),
        (
            PreSettings(resize=ResizeMode.NONE),
            ((1, 3, 8, 8), "uint8"),
            picture_format(8, 9),
            "stretch",
        ),
        (
            PreSettings(normalization=Normalization(mean=(1.0,))),
            ((1, 3, 8, 8), "uint8"),
            picture_format(8, 8),
            "cannot be normalized",
        ),
        (
            PreSettings(normalization=Normalization(scale=(1.0, 2.0))),
            ((1, 3, 8, 8), "float32"),
            picture_format(8, 8),
            "2 values",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    settings: PreSettings,
    tensor: tuple[tuple[int, ...], str],
    frame_format: FrameFormat,
    reason: str,
) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        Preprocessor(settings, TensorInfo("in", *tensor), frame_format)


def test_a_frame_of_another_shape_than_announced_is_refused() -> None:
    tensor = TensorInfo("in", (1, 8, 8, 3), "uint8")
    preprocessor = Preprocessor(PreSettings(layout="nhwc"), tensor, picture_format(8, 8))

    with pytest.raises(InvalidArgumentError, match="announced"):
        preprocessor(random_picture(8, 9), preprocessor.new_tensor())


def test_a_tensor_of_another_dtype_is_refused() -> None:
    tensor = TensorInfo("in", (1, 8, 8, 3), "uint8")
    preprocessor = Preprocessor(PreSettings(layout="nhwc"), tensor, picture_format(8, 8))

    with pytest.raises(InvalidArgumentError, match="new_tensor"):
        preprocessor(random_picture(8, 8), np.zeros((1, 8, 8, 3), np.float32))
