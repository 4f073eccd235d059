"""Puts contexts together from a model or a device, and what its creator was given."""

from functools import partial

import numpy as np

from engine.handle._arguments import whole_number
from engine.handle._bound_license import require_connected_device
from engine.handle._epoch import Epoch
from engine.handle._feed import Feed
from engine.handle._lines import ManyFeeds, SpectrumFeed
from engine.handle._objects import finds_objects
from engine.handle._pictures import PictureFeed
from engine.handle._plan import Plan
from engine.handle._processing import Parts
from engine.handle._queue import QueueCore
from engine.handle._sinks import OutputSinkInfo, Sinks
from engine.handle._spectral_setup import SpectralData, model_feed, plain_feed
from engine.handle.enums import ValueType
from engine.handle.errors import ArgumentError
from engine.handle.model import Model, model_core_of
from engine.handle.queue_set import ProcessingQueueSet, queue_of
from engine.protocol import FrameFormat

__all__ = (
    "data_parts",
    "line_sink",
    "model_parts",
    "picture_parts",
    "picture_sink",
    "preview",
    "queue_for",
    "recording",
    "sizes_of",
)


def queue_for(model: Model, queue_set: ProcessingQueueSet | None) -> tuple[QueueCore, Epoch]:
    """Return the queue set a context uses, and its present epoch."""
    core = model_core_of(model)
    core.check()
    require_connected_device(core.handle, "making a context")
    return queue_of(core.handle, queue_set)


def data_parts(plan: Plan, data: SpectralData, queue_set: ProcessingQueueSet | None) -> Parts:
    """Return the parts of a context for spectra."""
    queue, epoch = queue_for(plan.model, queue_set)
    feed = model_feed(plan, data, queue.thread_count)
    return model_parts(plan, (queue, epoch), feed, samples=data.samples)


def picture_parts(
    plan: Plan, frame_format: FrameFormat, queue_set: ProcessingQueueSet | None
) -> Parts:
    """Return the parts of a context for pictures."""
    return model_parts(plan, queue_for(plan.model, queue_set), PictureFeed(plan, frame_format))


def model_parts(
    plan: Plan, queue: tuple[QueueCore, Epoch], feed: Feed, *, samples: int = 0
) -> Parts:
    """Return the parts of a context that executes a model."""
    infos = [
        OutputSinkInfo(
            index, index, tensor.name, tensor.dtype, tensor.shape, outputDelay=plan.output_delay
        )
        for index, tensor in enumerate(plan.outputs)
    ]
    if isinstance(feed, PictureFeed) and finds_objects(plan):
        place = len(infos)
        infos.append(OutputSinkInfo(place, place, "objects", "object", (0,), "ObjectList"))
    core = model_core_of(plan.model)
    may_run = partial(require_connected_device, core.handle, "processing")
    return Parts(*queue, feed, Sinks(infos), plan.step(samples), core, may_run)


def preview(data: SpectralData, thread_count: int) -> tuple[Sinks, Feed]:
    """Return sink and feed of a context that shows lines, or the spectra of a spectrometer."""
    dtype = np.dtype(np.float32)
    feed = plain_feed(data, data.value_type, thread_count, dtype=dtype)
    if data.samples == 1:
        info = OutputSinkInfo(0, 0, "preview", dtype.name, (data.bands,))
        return Sinks([info]), SpectrumFeed(feed)
    return Sinks([line_sink(0, "preview", dtype.name, data)]), feed


def recording(
    data: SpectralData, value_type: ValueType | None, thread_count: int, *, has_preview: bool
) -> tuple[Sinks, ManyFeeds]:
    """Return sinks and feed of a context that records lines."""
    wanted = data.value_type if value_type is None else value_type
    kept = data.form.dtype if wanted is data.value_type else np.dtype(np.float32)
    feeds = [plain_feed(data, wanted, thread_count, dtype=kept)]
    infos = [line_sink(0, "recording", kept.name, data)]
    if has_preview:
        shown = np.dtype(np.float32)
        feeds.append(plain_feed(data, data.value_type, thread_count, dtype=shown))
        infos.append(line_sink(1, "preview", "float32", data))
    return Sinks(infos), ManyFeeds(feeds)


def line_sink(index: int, name: str, dtype: str, data: SpectralData) -> OutputSinkInfo:
    """Describe a sink that holds the lines themselves."""
    return OutputSinkInfo(index, index, name, dtype, (1, data.samples, data.bands))


def picture_sink(index: int, name: str, frame_format: FrameFormat) -> OutputSinkInfo:
    """Describe a sink that holds the pictures themselves."""
    return OutputSinkInfo(index, index, name, frame_format.dtype, frame_format.shape)


def sizes_of(shape: object, rank: int) -> tuple[int, ...]:
    """Return a shape of so many sizes, checked."""
    given = tuple(shape) if isinstance(shape, list | tuple) else ()
    sizes = tuple(whole_number(size, "a size of the shape") for size in given)
    if len(sizes) != rank or any(size < 1 for size in sizes):
        raise ArgumentError(f"shape is {rank} sizes of 1 or more, not {shape!r}")
    return sizes
