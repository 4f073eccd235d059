import inspect
import tomllib
from pathlib import Path
from typing import Any

import pytest

import engine

PUBLISHED = tomllib.loads(Path(__file__).with_name("signatures.toml").read_text(encoding="utf-8"))
MEMBERS = [(cls, member) for cls, members in PUBLISHED.items() for member in members]


def as_text(function: Any) -> Any:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    return str(inspect.Signature(parameters))


@pytest.mark.parametrize(("cls", "member"), MEMBERS)
def test_signature_is_the_published_one(cls: Any, member: Any) -> None:
    assert as_text(getattr(getattr(engine, cls), member)) == PUBLISHED[cls][member]


@pytest.mark.parametrize("cls", PUBLISHED)
def test_the_class_itself_shows_the_signature_too(cls: Any) -> None:
    assert as_text(getattr(engine, cls)) == PUBLISHED[cls]["__init__"]
