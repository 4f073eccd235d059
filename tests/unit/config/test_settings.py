"""Settings refuse values that make no sense, in the constructor as in files."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.config import (
    EngineSettings,
    Normalization,
    PostSettings,
    PreSettings,
    ProgramSettings,
    Project,
    ResizeMode,
    StreamSettings,
)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: EngineSettings(lanes=-1), "lanes is 0 .* to 256, not -1"),
        (lambda: PostSettings(threshold=1.1), r"threshold is 0 to 1, not 1\.1"),
        (lambda: PostSettings(iou=-0.1), "iou is 0 to 1"),
        (lambda: PostSettings(max_results=0), "max_results is 1 to 1000, not 0"),
        (lambda: PreSettings(channels="rgba"), "channels is .* not 'rgba'"),
        (lambda: PreSettings(layout="chw"), "layout is .* not 'chw'"),
        (lambda: PreSettings(width=-1), "width and height are 0 or more pixels"),
        (lambda: StreamSettings("a", "p", "d", queue_depth=65), "queue_depth is 1 to 64, not 65"),
        (lambda: StreamSettings("a", "p", "d", threshold=-0.5), "threshold is 0 to 1"),
        (lambda: ProgramSettings("a/b", "p"), "program name 'a/b' needs"),
        (lambda: Project(streams=(StreamSettings("a", "p", "d"),)), r"programs \(none\)"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_constructor(
    make: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    "settings",
    [
        PreSettings(ResizeMode.CROP, 4, 3, "gray", "nhwc", Normalization((0.5,), (2.0,))),
        PostSettings(0.1, 3, 0.4, {"boxes": "b"}, apply_softmax=True, label_offset=1),
        StreamSettings("a", "p", "d", {"path": "x", "loop": True, "n": [1, 2.5, "z"]}),
    ],
)
def test_settings_survive_json(settings: msgspec.Struct) -> None:
    data = msgspec.json.encode(settings)
    assert msgspec.json.decode(data, type=type(settings)) == settings


@pytest.mark.parametrize("kind", [PreSettings, PostSettings, Normalization])
def test_a_key_unknown_to_a_program_is_refused(kind: type[Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `nonsense`"):
        msgspec.convert({"nonsense": 1}, kind)


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        Project().name = "other"  # type: ignore[misc]  # that is what must fail
