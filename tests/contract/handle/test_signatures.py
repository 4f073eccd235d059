"""Names, order and defaults of parameters are those that are published."""

import inspect
from typing import Any

import pytest

import engine.handle
from engine.handle import Handle, ProcessingQueueSet
from engine.handle.errors import HandleError

PUBLISHED = {
    Handle: {
        "__init__": "(self, licenseData)",
        "createProcessingThreads": "(self, count, initFunction=None)",
        "processingPluginCount": "(self)",
        "processingPluginId": "(self, index)",
        "processingPluginIndexById": "(self, id)",
        "processingPluginIsAvailable": "(self, index)",
        "processingPluginIsEnabled": "(self, index)",
        "processingPluginName": "(self, index)",
        "processingPluginSetEnabled": "(self, index, enabled)",
        "setDriverBaseDirectory": "(self, path)",
        "setDriverIsolationExecutable": "(self, path)",
        "stopProcessingThreads": "(self)",
    },
    ProcessingQueueSet: {
        "__init__": "(self, handle)",
        "createProcessingThreads": "(self, count, initFunction=None)",
        "stopProcessingThreads": "(self)",
    },
}
CASES = [(kind, name, text) for kind, names in PUBLISHED.items() for name, text in names.items()]


def bare(function: Any) -> str:
    """Return a signature without its types."""
    signature = inspect.signature(function)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


@pytest.mark.parametrize(("kind", "name", "text"), CASES, ids=lambda value: str(value)[:40])
def test_the_signature_is_the_published_one(kind: type, name: str, text: str) -> None:
    assert bare(getattr(kind, name)) == text


def test_every_error_of_the_package_is_a_runtime_error_with_a_code() -> None:
    kinds = [
        kind
        for kind in vars(engine.handle.errors).values()
        if isinstance(kind, type) and kind.__module__ == engine.handle.errors.__name__
    ]
    assert len(kinds) > 20
    for kind in kinds:
        assert issubclass(kind, HandleError)
        assert issubclass(kind, RuntimeError)
        assert "code" in vars(kind)
    assert HandleError("x").osErrorCode == 0
    assert HandleError("x", os_error=2).osErrorCode == 2
