"""The class `ProcessingContext`."""
# ruff: noqa: N802, N803 - the published names are camelCase

from typing import Any, Self

import numpy as np

from engine.handle._arguments import whole_number
from engine.handle._device_data import device_calibration, device_data, picture_of
from engine.handle._feed import Feed, TensorFeed
from engine.handle._lines import DataForm
from engine.handle._making import (
    data_parts,
    model_parts,
    picture_parts,
    picture_sink,
    preview,
    queue_for,
    recording,
    sizes_of,
)
from engine.handle._orders import cube_order, frame_order
from engine.handle._pictures import PictureCopies, picture_format
from engine.handle._plan import plan_of
from engine.handle._processing import Parts, Processing
from engine.handle._sinks import OutputSinkInfo, Sinks
from engine.handle._spectral_setup import (
    Numbers,
    ReferenceInfo,
    as_dtype,
    describe,
)
from engine.handle.calibration import CalibrationInfo
from engine.handle.enums import (
    DeviceProcessingContext_CreationFlags,
    HSICube_StorageOrder,
    MeasurementProcessingContextFlag,
    PushBroomFrame_StorageOrder,
    ValueType,
)
from engine.handle.errors import ArgumentError, SinkIndexError
from engine.handle.instrument import Buffer, InstrumentDevice
from engine.handle.measurement import MeasurementList, measurement_data
from engine.handle.model import Model
from engine.handle.queue_set import ProcessingQueueSet, queue_of

__all__ = ("ProcessingContext",)

Array = np.ndarray[Any, Any]
NO_FLAGS = DeviceProcessingContext_CreationFlags.NoFlags


class ProcessingContext:
    """Processes data with a model: `setSourceData`, `processNext`, `outputSinkData`, and again.

    The constructor makes a context for plain tensors. `createHSICube` and `createPushBroomFrame`
    make contexts for spectra, `createImage` makes one for pictures; those for measurements and
    devices are made by `createMeasurement`, `createInstrumentPreview`, `createInstrumentRecording`
    and `createInstrumentProcessing`.

    What is fixed when it is made: the model and the plugin that executes it, the threads of its
    queue set, form and value type of the data, wavelengths and references. It may be used by any
    thread, by one at a time; contexts of one queue set take turns.

    Parameters
    ----------
    model : Model
        The model.
    queueSet : ProcessingQueueSet
        Whose threads to use; left out, the handle's own.
    splitsBatch : bool
        Whether a batch (the first axis of all inputs and outputs) may be larger than the model
        says, and is cut into blocks for the threads. False gives the model everything at once.

    Raises
    ------
    ModelNoLongerValidError
        When the model's handle is gone.
    PluginUnavailableError
        When no plugin is switched on and works here.
    """

    _processing: Processing
    _calibration: CalibrationInfo | None = None

    def __init__(
        self,
        model: Model,
        queueSet: ProcessingQueueSet | None = None,
        *,
        splitsBatch: bool = True,
    ) -> None:
        queue = queue_for(model, queueSet)
        plan = plan_of(model)
        feed = TensorFeed(plan.inputs, plan.outputs, splits_batch=splitsBatch)
        self._processing = Processing(model_parts(plan, queue, feed))

    @classmethod
    def createHSICube(
        cls,
        model: Model,
        storageOrder: HSICube_StorageOrder,
        dataType: object,
        shape: tuple[int, int, int],
        *,
        wavelengths: Numbers | None = None,
        references: ReferenceInfo | None = None,
        variableSpatialSize: bool = False,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context for whole cubes; their lines are spread over the threads.

        Parameters
        ----------
        storageOrder : order of the axes.
        dataType : NumPy number type of the data.
        shape : of the data, in that order; the largest one with `variableSpatialSize`.
        wavelengths : of the data's bands in nm; needed when the model was made for wavelengths.
        references : what the data's numbers are, and the references that belong to them; left
            out, they are intensities.
        variableSpatialSize : smaller cubes are fine too.
        queueSet : whose threads to use; left out, the handle's own.

        Raises
        ------
        MissingReferenceError, WavelengthRangeError, ArgumentError
            When the data cannot be brought to what the model was made for.
        """
        form = DataForm(
            cube_order(storageOrder), sizes_of(shape, 3), as_dtype(dataType), variableSpatialSize
        )
        queue_for(model, queueSet)  # the first thing to be wrong
        data = describe(form, wavelengths, references)
        return cls.of(data_parts(plan_of(model), data, queueSet))

    @classmethod
    def createPushBroomFrame(
        cls,
        model: Model,
        storageOrder: PushBroomFrame_StorageOrder,
        dataType: object,
        shape: tuple[int, int],
        *,
        wavelengths: Numbers | None = None,
        references: ReferenceInfo | None = None,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context for one line at a time, as a line camera delivers it.

        The parameters are those of `createHSICube`; `shape` is (samples, bands) for LambdaX and
        (bands, samples) for LambdaY. Results keep an axis of one line.
        """
        form = DataForm(frame_order(storageOrder), sizes_of(shape, 2), as_dtype(dataType))
        queue_for(model, queueSet)
        data = describe(form, wavelengths, references)
        return cls.of(data_parts(plan_of(model), data, queueSet))

    @classmethod
    def createImage(
        cls,
        model: Model,
        shape: tuple[int, int, int],
        *,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context for pictures; each is fitted to the model's input as its program says.

        The model's outputs are the first sinks. When its program finds boxes (tasks "detect" and
        "faces"), a last sink named "objects" lists them, in pixels of the picture. A picture is not
        spread over the threads.

        Parameters
        ----------
        shape : of the pictures, (height, width, 3), uint8, red, green and blue.

        Raises
        ------
        ArgumentError
            When the model does not take pictures.
        """
        height, width, channels = sizes_of(shape, 3)
        if channels != 3:
            raise ArgumentError(f"a picture's shape is (height, width, 3), not {shape!r}")
        queue_for(model, queueSet)
        return cls.of(picture_parts(plan_of(model), picture_format(height, width), queueSet))

    @classmethod
    def createMeasurement(
        cls,
        measurementList: MeasurementList,
        index: int,
        model: Model,
        flags: MeasurementProcessingContextFlag = MeasurementProcessingContextFlag.NoFlags,
        *,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context for data like a loaded measurement, with its references and wavelengths.

        The measurement itself is the source data until `setSourceData` names another array.
        """
        data = measurement_data(measurementList, index, flags)
        queue_for(model, queueSet)
        calibration = measurementList.calibrationInfo(index).copy()
        context = cls.of(data_parts(plan_of(model), data, queueSet), calibration)
        context.setSourceData(measurementList.data(index))
        return context

    @classmethod
    def createInstrumentProcessing(
        cls,
        device: InstrumentDevice,
        model: Model,
        *,
        references: ReferenceInfo | None = None,
        calibrationInfo: CalibrationInfo | None = None,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context that processes a camera's buffers with a model.

        For an area camera it is one like `createImage` makes.

        Parameters
        ----------
        references : measured with the device; a `BufferContainer` serves as reference. Left out,
            those that the device brings along, as a recording that is played does.
        calibrationInfo : left out, the one that the device has now.
        """
        picture = picture_of(device)
        queue_for(model, queueSet)
        calibration = device_calibration(device, calibrationInfo)
        if picture is None:
            data = device_data(device, references, calibration)
            parts = data_parts(plan_of(model), data, queueSet)
        else:
            _check_no_references(device, references)
            parts = picture_parts(plan_of(model), picture, queueSet)
        return cls.of(parts, calibration)

    @classmethod
    def createInstrumentPreview(
        cls, device: InstrumentDevice, *, queueSet: ProcessingQueueSet | None = None
    ) -> Self:
        """Make a context without a model that shows a camera's buffers.

        Sink 0 holds the values of each line, shape (1, samples, bands), float32; of a spectrometer,
        which has one sample, the spectrum, shape (bands,); of an area camera the picture, shape
        (height, width, 3), uint8.
        """
        picture = picture_of(device)
        queue, epoch = queue_of(device.core, queueSet)
        if picture is not None:
            sinks = Sinks([picture_sink(0, "preview", picture)])
            parts = Parts(queue, epoch, PictureCopies(picture), sinks, None, keep_alive=device)
        else:
            data = device_data(device, is_for_display=True)
            sinks, feed = preview(data, queue.thread_count)
            parts = Parts(queue, epoch, feed, sinks, None, keep_alive=device)
        return cls.of(parts, device.calibrationInfo())

    @classmethod
    def createInstrumentRecording(
        cls,
        device: InstrumentDevice,
        valueType: ValueType | None = None,
        *,
        references: ReferenceInfo | None = None,
        flags: DeviceProcessingContext_CreationFlags = NO_FLAGS,
        calibrationInfo: CalibrationInfo | None = None,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context without a model that brings buffers into the form that is to be saved.

        Sink 0 holds each line as `valueType`, shape (1, samples, bands): what the device delivers
        in its own number type, all else as float32. An area camera's pictures stay what they are.
        With the flag AdditionalPreview, sink 1 (its id is 1 too) holds what a preview would show.

        Parameters
        ----------
        valueType : left out, what the device delivers.
        references, calibrationInfo : as for `createInstrumentProcessing`.
        """
        picture = picture_of(device)
        queue = queue_of(device.core, queueSet)
        calibration = device_calibration(device, calibrationInfo)
        has_preview = DeviceProcessingContext_CreationFlags.AdditionalPreview in flags
        if picture is not None:
            _check_no_references(device, references)
            if valueType not in (None, ValueType.Intensity):
                raise ArgumentError(
                    f"device {device.name!r} delivers pictures, which are recorded as they are; "
                    "leave valueType out"
                )
            names = ("recording", "preview")[: 1 + has_preview]
            sinks = Sinks([picture_sink(at, name, picture) for at, name in enumerate(names)])
            feed: Feed = PictureCopies(picture, len(names))
        else:
            data = device_data(device, references, calibration)
            sinks, feed = recording(data, valueType, queue[0].thread_count, has_preview=has_preview)
        return cls.of(Parts(*queue, feed, sinks, None, keep_alive=device), calibration)

    @classmethod
    def of(cls, parts: Parts, calibration: CalibrationInfo | None = None) -> Self:
        """Make a context of its parts; used by this package."""
        context = cls.__new__(cls)
        context._calibration = calibration  # noqa: SLF001 - instead of __init__
        context._processing = Processing(parts)  # noqa: SLF001 - instead of __init__
        return context

    def calibrationInfo(self) -> CalibrationInfo | None:
        """Return a copy of the calibration it was made with; None without one."""
        return None if self._calibration is None else self._calibration.copy()

    @property
    def isValid(self) -> bool:
        """Whether it can still be used."""
        return not self._processing.epoch.ended_by

    @property
    def invalidReason(self) -> str:
        """Why it cannot be used any more; empty while it can."""
        return self._processing.epoch.ended_by

    def setSourceData(self, source: object) -> None:
        """Say what to process.

        Only a reference is kept: what is in the array when `processNext` is called counts.

        Parameters
        ----------
        source : ndarray, or a list or tuple of one per input for a model with several; a `Buffer`
            in contexts of a device, which must not be returned before `processNext` has.

        Raises
        ------
        SourceDataError
            When dtype or shape are not those the context was made for; what was set stays.
        ContextBusyError
            While another thread processes with this context.
        """
        self._processing.check()
        self._processing.set_source(source.data if isinstance(source, Buffer) else source)

    def processNext(self) -> None:
        """Process the source data and return when the results are there.

        The calling thread is thread number 0. Waits while another context of the queue set is
        processing.

        Raises
        ------
        NoSourceDataError
            When there is no source data.
        ProcessingAbortedError
            When `abort` or stopProcessingThreads was called meanwhile; there are no results.
        """
        self._processing.check()
        self._processing.run()

    def abort(self) -> None:
        """Stop the `processNext` that another thread is in, soon; does not wait for it.

        Blocks under way are finished. Without one, nothing happens.
        """
        self._processing.check()
        self._processing.abort()

    def resetState(self) -> None:
        """Go back to the state after creation: without results; the source data stays."""
        self._processing.check()
        self._processing.reset()

    def numOutputSinks(self) -> int:
        """Return the number of output sinks."""
        self._processing.check()
        return len(self._processing.sinks.infos)

    def outputSinkMetaInfo(self, index: int) -> OutputSinkInfo:
        """Return what is known about an output sink.

        Raises
        ------
        SinkIndexError
            When there is no such sink.
        """
        self._processing.check()
        sinks = self._processing.sinks
        return sinks.infos[sinks.index(whole_number(index, "a sink's index"))]

    def findOutputSink(self, id: int) -> int:  # noqa: A002 - the published name
        """Return the index of the output sink with this id.

        Raises
        ------
        SinkIndexError
            When no sink has it.
        """
        self._processing.check()
        for info in self._processing.sinks.infos:
            if info.id == whole_number(id, "a sink's id"):
                return info.index
        raise SinkIndexError(f"no output sink has the id {id}", id=id)

    def outputSinkData(self, index: int) -> Array:
        """Return the results of an output sink.

        Returns
        -------
        ndarray
            A read-only view; the next `processNext` overwrites it. Copy what you want to keep.

        Raises
        ------
        OutputNotReadyError
            Before the first `processNext`, and after one that failed.
        SinkIndexError
            When there is no such sink.
        """
        self._processing.check()
        return self._processing.sinks.data(whole_number(index, "a sink's index"))


def _check_no_references(device: InstrumentDevice, references: ReferenceInfo | None) -> None:
    if references is not None:
        raise ArgumentError(
            f"device {device.name!r} delivers pictures, which have no references; leave them out"
        )
