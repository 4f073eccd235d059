"""The engine service's public client: the same for the window, the command line and scripts.

The preview reader is loaded on first use, because it brings NumPy along.
"""

from typing import TYPE_CHECKING, Any

from engine.client.client import EngineClient, OnReply
from engine.client.endpoint import Endpoint, find_endpoints, reap_endpoints, runtime_folder

if TYPE_CHECKING:
    from engine.client.preview import Preview, PreviewReader

__all__ = (
    "Endpoint",
    "EngineClient",
    "OnReply",
    "Preview",
    "PreviewReader",
    "find_endpoints",
    "reap_endpoints",
    "runtime_folder",
)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type depends on the name
    if name in ("Preview", "PreviewReader"):
        from engine.client import preview  # noqa: PLC0415 - on first use only

        return getattr(preview, name)
    raise AttributeError(f"module 'engine.client' has no attribute {name!r}")
