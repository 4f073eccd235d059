import numpy as np
import pytest

from engine.drivers.formats import check_format, frame_bytes, frame_view
from engine.errors import DriverProtocolError
from engine.protocol import FrameFormat, FrameKind


@pytest.mark.parametrize(
    ("frame_format", "problem"),
    [
        (FrameFormat(FrameKind.IMAGE, (4, 4, 3), "float32"), "the values of a picture are uint8"),
        (FrameFormat(FrameKind.IMAGE, (4, 4), "uint8"), r"\(height, width, 3\), not \(4, 4\)"),
        (FrameFormat(FrameKind.IMAGE, (4, 4, 4), "uint8"), r"\(height, width, 3\)"),
        (FrameFormat(FrameKind.IMAGE, (4, 0, 3), "uint8"), "an axis without values"),
        (FrameFormat(FrameKind.IMAGE, (-4, -4, 3), "uint8"), "an axis without values"),
        (FrameFormat(FrameKind.LINE, (4, 4, 3), "uint16"), r"\(pixels, bands\)"),
        (FrameFormat(FrameKind.LINE, (4, 4), "object"), "uint16 or float32, not object"),
        (FrameFormat(FrameKind.LINE, (10**9, 10**9), "uint16"), "larger than 512 MiB"),
        (FrameFormat(FrameKind.LINE, (4, 4), "uint16", rate_hz=float("nan")), "a rate is 0 to"),
        (FrameFormat(FrameKind.LINE, (4, 4), "uint16", rate_hz=-1.0), "a rate is 0 to"),
        (
            FrameFormat(FrameKind.LINE, (4, 2), "uint16", wavelengths_nm=(1.0, 2.0, 3.0)),
            "3 wavelengths for 2 bands",
        ),
        (
            FrameFormat(FrameKind.LINE, (4, 2), "uint16", wavelengths_nm=(400.0, float("nan"))),
            "positive numbers in nm",
        ),
        (FrameFormat(FrameKind.LINE, (4, 2), "uint16", value_type="color"), "not 'color'"),
    ],
)
def test_a_format_the_engine_cannot_carry_is_refused(
    frame_format: FrameFormat, problem: str
) -> None:
    with pytest.raises(DriverProtocolError, match=problem) as caught:
        check_format(frame_format, driver="cam")
    assert "'cam'" in caught.value.message


def test_a_frame_is_a_view_of_its_slot() -> None:
    frame_format = FrameFormat(FrameKind.LINE, (2, 3), "uint16")
    slot = bytearray(64)

    frame = frame_view(memoryview(slot), frame_format)
    frame[1, 2] = 0x0102

    check_format(frame_format, driver="cam")
    assert frame_bytes(frame_format) == 12
    assert frame.shape == (2, 3)
    assert slot[10:12] == np.array(0x0102, np.uint16).tobytes()
