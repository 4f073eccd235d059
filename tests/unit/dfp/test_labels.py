from pathlib import Path

import pytest

from engine.dfp.labels import labels_from_metadata, read_labels
from engine.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    ["cat\ncup\n", "cat\r\ncup", "['cat', 'cup']", '["cat", "cup"]', "{0: 'cat', 1: 'cup'}"],
)
def test_labels_are_found_in_the_ways_exporters_write_them(text: str) -> None:
    assert labels_from_metadata({"author": "me", "names": text}) == ("cat", "cup")


@pytest.mark.parametrize("text", ["", "  ", "[1, 2", "{1: 'cat', 5: 'cup'}", "{'a': 'b'}"])
def test_what_holds_no_labels_gives_none(text: str) -> None:
    assert labels_from_metadata({"labels": text}) == ()


def test_metadata_are_never_executed(tmp_path: Path) -> None:
    target = tmp_path / "made"

    assert labels_from_metadata({"names": f"[open({str(target)!r}, 'w')]"}) == ()
    assert not target.exists()


def test_a_label_file_has_one_label_per_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfcat \n\ncup\n\n")

    assert read_labels(path) == ("cat", "", "cup")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"\xff\xfe\x00", "not UTF-8 text"), (None, "No such file")],
)
def test_a_bad_label_file_is_told_in_one_sentence(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=words):
        read_labels(path)
