"""Setting up a camera by GenICam names, and counting what it lost."""

from typing import Any

import pytest

from engine.drivers.builtin.gige_vision.dependencies import affected_features
from engine.drivers.camera_features import FrameNumbers, apply_settings, check_size, frozen
from engine.drivers.live import (
    LiveParameter,
    ParameterRangeError,
    ParameterTypeError,
    UnknownParameterError,
)
from engine.errors import DriverError


class Features:
    """A camera whose exposure time can be set only while its automatic is off."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {
            "Width": 640,
            "AcquisitionFrameRateAbs": 10.0,
            "ExposureAuto": "Continuous",
            "ExposureTime": 100.0,
            "ReverseX": False,
        }
        self.log: list[tuple[str, Any]] = []

    def find(self, name: str) -> LiveParameter | None:
        is_auto = self.values["ExposureAuto"] != "Off"
        found = {
            "Width": LiveParameter("Width", "integer", minimum=16, maximum=1280, step=16),
            "AcquisitionFrameRateAbs": LiveParameter("AcquisitionFrameRateAbs", "number"),
            "ExposureAuto": LiveParameter("ExposureAuto", "choice", choices=("Off", "Continuous")),
            "ExposureTime": LiveParameter(
                "ExposureTime", "number", access="ro" if is_auto else "rw"
            ),
            "ReverseX": LiveParameter("ReverseX", "boolean"),
        }
        return found.get(name)

    def parameters(self) -> list[LiveParameter]:
        return [one for name in self.values if (one := self.find(name)) is not None]

    def set_value(self, name: str, value: Any) -> None:
        self.values[name] = value
        self.log.append((name, value))


def test_settings_go_to_the_features_that_this_camera_has() -> None:
    camera = Features()
    settings = {"device": "x", "width": 320, "height": 0, "rate_hz": 30, "exposure_us": 500.0}

    apply_settings(camera, settings, {"ReverseX": "True"}, device="camera")

    assert camera.log == [
        ("Width", 320),
        ("AcquisitionFrameRateAbs", 30.0),
        ("ExposureAuto", "Off"),  # stood in the way
        ("ExposureTime", 500.0),
        ("ReverseX", True),
    ]


@pytest.mark.parametrize(
    ("settings", "own", "kind"),
    [
        ({"height": 100}, {}, UnknownParameterError),
        ({"width": 100}, {}, ParameterRangeError),
        ({}, {"Widht": 320}, UnknownParameterError),
        ({}, {"Width": "wide"}, ParameterTypeError),
    ],
)
def test_what_the_camera_cannot_do_is_refused(
    settings: dict[str, Any], own: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="camera"):
        apply_settings(Features(), settings, own, device="the camera")


def test_what_changes_the_frames_is_read_only_while_they_come() -> None:
    found = {
        one.name: one.access
        for one in frozen(
            [
                LiveParameter("Width", "integer"),
                LiveParameter("AcquisitionStop", "command", access="wo"),
                LiveParameter("PixelFormat", "choice", access="na"),
                LiveParameter("Gain", "number"),
            ]
        )
    }
    assert found == {"Width": "ro", "AcquisitionStop": "na", "PixelFormat": "na", "Gain": "rw"}


def test_missing_numbers_are_counted() -> None:
    numbers = FrameNumbers()
    assert [numbers.missing_before(n) for n in (7, 8, 11, 12)] == [0, 0, 2, 0]


def test_a_camera_that_counts_from_the_beginning_again_has_lost_nothing() -> None:
    numbers = FrameNumbers()
    found = [numbers.missing_before(n) for n in (65534, 65535, 1, 2, 2, 10**12, 10**12 + 2)]
    assert found == [0, 0, 0, 0, 0, 0, 1]


def test_frames_of_another_size_are_refused() -> None:
    check_size((4, 3, "Mono8"), (4, 3, "Mono8"), device="camera")
    with pytest.raises(DriverError, match="now sends 8 x 3 pixels as Mono8 instead of 4 x 3"):
        check_size((8, 3, "Mono8"), (4, 3, "Mono8"), device="camera")


DESCRIPTION = b"""<?xml version="1.0"?>
<RegisterDescription xmlns="http://www.genicam.org/GenApi/Version_1_1">
  <Category Name="Root"><pFeature>Width</pFeature></Category>
  <Integer Name="Width"><pValue>WidthRegister</pValue><pMax>SensorWidth</pMax></Integer>
  <IntReg Name="WidthRegister"><pPort>Device</pPort><Address>0x10</Address></IntReg>
  <IntSwissKnife Name="PayloadSize"><pVariable Name="W">Width</pVariable></IntSwissKnife>
  <Enumeration Name="Selector"><pSelected>Mode</pSelected></Enumeration>
  <Enumeration Name="Mode"/>
</RegisterDescription>"""


def test_a_cameras_own_description_tells_what_changes_with_what() -> None:
    found = affected_features(DESCRIPTION)
    assert "PayloadSize" in found["Width"]
    assert {"Width", "PayloadSize"} <= found["SensorWidth"]
    assert found["Selector"] == {"Mode"}
    assert "Root" not in found["Width"]
    assert "Device" not in found


@pytest.mark.parametrize("data", [b"", b"no xml", DESCRIPTION[:200]])
def test_nothing_is_known_of_a_description_that_cannot_be_read(data: bytes) -> None:
    assert affected_features(data) == {}
