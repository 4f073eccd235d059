from pathlib import Path
from typing import Any

import pytest

from engine.drivers import DriverEntry, complete_parameters, resolve_paths
from engine.errors import InvalidArgumentError
from engine.protocol import DriverParameter

ENTRY = DriverEntry(
    name="cam",
    label="Camera",
    folder="/nowhere",
    parameters=(
        DriverParameter("path", "File", "path", is_required=True),
        DriverParameter("rate", "Rate", "number", default=25.0, minimum=1, maximum=60, unit="Hz"),
        DriverParameter("count", "Count", "integer", default=3),
        DriverParameter("loop", "Loop", "boolean", default=True),
        DriverParameter("mode", "Mode", "choice", default="a", choices=("a", "b")),
        DriverParameter("extra", "Extra", "folder"),
    ),
)


def test_what_is_not_given_is_filled_in() -> None:
    assert complete_parameters(ENTRY, {"path": "x", "rate": 30}) == {
        "path": "x",
        "rate": 30,
        "count": 3,
        "loop": True,
        "mode": "a",
        "extra": "",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, r"needs the parameter 'path' \(File\)"),
        ({"path": ""}, "needs the parameter 'path'"),
        ({"path": 5}, "'path' .* is a path, not 5"),
        ({"path": ["a", 1]}, "is a path"),
        ({"pth": "x"}, "has no parameter 'pth'; did you mean 'path'"),
        ({"path": "x", "zzz": 1}, "has no parameter 'zzz'; it has path, rate"),
        ({"path": "x", "rate": "fast"}, "is a number, not 'fast'"),
        ({"path": "x", "rate": True}, "is a number"),
        ({"path": "x", "rate": 0.5}, "is at least 1 Hz, not 0.5"),
        ({"path": "x", "rate": 61}, "is at most 60 Hz"),
        ({"path": "x", "rate": float("nan")}, "is a finite number"),
        ({"path": "x", "count": 1.5}, "is a whole number"),
        ({"path": "x", "loop": 1}, "is true or false"),
        ({"path": "x", "mode": "c"}, "is a or b, not 'c'"),
        ({"path": "x", "rate": ""}, "is a number"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError, match=sentence) as caught:
        complete_parameters(ENTRY, given)
    assert "'cam'" in caught.value.message


def test_relative_paths_count_from_the_project() -> None:
    home = Path("/project")

    found = resolve_paths(
        ENTRY, {"path": ["a.png", "/b.png"], "extra": "", "mode": "a", "unknown": "x"}, home
    )

    assert found == {
        "path": ["/project/a.png", "/b.png"],
        "extra": "",
        "mode": "a",
        "unknown": "x",
    }
    assert resolve_paths(ENTRY, {"path": "~/v.mp4"}, home)["path"] == str(Path.home() / "v.mp4")
