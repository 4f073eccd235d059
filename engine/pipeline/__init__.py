"""A running stream: source, pre-processing, device, post-processing and sinks."""

from engine.pipeline.figures import StreamStatistics
from engine.pipeline.programs import LoadedProgram
from engine.pipeline.recorder import Recorder
from engine.pipeline.report import make_report, stream_report
from engine.pipeline.stream import Stream, StreamParts

__all__ = (
    "LoadedProgram",
    "Recorder",
    "Stream",
    "StreamParts",
    "StreamStatistics",
    "make_report",
    "stream_report",
)
