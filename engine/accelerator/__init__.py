"""Streaming inference of compiled programs: the published accelerator classes."""

from engine.accelerator.async_accl import AsyncAccl
from engine.accelerator.benchmark import Benchmark
from engine.accelerator.errors import (
    CallbackTypeError,
    ExtraModelError,
    FrameDtypeError,
    FrameShapeError,
    FrameTypeError,
    ModelIndexError,
    OptionTypeError,
)
from engine.accelerator.multi_stream_async_accl import MultiStreamAsyncAccl
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.accelerator.simulator import Simulator
from engine.accelerator.sync_accl import SyncAccl

__all__ = (
    "AsyncAccl",
    "Benchmark",
    "CallbackTypeError",
    "ClientOptions",
    "ExtraModelError",
    "FrameDtypeError",
    "FrameShapeError",
    "FrameTypeError",
    "ModelIndexError",
    "MultiStreamAsyncAccl",
    "OptionTypeError",
    "SchedulerOptions",
    "Simulator",
    "SyncAccl",
)
