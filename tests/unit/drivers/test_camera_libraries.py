"""What camera drivers say when the library that they need is not installed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.drivers.builtin.genicam.producers import device_info, open_producers, producer_files
from engine.drivers.builtin.gige_vision import aravis
from engine.errors import MediaError


@pytest.fixture
def no_aravis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    aravis.load_aravis.cache_clear()
    monkeypatch.setattr(aravis, "_LIBRARY", "libaravis-of-another-age.so")
    yield
    aravis.load_aravis.cache_clear()


def test_without_aravis_the_sentence_says_what_to_install(no_aravis: None) -> None:
    with pytest.raises(MediaError, match=r"GigE Vision .* apt install libaravis-0\.8-0"):
        aravis.load_aravis()


def test_another_aravis_that_lacks_functions_is_told_like_none(
    monkeypatch: pytest.MonkeyPatch, no_aravis: None
) -> None:
    monkeypatch.setattr(aravis, "_LIBRARY", "libc.so.6")
    with pytest.raises(MediaError, match=r"apt install libaravis-0\.8-0"):
        aravis.load_aravis()


@pytest.mark.parametrize("missing", ["genicam.gentl", "harvesters.core"])
def test_without_the_extra_the_sentence_names_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    pytest.importorskip("harvesters.core", reason="needs the extra genicam")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MediaError, match=r"pip install 'penstock\[genicam\]'"):
        open_producers("")


def test_producers_are_looked_for_where_their_makers_put_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("b.cti", "a.cti", "readme.txt"):
        (tmp_path / name).touch()
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"{tmp_path / 'none'}:{tmp_path}:")
    assert [path.name for path in producer_files("")] == ["a.cti", "b.cti"]
    assert producer_files(str(tmp_path / "b.cti")) == [tmp_path / "b.cti"]
    with pytest.raises(MediaError, match=r"c\.cti does not exist"):
        producer_files(str(tmp_path / "c.cti"))
    monkeypatch.setenv("GENICAM_GENTL64_PATH", "")
    with pytest.raises(MediaError, match="there is no GenTL producer"):
        producer_files("")


def test_a_device_without_a_serial_number_is_known_by_its_id() -> None:
    found = device_info({"id_": "x1", "vendor": None, "serial_number": None, "model": "M"})
    assert (found.device_id, found.name, found.serial, found.vendor) == ("x1", "x1", "", "")
