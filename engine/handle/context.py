"""The class `ProcessingContext`."""
# ruff: noqa: N802, N803 - the published names are camelCase

from typing import Any, Self

import numpy as np

from engine.dfp import ModelEntry
from engine.errors import ProgramMalformedError
from engine.handle._arguments import whole_number
from engine.handle._epoch import Epoch
from engine.handle._feed import Feed, TensorFeed
from engine.handle._lines import DataForm, ManyFeeds
from engine.handle._orders import cube_order, frame_order
from engine.handle._processing import Parts, Processing, SessionStep
from engine.handle._queue import QueueCore
from engine.handle._sinks import OutputSinkInfo, Sinks
from engine.handle._spectral_setup import (
    Numbers,
    ReferenceInfo,
    SpectralData,
    as_dtype,
    describe,
    model_feed,
    plain_feed,
)
from engine.handle.enums import (
    DeviceProcessingContext_CreationFlags,
    HSICube_StorageOrder,
    MeasurementProcessingContextFlag,
    PushBroomFrame_StorageOrder,
    ValueType,
)
from engine.handle.errors import ArgumentError, SinkIndexError
from engine.handle.instrument import Buffer, InstrumentDevice, device_data
from engine.handle.measurement import MeasurementList, measurement_data
from engine.handle.model import Model, model_core_of
from engine.handle.queue_set import ProcessingQueueSet, queue_of
from engine.protocol import TensorInfo

__all__ = ("ProcessingContext",)

Array = np.ndarray[Any, Any]
NO_FLAGS = DeviceProcessingContext_CreationFlags.NoFlags


class ProcessingContext:
    """Processes data with a model: `setSourceData`, `processNext`, `outputSinkData`, and again.

    The constructor makes a context for plain tensors. `createHSICube` and `createPushBroomFrame`
    make contexts for spectra; those for measurements and devices are made by
    `createMeasurement`, `createInstrumentPreview`, `createInstrumentRecording` and
    `createInstrumentProcessing`.

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

    def __init__(
        self,
        model: Model,
        queueSet: ProcessingQueueSet | None = None,
        *,
        splitsBatch: bool = True,
    ) -> None:
        entry = model_core_of(model).entry
        queue, epoch = queue_for(model, queueSet)
        feed = TensorFeed(entry.inputs, entry.outputs, splits_batch=splitsBatch)
        self._processing = Processing(model_parts(model, queue, epoch, feed))

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
            cube_order(storageOrder), _shape(shape, 3), as_dtype(dataType), variableSpatialSize
        )
        return cls.for_data(model, describe(form, wavelengths, references), queueSet)

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
        form = DataForm(frame_order(storageOrder), _shape(shape, 2), as_dtype(dataType))
        return cls.for_data(model, describe(form, wavelengths, references), queueSet)

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
        context = cls.for_data(model, data, queueSet)
        context.setSourceData(measurementList.data(index))
        return context

    @classmethod
    def createInstrumentProcessing(
        cls,
        device: InstrumentDevice,
        model: Model,
        *,
        references: ReferenceInfo | None = None,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context that processes a line camera's buffers with a model.

        Parameters
        ----------
        references : measured with the device; a `BufferContainer` serves as reference.
        """
        return cls.for_data(model, device_data(device, references), queueSet)

    @classmethod
    def createInstrumentPreview(
        cls, device: InstrumentDevice, *, queueSet: ProcessingQueueSet | None = None
    ) -> Self:
        """Make a context without a model that shows a line camera's buffers.

        Sink 0 holds the intensities of each line, shape (1, samples, bands), float32.
        """
        data = device_data(device, None)
        queue, epoch = queue_of(device.core, queueSet)
        feed = plain_feed(data, data.value_type, queue.thread_count, dtype=np.dtype(np.float32))
        sinks = Sinks([_line_sink(0, "preview", "float32", data)])
        return cls.of(Parts(queue, epoch, feed, sinks, None, keep_alive=device))

    @classmethod
    def createInstrumentRecording(
        cls,
        device: InstrumentDevice,
        valueType: ValueType = ValueType.Intensity,
        *,
        references: ReferenceInfo | None = None,
        flags: DeviceProcessingContext_CreationFlags = NO_FLAGS,
        queueSet: ProcessingQueueSet | None = None,
    ) -> Self:
        """Make a context without a model that brings buffers into the form that is to be saved.

        Sink 0 holds each line as `valueType`, shape (1, samples, bands): intensities as the device
        counts them, all else as float32. With the flag AdditionalPreview, sink 1 (its id is 1 too)
        holds what a preview would show.
        """
        data = device_data(device, references)
        queue, epoch = queue_of(device.core, queueSet)
        kept = data.form.dtype if valueType is data.value_type else np.dtype(np.float32)
        feeds = [plain_feed(data, valueType, queue.thread_count, dtype=kept)]
        infos = [_line_sink(0, "recording", kept.name, data)]
        if DeviceProcessingContext_CreationFlags.AdditionalPreview in flags:
            preview = np.dtype(np.float32)
            feeds.append(plain_feed(data, data.value_type, queue.thread_count, dtype=preview))
            infos.append(_line_sink(1, "preview", "float32", data))
        return cls.of(Parts(queue, epoch, ManyFeeds(feeds), Sinks(infos), None, keep_alive=device))

    @classmethod
    def for_data(
        cls, model: Model, data: SpectralData, queue_set: ProcessingQueueSet | None
    ) -> Self:
        """Make a context for spectra that were described already; used by this package."""
        queue, epoch = queue_for(model, queue_set)
        feed = model_feed(model, data, queue.thread_count)
        return cls.of(model_parts(model, queue, epoch, feed))

    @classmethod
    def of(cls, parts: Parts) -> Self:
        """Make a context of its parts; used by this package."""
        context = cls.__new__(cls)
        context._processing = Processing(parts)  # noqa: SLF001 - instead of __init__
        return context

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


def queue_for(model: Model, queue_set: ProcessingQueueSet | None) -> tuple[QueueCore, Epoch]:
    """Return the queue set a context uses, and its present epoch."""
    core = model_core_of(model)
    core.check()
    return queue_of(core.handle, queue_set)


def model_parts(model: Model, queue: QueueCore, epoch: Epoch, feed: Feed) -> Parts:
    """Return the parts of a context that executes a model."""
    core = model_core_of(model)
    entry = core.entry
    session = core.session(core.handle.plugins.choose())
    step = SessionStep(
        session,
        _places(entry, entry.inputs, session.inputs),
        _places(entry, session.outputs, entry.outputs),
    )
    infos = [
        OutputSinkInfo(index, index, tensor.name, tensor.dtype, tensor.shape)
        for index, tensor in enumerate(entry.outputs)
    ]
    return Parts(queue, epoch, feed, Sinks(infos), step, keep_alive=core)


def _places(
    entry: ModelEntry, have: tuple[TensorInfo, ...], wanted: tuple[TensorInfo, ...]
) -> list[int]:
    names = [tensor.name for tensor in have]
    if sorted(names) != sorted(tensor.name for tensor in wanted):
        raise ProgramMalformedError(
            f"model {entry.name!r} and its graph name different tensors, {', '.join(names)} and "
            f"{', '.join(tensor.name for tensor in wanted)}; compile it again"
        )
    return [names.index(tensor.name) for tensor in wanted]


def _line_sink(index: int, name: str, dtype: str, data: SpectralData) -> OutputSinkInfo:
    return OutputSinkInfo(index, index, name, dtype, (1, data.samples, data.bands))


def _shape(shape: object, rank: int) -> tuple[int, ...]:
    given = tuple(shape) if isinstance(shape, list | tuple) else ()
    sizes = tuple(whole_number(size, "a size of the shape") for size in given)
    if len(sizes) != rank or any(size < 1 for size in sizes):
        raise ArgumentError(f"shape is {rank} sizes of 1 or more, not {shape!r}")
    return sizes
