"""Contexts for devices: recordings that are played with all they bring, and area cameras."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engine.handle import (
    BufferContainer,
    CalibrationInfo,
    CalibrationSettingType,
    ConnectionSettings,
    DeviceGroup,
    DeviceProcessingContext_CreationFlags,
    DriverType,
    Handle,
    InstrumentDevice,
    MissingReferenceError,
    Model,
    ProcessingContext,
    ReferenceImportFlag,
    ReferenceInfo,
    ValueType,
    WavelengthRangeError,
    createMeasurementHSICube,
    exportReference,
    importReference,
    loadMeasurementList,
    saveMeasurementList,
)
from engine.handle.errors import (
    ArgumentError,
    MeasurementFileError,
    ReferenceMismatchError,
    SourceDataError,
)
from resources import resource_path
from tests.support.tiny_programs import mean_color, write_program

pytestmark = pytest.mark.slow  # a real process for nearly every test

Array = np.ndarray[Any, Any]
Connect = Callable[..., InstrumentDevice]

LINES, SAMPLES, BANDS = 6, 5, 4
GRID = (400.0, 500.0, 600.0, 700.0)


@pytest.fixture
def connect(handle: Handle) -> Iterator[Connect]:
    groups: list[DeviceGroup] = []

    def start(driver: str, **parameters: str) -> InstrumentDevice:
        settings = ConnectionSettings(driver, DriverType.Instrument, b"", parameters)
        groups.append(DeviceGroup(handle, settings))
        return groups[-1].primaryDevice()

    yield start
    for group in groups:
        group.disconnect()


def some(seed: int, lines: int, low: int, high: int) -> Array:
    shape = (lines, SAMPLES, BANDS)
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.uint16)


CUBE, WHITE, DARK = some(1, LINES, 100, 900), some(2, 3, 1000, 1100), some(3, 2, 0, 10)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """A measurement with its references, as `saveMeasurementList` writes it."""
    found = createMeasurementHSICube(
        CUBE, wavelengths=GRID, references=ReferenceInfo(ValueType.Intensity, WHITE, DARK)
    )
    path = tmp_path / "scene.hdr"
    saveMeasurementList(found, "ENVI", path)
    return str(path)


def play(path: str, **more: str) -> dict[str, str]:
    return {"path": path, "rate_hz": "100", **more}


def same(device: InstrumentDevice, context: ProcessingContext, wanted: Array) -> None:
    """Process what the device delivers and compare it with what each line should become."""
    device.startAcquisition()
    for _ in range(LINES + 1):
        buffer = device.retrieveBuffer(20_000)
        assert buffer is not None
        context.setSourceData(buffer)
        context.processNext()
        line = wanted[buffer.number % LINES]
        np.testing.assert_allclose(context.outputSinkData(0)[0], line, rtol=1e-5)
        device.returnBuffer(buffer)
    device.stopAcquisition()


REFLECTANCE = (CUBE - DARK.mean(axis=0)) / (WHITE.mean(axis=0) - DARK.mean(axis=0))


# -- a recording as a line camera


def test_a_played_recording_brings_its_wavelengths(connect: Connect, recording: str) -> None:
    assert connect("cube-line", **play(recording)).wavelengths() == GRID


def test_lines_of_a_recording_are_brought_onto_the_models_grid(
    connect: Connect, recording: str, handle: Handle, programs: Any
) -> None:
    device = connect("cube-line", **play(recording))
    model = Model(handle, programs.identity((1, 0, 2)), wavelengths=[450, 650])
    context = ProcessingContext.createInstrumentProcessing(device, model)
    wanted = np.stack([CUBE[..., :2].mean(axis=2), CUBE[..., 2:].mean(axis=2)], axis=2)
    same(device, context, wanted)


def test_a_recording_without_the_wavelengths_the_model_needs_is_refused(
    connect: Connect, recording: str, handle: Handle, programs: Any
) -> None:
    device = connect("cube-line", **play(recording))
    model = Model(handle, programs.identity((1, 0, 2)), wavelengths=[450, 750])
    with pytest.raises(WavelengthRangeError, match="700 to 750 nm are missing"):
        ProcessingContext.createInstrumentProcessing(device, model)


def test_the_references_beside_a_recording_are_used(
    connect: Connect, recording: str, handle: Handle, programs: Any
) -> None:
    device = connect("cube-line", **play(recording))
    model = Model(handle, programs.identity((1, 0, BANDS)), valueType=ValueType.Reflectance)
    context = ProcessingContext.createInstrumentProcessing(device, model)
    same(device, context, REFLECTANCE)


def test_references_that_are_given_come_before_those_of_the_recording(
    connect: Connect, recording: str, handle: Handle, programs: Any
) -> None:
    device = connect("cube-line", **play(recording))
    model = Model(handle, programs.identity((1, 0, BANDS)), valueType=ValueType.Reflectance)
    white = np.full((SAMPLES, BANDS), 2000, np.uint16)
    context = ProcessingContext.createInstrumentProcessing(
        device, model, references=ReferenceInfo(whiteReference=white)
    )
    same(device, context, CUBE / 2000)


def test_a_recording_of_reflectances_needs_no_references(
    connect: Connect, tmp_path: Path, handle: Handle, programs: Any
) -> None:
    cube = REFLECTANCE.astype(np.float32)
    path = tmp_path / "reflectance.hdr"
    saveMeasurementList(
        createMeasurementHSICube(cube, references=ReferenceInfo(ValueType.Reflectance)),
        "ENVI",
        path,
    )
    device = connect("cube-line", **play(str(path)))
    model = Model(handle, programs.identity((1, 0, BANDS)), valueType=ValueType.Reflectance)
    same(device, ProcessingContext.createInstrumentProcessing(device, model), cube)
    record = ProcessingContext.createInstrumentRecording(device)
    record.setSourceData(cube[0])
    record.processNext()
    np.testing.assert_array_equal(record.outputSinkData(0)[0], cube[0])


def test_a_broken_reference_beside_a_recording_is_named(
    connect: Connect, recording: str, handle: Handle, programs: Any
) -> None:
    device = connect("cube-line", **play(recording))
    white = Path(recording).with_name("scene_White.raw")
    white.write_bytes(white.read_bytes()[:-1])
    model = Model(handle, programs.identity((1, 0, BANDS)), valueType=ValueType.Reflectance)
    with pytest.raises(MeasurementFileError, match=r"scene_White\.raw .*cut off"):
        ProcessingContext.createInstrumentProcessing(device, model)
    ProcessingContext.createInstrumentPreview(device)  # needs none


def retrieve_on(device: InstrumentDevice) -> None:
    """Retrieve buffers, more than can be there, until it fails."""
    device.startAcquisition()
    for _ in range(100_000):
        buffer = device.retrieveBuffer(20_000)
        if buffer is not None:
            device.returnBuffer(buffer)


def test_a_recording_that_is_cut_off_while_it_plays_ends_its_driver_only(
    connect: Connect, recording: str
) -> None:
    device = connect("cube-line", **play(recording))
    with Path(recording).with_suffix(".raw").open("r+b") as file:
        file.truncate(0)
    with pytest.raises(RuntimeError, match="SIGBUS"):
        retrieve_on(device)
    with pytest.raises(RuntimeError, match="cut off"):
        connect("cube-line", **play(recording))


# -- calibration


def test_only_later_contexts_see_a_devices_calibration(
    connect: Connect, recording: str, handle: Handle, programs: Any
) -> None:
    device = connect("cube-line", **play(recording))
    model = Model(handle, programs.identity((1, 0, BANDS)), valueType=ValueType.Reflectance)
    before = ProcessingContext.createInstrumentProcessing(device, model)
    info = CalibrationInfo()
    info.setSetting(CalibrationSettingType.PixelSizeX, 0.5, "mm")
    info.setWhiteReferenceReflectivity([0.3, 0.8], [0.5, 0.5], "µm")
    device.setCalibrationInfo(info)
    after = ProcessingContext.createInstrumentProcessing(device, model)
    info.setSetting(CalibrationSettingType.PixelSizeX, 9, "mm")  # only our own copy

    assert before.calibrationInfo() is None
    found = after.calibrationInfo()
    assert found is not None
    assert found.setting(CalibrationSettingType.PixelSizeX, "µm") == (pytest.approx(500), "µm")
    for context, factor in ((before, 1), (after, 0.5)):
        context.setSourceData(CUBE[0])
        context.processNext()
        wanted = REFLECTANCE[0] * factor
        np.testing.assert_allclose(context.outputSinkData(0)[0], wanted, rtol=1e-5)


def test_a_played_recording_is_calibrated_as_it_was(
    connect: Connect, tmp_path: Path, handle: Handle, programs: Any
) -> None:
    """Lines of the device become what the whole measurement becomes."""
    info = CalibrationInfo()
    info.setSetting(CalibrationSettingType.InstrumentAngleX, 3, "deg")
    info.setWhiteReferenceReflectivity(GRID, [0.5, 0.6, 0.7, 0.8], "nm")
    path = tmp_path / "scene.hdr"
    made = createMeasurementHSICube(
        CUBE,
        wavelengths=GRID,
        references=ReferenceInfo(ValueType.Intensity, WHITE, DARK),
        calibrationInfo=info,
    )
    saveMeasurementList(made, "ENVI", path)
    model = Model(handle, programs.identity((0, 0, BANDS)), valueType=ValueType.Reflectance)
    loaded = loadMeasurementList(handle, "ENVI", path)
    whole = ProcessingContext.createMeasurement(loaded, 0, model)
    whole.processNext()
    device = connect("cube-line", **play(str(path)))

    context = ProcessingContext.createInstrumentProcessing(device, model)

    assert context.calibrationInfo() == whole.calibrationInfo() == info
    same(device, context, whole.outputSinkData(0))
    device.setCalibrationInfo(CalibrationInfo())
    assert device.calibrationInfo() == CalibrationInfo()
    device.setCalibrationInfo(None)
    assert device.calibrationInfo() == info


def test_a_context_may_be_given_a_calibration_of_its_own(connect: Connect, recording: str) -> None:
    device = connect("cube-line", **play(recording))
    info = CalibrationInfo()
    info.setWhiteReferenceReflectivity([300, 800], [0.25, 0.25], "nm")
    context = ProcessingContext.createInstrumentRecording(
        device, ValueType.Reflectance, calibrationInfo=info
    )
    context.setSourceData(CUBE[1])
    context.processNext()
    np.testing.assert_allclose(context.outputSinkData(0)[0], REFLECTANCE[1] / 4, rtol=1e-5)
    assert context.calibrationInfo() == info
    for wrong in ("info", 5):
        with pytest.raises(ArgumentError, match="CalibrationInfo"):
            ProcessingContext.createInstrumentRecording(device, calibrationInfo=wrong)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="CalibrationInfo"):
            device.setCalibrationInfo(wrong)  # type: ignore[arg-type]


# -- references in files


def measured(device: InstrumentDevice, count: int = 3) -> BufferContainer:
    container = BufferContainer()
    device.startAcquisition()
    for _ in range(count):
        buffer = device.retrieveBuffer(20_000)
        assert buffer is not None
        container.add(buffer)
        device.returnBuffer(buffer)
    device.stopAcquisition()
    return container


def test_a_reference_that_was_exported_is_used_in_another_session(
    connect: Connect, recording: str, handle: Handle, programs: Any, tmp_path: Path
) -> None:
    path = tmp_path / "white.fluxref"
    camera = connect("cube-line", **play(recording))
    container = measured(camera)
    exportReference(camera, container, path)
    camera.release()

    device = connect("cube-line", **play(recording))
    found = importReference(device, str(path))
    assert found.count() == 3
    np.testing.assert_array_equal(np.asarray(found), np.asarray(container))
    model = Model(handle, programs.identity((1, 0, BANDS)), valueType=ValueType.Reflectance)
    context = ProcessingContext.createInstrumentProcessing(
        device, model, references=ReferenceInfo(whiteReference=found)
    )
    same(device, context, CUBE / np.asarray(container).mean(axis=0))


def test_a_reference_of_another_size_or_type_is_refused_whatever_the_flags(
    connect: Connect, recording: str, tmp_path: Path
) -> None:
    path = tmp_path / "white.fluxref"
    camera = connect("cube-line", **play(recording))
    exportReference(camera, measured(camera), path)
    np.save(tmp_path / "wide.npy", np.zeros((2, SAMPLES + 1, BANDS), np.uint16))
    np.save(tmp_path / "real.npy", np.zeros((2, SAMPLES, BANDS), np.float32))
    for name, words in (("wide", r"shape \(6, 4\)"), ("real", "float32 frames")):
        other = connect("cube-line", path=str(tmp_path / f"{name}.npy"))
        for flags in ReferenceImportFlag.NoFlags, ReferenceImportFlag.IgnoreParameterMismatch:
            with pytest.raises(ReferenceMismatchError, match=words):
                importReference(other, path, flags)
        with pytest.raises(ReferenceMismatchError, match="the reference has"):
            exportReference(other, importReference(camera, path), tmp_path / "no.fluxref")
        other.release()
    assert not (tmp_path / "no.fluxref").exists()


def test_a_reference_of_another_grid_needs_the_flag(
    connect: Connect, recording: str, tmp_path: Path
) -> None:
    path = tmp_path / "white.fluxref"
    camera = connect("cube-line", **play(recording))
    exportReference(camera, measured(camera), path)
    camera.release()
    np.save(tmp_path / "w.npy", np.array(GRID) + 1)
    other = connect("cube-line", **play(recording, wavelengths=str(tmp_path / "w.npy")))
    with pytest.raises(ReferenceMismatchError, match="wavelengths are others"):
        importReference(other, path)
    found = importReference(other, path, ReferenceImportFlag.IgnoreParameterMismatch)
    assert found.count() == 3


CAMERA = """
from engine.drivers import BaseDriver
from engine.protocol import FrameFormat, FrameKind

class Driver(BaseDriver):
    def open(self, parameters):
        self.exposure = parameters["exposure_us"]
        return FrameFormat(FrameKind.LINE, (5, 4), "uint16", rate_hz=200)

    def read(self, out):
        out[...] = self.exposure
"""

MANIFEST = """
name = "exposed"
label = "Camera with an exposure"
[[parameters]]
name = "exposure_us"
label = "Exposure"
kind = "integer"
default = 500
[[parameters]]
name = "lamp"
label = "Lamp"
kind = "choice"
default = "halogen"
choices = ["halogen", "xenon"]
affects_references = true
[[parameters]]
name = "note"
label = "Note"
kind = "text"
default = ""
"""


def test_a_reference_measured_with_other_settings_needs_the_flag(
    connect: Connect, handle: Handle, tmp_path: Path
) -> None:
    (tmp_path / "drivers" / "exposed").mkdir(parents=True)
    (tmp_path / "drivers" / "exposed" / "manifest.toml").write_text(MANIFEST)
    (tmp_path / "drivers" / "exposed" / "driver.py").write_text(CAMERA)
    handle.setDriverBaseDirectory(tmp_path / "drivers")
    path = tmp_path / "white.fluxref"
    camera = connect("exposed")
    exportReference(camera, measured(camera), path)
    camera.release()
    for changed, words in (
        ({"exposure_us": "900"}, "exposure_us was 500 and is 900"),
        ({"lamp": "xenon"}, "lamp was 'halogen' and is 'xenon'"),
    ):
        other = connect("exposed", **changed)
        with pytest.raises(ReferenceMismatchError, match=words):
            importReference(other, path)
        found = importReference(other, path, ReferenceImportFlag.IgnoreParameterMismatch)
        assert (np.asarray(found) == 500).all()
        other.release()
    harmless = connect("exposed", note="on Monday")
    assert importReference(harmless, path).count() == 3


def test_buffers_that_were_collected_become_a_measurement(
    connect: Connect, recording: str, handle: Handle, tmp_path: Path
) -> None:
    device = connect("cube-line", **play(recording))
    container = measured(device)
    path = tmp_path / "measured.hdr"
    made = createMeasurementHSICube(container, wavelengths=device.wavelengths())
    saveMeasurementList(made, "ENVI", path)
    found = loadMeasurementList(handle, "ENVI", path)
    np.testing.assert_array_equal(found.data(0), np.asarray(container))
    assert tuple(found.wavelengths(0)) == GRID


def test_what_is_no_reference_file_is_named(
    connect: Connect, recording: str, tmp_path: Path
) -> None:
    device = connect("cube-line", **play(recording))
    path = tmp_path / "white.fluxref"
    with pytest.raises(MeasurementFileError, match="cannot be read"):
        importReference(device, path)
    with pytest.raises(ArgumentError, match="empty"):
        exportReference(device, BufferContainer(), path)
    with pytest.raises(ArgumentError, match="BufferContainer"):
        exportReference(device, CUBE, path)  # type: ignore[arg-type]
    container = measured(device)
    with pytest.raises(RuntimeError, match=r"cannot be written.*another place"):
        exportReference(device, container, tmp_path / "nowhere" / "white.fluxref")
    with pytest.raises(ArgumentError, match="ReferenceImportFlag"):
        importReference(device, path, 1)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="InstrumentDevice"):
        importReference("device", path)  # type: ignore[arg-type]


# -- spectrometers


def test_a_preview_of_a_spectrometer_is_a_spectrum(connect: Connect, tmp_path: Path) -> None:
    cube = CUBE[:, :1]
    np.save(tmp_path / "c.npy", cube)
    device = connect("cube-line", path=str(tmp_path / "c.npy"), rate_hz="100")
    context = ProcessingContext.createInstrumentPreview(device)
    assert context.outputSinkMetaInfo(0).shape == (BANDS,)
    context.setSourceData(cube[2])
    context.processNext()
    assert context.outputSinkData(0).tolist() == cube[2, 0].tolist()
    assert context.outputSinkData(0).dtype == np.float32


# -- area cameras


@pytest.fixture
def camera(connect: Connect) -> InstrumentDevice:
    return connect("pattern", width="80", height="64", rate_hz="100")


def picture(device: InstrumentDevice) -> Any:
    device.startAcquisition()
    buffer = device.retrieveBuffer(20_000)
    assert buffer is not None
    return buffer


def test_a_preview_of_an_area_camera_shows_its_pictures(camera: InstrumentDevice) -> None:
    context = ProcessingContext.createInstrumentPreview(camera)
    buffer = picture(camera)
    context.setSourceData(buffer)
    context.processNext()
    shown = context.outputSinkData(0)
    assert (shown.shape, shown.dtype) == ((64, 80, 3), np.uint8)
    np.testing.assert_array_equal(shown, buffer.data)
    assert shown.any()
    camera.returnBuffer(buffer)
    assert context.outputSinkMetaInfo(0).name == "preview"


def test_a_recording_of_an_area_camera_keeps_its_pictures(camera: InstrumentDevice) -> None:
    flags = DeviceProcessingContext_CreationFlags.AdditionalPreview
    context = ProcessingContext.createInstrumentRecording(camera, flags=flags)
    buffer = picture(camera)
    context.setSourceData(buffer)
    context.processNext()
    for sink, name in enumerate(("recording", "preview")):
        np.testing.assert_array_equal(context.outputSinkData(sink), buffer.data)
        assert context.outputSinkMetaInfo(sink).name == name
    alone = ProcessingContext.createInstrumentRecording(camera, ValueType.Intensity)
    assert alone.numOutputSinks() == 1


def test_a_model_gets_the_pictures_of_an_area_camera(
    camera: InstrumentDevice, handle: Handle, tmp_path: Path
) -> None:
    path = write_program(tmp_path / "mean.dfp", mean_color())
    context = ProcessingContext.createInstrumentProcessing(camera, Model(handle, path))
    offline = ProcessingContext.createImage(Model(handle, path), (64, 80, 3))
    buffer = picture(camera)
    for one in (context, offline):
        one.setSourceData(buffer.data)
        one.processNext()
    found = context.outputSinkData(0)
    np.testing.assert_array_equal(found, offline.outputSinkData(0))
    small = cv2.resize(buffer.data.copy(), (5, 6), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found[0], small.mean(axis=(0, 1)), rtol=1e-5)
    camera.returnBuffer(buffer)


def test_a_video_runs_through_a_model_frame_by_frame(
    connect: Connect, handle: Handle, tmp_path: Path
) -> None:
    device = connect("video-file", path=str(resource_path("demo/media/cockatoo.mp4")), loop="False")
    model = Model(handle, resource_path("demo/programs/squeezenet.dfp"))
    context = ProcessingContext.createInstrumentProcessing(device, model)
    device.startAcquisition()
    offline = ProcessingContext.createImage(model, device.frame_format.shape)  # type: ignore[arg-type]  # of a picture
    for _ in range(3):
        buffer = device.retrieveBuffer(20_000)
        assert buffer is not None
        context.setSourceData(buffer)
        context.processNext()
        offline.setSourceData(buffer.data)
        offline.processNext()
        device.returnBuffer(buffer)
        np.testing.assert_array_equal(context.outputSinkData(0), offline.outputSinkData(0))
    assert context.outputSinkData(0).sum() == pytest.approx(1)


def test_pictures_have_no_references(
    camera: InstrumentDevice, handle: Handle, tmp_path: Path
) -> None:
    path = write_program(tmp_path / "mean.dfp", mean_color())
    with pytest.raises(ArgumentError, match="no references"):
        ProcessingContext.createInstrumentProcessing(
            camera, Model(handle, path), references=ReferenceInfo()
        )
    with pytest.raises(ArgumentError, match="recorded as they are"):
        ProcessingContext.createInstrumentRecording(camera, ValueType.Reflectance)
    with pytest.raises(ArgumentError, match="no references"):
        exportReference(camera, BufferContainer(), tmp_path / "white.fluxref")


def test_a_model_for_spectra_takes_no_area_camera(camera: InstrumentDevice, handle: Handle) -> None:
    model = Model(handle, resource_path("demo/programs/spectral.dfp"))
    with pytest.raises(ArgumentError, match="not pictures"):
        ProcessingContext.createInstrumentProcessing(camera, model)


def test_a_picture_of_another_size_is_refused(camera: InstrumentDevice) -> None:
    context = ProcessingContext.createInstrumentPreview(camera)
    with pytest.raises(SourceDataError, match=r"\(64, 80, 3\)"):
        context.setSourceData(np.zeros((64, 81, 3), np.uint8))


def test_a_line_camera_without_a_white_reference_is_told_so(
    connect: Connect, tmp_path: Path, handle: Handle, programs: Any
) -> None:
    np.save(tmp_path / "c.npy", CUBE)
    device = connect("cube-line", path=str(tmp_path / "c.npy"))
    model = Model(handle, programs.identity((1, 0, BANDS)), valueType=ValueType.Reflectance)
    with pytest.raises(MissingReferenceError):
        ProcessingContext.createInstrumentProcessing(device, model)


def test_an_additional_preview_is_for_recordings_only(
    camera: InstrumentDevice, handle: Handle, tmp_path: Path
) -> None:
    flags: Any = DeviceProcessingContext_CreationFlags.AdditionalPreview
    with pytest.raises(TypeError, match="flags"):
        ProcessingContext.createInstrumentPreview(camera, flags=flags)
    path = write_program(tmp_path / "mean.dfp", mean_color())
    with pytest.raises(TypeError, match="flags"):
        ProcessingContext.createInstrumentProcessing(camera, Model(handle, path), flags=flags)
