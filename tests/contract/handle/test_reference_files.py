"""The file of a measured reference: what was written is read, and nothing else is believed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.handle._reference_file import (
    StoredReference,
    decode_reference,
    encode_reference,
    is_known_to_affect_references,
)
from engine.handle.errors import MeasurementFileError

PATH = Path("white.fluxref")


def stored(shape: tuple[int, ...] = (2, 3, 4), dtype: str = "uint16") -> StoredReference:
    frames = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    settings_ = {"exposure_us": 500, "gain": 1.5, "mode": "fast", "is_cold": True}
    return StoredReference("camera", "Camera", frames, (400.0, 500.5, 600.0, 700.0), settings_)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_what_was_written_is_read(dtype: str) -> None:
    reference = stored(dtype=dtype)
    found = decode_reference(encode_reference(reference), PATH)
    np.testing.assert_array_equal(found.frames, reference.frames)
    assert found.frames.dtype == reference.frames.dtype
    assert (found.driver, found.device) == ("camera", "Camera")
    assert found.wavelengths == reference.wavelengths
    assert found.settings == reference.settings


def test_the_layout_is_the_documented_one() -> None:
    data = encode_reference(stored())
    assert data.startswith(b"PENSTOCK-FLUXREF\n\n")
    size = int.from_bytes(data[18:22], "little")
    values = np.frombuffer(data[22 + size :], "<u2").reshape(2, 3, 4)
    np.testing.assert_array_equal(values, stored().frames)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not written by exportReference|was not written"),
        (b"\x89HDF\r\n", "was not written"),
        (b"PENSTOCK-FLUXREF\n\n", "cut off"),
        (b"PENSTOCK-FLUXREF\n\n\x00\x00\x00\x00", "cut off"),
        (b"PENSTOCK-FLUXREF\n\n\xff\xff\xff\xff{}", "cut off"),
        (b"PENSTOCK-FLUXREF\n\n\x02\x00\x00\x00{}", "damaged header"),
    ],
)
def test_what_is_no_reference_is_a_clear_error(data: bytes, words: str) -> None:
    with pytest.raises(MeasurementFileError, match=words) as caught:
        decode_reference(data, PATH)
    assert "white.fluxref" in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"version":1', b'"version":2', "version 2"),
        (b'"dtype":"uint16"', b'"dtype":"object"', "impossible"),
        (b'"shape":[2,3,4]', b'"shape":[2,3,0]', "impossible"),
        (b'"shape":[2,3,4]', b'"shape":[9,9,9]', "cut off"),
        (b'"shape":[2,3,4]', b'"shape":[2,3,-4]'[:15], "damaged header"),
    ],
)
def test_a_changed_header_is_a_clear_error(old: bytes, new: bytes, words: str) -> None:
    data = encode_reference(stored())
    assert len(old) == len(new)
    assert old in data
    with pytest.raises(MeasurementFileError, match=words):
        decode_reference(data.replace(old, new), PATH)


def test_a_bit_flipped_in_the_values_is_noticed() -> None:
    data = bytearray(encode_reference(stored()))
    data[-3] ^= 1
    with pytest.raises(MeasurementFileError, match="is damaged"):
        decode_reference(bytes(data), PATH)


def test_every_truncation_is_noticed() -> None:
    data = encode_reference(stored((1, 2, 2)))
    for size in range(len(data)):
        with pytest.raises(MeasurementFileError):
            decode_reference(data[:size], PATH)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_property_damage_is_refused_or_does_no_harm(data: Any) -> None:
    content = bytearray(encode_reference(stored((1, 2, 2))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        found = decode_reference(bytes(content), PATH)
    except MeasurementFileError:
        return
    np.testing.assert_array_equal(found.frames.ravel(), stored((1, 2, 2)).frames.ravel())


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("ExposureTime", True),
        ("exposure_us", True),
        ("Gain", True),
        ("OffsetX", True),
        ("offset_y", True),
        ("BinningHorizontal", True),
        ("rate_hz", False),
        ("DeviceTemperature", False),
        ("path", False),
    ],
)
def test_parameters_are_known_by_the_names_cameras_use(name: str, does: bool) -> None:
    assert is_known_to_affect_references(name) is does
