"""Penstock's engine: runs compiled neural networks on many live streams, without a screen.

Public names are loaded on first use, so that ``import engine`` stays cheap.
"""

from importlib import import_module
from typing import Any

_PACKAGES = {
    "engine.accelerator": (
        "AsyncAccl",
        "ClientOptions",
        "MultiStreamAsyncAccl",
        "SchedulerOptions",
        "SyncAccl",
    ),
    "engine.buffer": (
        "BufferFactory",
        "BufferInfo",
        "BufferIterator",
        "BufferState",
        "BufferSystem",
        "Commander",
        "Producer",
        "buffer_iterator_factory",
        "create_buffer_factory",
    ),
    "engine.client": ("EngineClient",),
    "engine.config": ("Project", "load_project"),
    "engine.dfp": ("Dfp", "NeuralCompiler"),
    "engine.errors": ("EngineError",),
    "engine.handle": (
        "CalibrationInfo",
        "ConnectionSettings",
        "DeviceGroup",
        "HSICube_StorageOrder",
        "Handle",
        "Model",
        "ProcessingContext",
        "ProcessingQueueSet",
        "PushBroomFrame_StorageOrder",
        "ReferenceInfo",
        "ValueType",
        "enumerateDevices",
        "loadMeasurementList",
        "saveMeasurementList",
    ),
    "engine.machine": (
        "Counter",
        "FakePool",
        "glob_read",
        "glob_remove",
        "glob_store",
        "glob_store_attributes",
        "glob_update",
        "no_parallel",
        "parallel_enabled",
        "process_pool",
        "raiser",
        "thread_pool",
    ),
    "engine.runner": ("BaseRunner", "CfgNode", "OrderedRunner", "UnorderedRunner"),
}

_HOMES = {name: package for package, names in _PACKAGES.items() for name in names}

__all__ = tuple(sorted(_HOMES))


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type depends on the name
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
