"""The engine service's public client: the same for the window, the command line and scripts."""

from engine.client.client import EngineClient, OnReply
from engine.client.endpoint import Endpoint, find_endpoints, reap_endpoints, runtime_folder
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
