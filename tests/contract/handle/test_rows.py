"""The table beside this file names tests that exist."""

import re
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parents[1]


def test_every_test_that_the_table_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (HERE / "README.md").read_text(encoding="utf-8")))
    there: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        there |= set(re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8")))
    assert len(named) > 80
    assert named - there == set()
