import inspect
import tomllib
from operator import attrgetter
from pathlib import Path

import pytest

import engine.buffer

PUBLISHED = tomllib.loads(Path(__file__).with_name("signatures.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_signature_is_the_published_one(name: str) -> None:
    signature = inspect.signature(attrgetter(name)(engine.buffer))
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    assert str(inspect.Signature(parameters)) == PUBLISHED[name]


def test_a_system_spawns_and_is_deterministic_unless_told() -> None:
    parameters = inspect.signature(engine.buffer.BufferSystem).parameters
    assert list(parameters) == ["cpus", "context", "deterministic"]
    assert type(parameters["context"].default).__name__ == "SpawnContext"
    assert parameters["deterministic"].default is True
