"""Penstock's engine: runs compiled neural networks on many live streams, without a screen.

Public names are loaded on first use, so that ``import engine`` stays cheap.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "AsyncAccl": "engine.accelerator",
    "ClientOptions": "engine.accelerator",
    "MultiStreamAsyncAccl": "engine.accelerator",
    "SchedulerOptions": "engine.accelerator",
    "SyncAccl": "engine.accelerator",
    "Dfp": "engine.dfp",
    "EngineClient": "engine.client",
    "NeuralCompiler": "engine.dfp",
    "EngineError": "engine.errors",
    "Project": "engine.config",
    "load_project": "engine.config",
}

__all__ = tuple(sorted(_HOMES))


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type depends on the name
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
