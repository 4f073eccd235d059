"""Segments within one process; what other processes do to them is in tests/process."""

import gc
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ClosedError, InvalidArgumentError, OutputError, SegmentLostError
from engine.shm import OwnerRecord, Segment, reap, reap_owner, segment, segment_folder


def test_a_new_segment_is_zero_private_and_of_the_size_asked_for() -> None:
    with Segment.create(10_000, purpose="test") as made:
        path = segment_folder() / made.name
        assert made.size_bytes == len(made.buffer) == 10_000
        assert bytes(made.buffer) == bytes(10_000)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_blocks * 512 >= 10_000  # memory is there before the first write


def test_what_one_writes_the_other_reads() -> None:
    with Segment.create(100, purpose="test") as made, Segment.attach(made.name) as seen:
        made.buffer[7] = 42
        assert seen.buffer[7] == 42
        seen.buffer[8] = 43
        assert made.buffer[8] == 43
        assert (made.is_owner, seen.is_owner) == (True, False)


def test_a_read_only_segment_cannot_be_written() -> None:
    with (
        Segment.create(100, purpose="test") as made,
        Segment.attach(made.name, is_read_only=True) as seen,
    ):
        made.buffer[0] = 5
        assert seen.buffer[0] == 5
        with pytest.raises(TypeError):
            seen.buffer[0] = 1


def test_closing_an_attached_segment_leaves_it_for_others() -> None:
    with Segment.create(100, purpose="test") as made:
        Segment.attach(made.name).close()
        with Segment.attach(made.name) as again:
            assert again.size_bytes == 100


def test_the_creators_close_removes_the_name_at_once() -> None:
    made = Segment.create(100, purpose="test")
    made.close()
    made.close()
    assert not (segment_folder() / made.name).exists()
    with pytest.raises(SegmentLostError, match="is gone"):
        Segment.attach(made.name)
    with pytest.raises(ClosedError):
        _ = made.buffer


def test_arrays_outlive_close_and_the_memory_goes_with_the_last_of_them() -> None:
    made = Segment.create(4096, purpose="test")
    array = np.frombuffer(made.buffer, np.uint8)
    part = array[10:20]
    array[:] = 9
    made.close()
    assert part.tolist() == [9] * 10
    assert made.name in _mapped()
    del array, part
    gc.collect()
    assert made.name not in _mapped()


def _mapped() -> str:
    return Path("/proc/self/maps").read_text("utf-8")


def test_more_memory_than_there_is_gives_one_sentence_and_leaves_nothing() -> None:
    with pytest.raises(OutputError, match=r"no shared memory for 'huge': .* MB are needed .* free"):
        Segment.create(1 << 50, purpose="huge")
    assert list(segment_folder().glob("*-huge-*")) == []


def test_memory_that_runs_out_during_creation_gives_the_same_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert os.statvfs(segment_folder()).f_blocks  # else the kernel would really try
    monkeypatch.setattr(segment, "_free_bytes", lambda _: None)
    with pytest.raises(OutputError, match=r"no shared memory for 'huge'") as caught:
        Segment.create(1 << 50, purpose="huge")
    assert isinstance(caught.value.__cause__, OSError)
    assert list(segment_folder().glob("*-huge-*")) == []


def test_an_unwritable_folder_gives_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(segment, "segment_folder", lambda: tmp_path / "missing")
    with pytest.raises(OutputError, match="it cannot be written"):
        Segment.create(100, purpose="test")


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="at least 1 byte"):
        Segment.create(0, purpose="test")


@pytest.mark.parametrize("name", ["../etc/passwd", "passwd", ""])
def test_only_our_own_names_can_be_attached(name: str) -> None:
    with pytest.raises(SegmentLostError, match="not the name of a segment"):
        Segment.attach(name)


def test_an_empty_file_with_a_proper_name_is_no_segment() -> None:
    path = segment_folder() / OwnerRecord.mine("empty").name
    path.touch(0o600)
    try:
        with pytest.raises(SegmentLostError, match="cannot be mapped"):
            Segment.attach(path.name)
    finally:
        path.unlink()


def test_a_forgotten_segment_is_told_about() -> None:
    forgotten = Segment.create(100, purpose="test")
    path = segment_folder() / forgotten.name
    warning = forgotten._warning
    assert warning is not None
    with pytest.warns(ResourceWarning, match="was never closed"):
        warning()
    forgotten.close()
    assert not path.exists()


def test_the_reaper_leaves_the_segments_of_living_owners() -> None:
    with Segment.create(100, purpose="test") as made:
        assert made.name not in reap()
        assert made.name not in reap_owner(os.getpid())
        assert (segment_folder() / made.name).exists()


def test_the_reaper_goes_by_the_name_where_files_cannot_be_locked() -> None:
    path = segment_folder() / OwnerRecord.mine("unlocked").name
    path.touch(0o600)
    try:
        assert path.name not in reap()
        assert path.exists()
    finally:
        path.unlink()


def test_the_reaper_removes_segments_of_earlier_boots_and_of_used_again_numbers() -> None:
    mine = OwnerRecord.mine("old")
    names = {
        OwnerRecord(mine.pid, mine.start, "0badb007", "old", "0" * 8).name,
        OwnerRecord(mine.pid, mine.start - 1, mine.boot, "old", "0" * 8).name,
    }
    for name in names:
        (segment_folder() / name).touch(0o600)
    assert names <= set(reap())
    assert names.isdisjoint(path.name for path in segment_folder().iterdir())


def test_the_reaper_leaves_files_that_are_not_ours() -> None:
    path = segment_folder() / f"penstock-{os.getpid()}-of-somebody-else"
    path.touch(0o600)
    try:
        assert path.name not in reap()
        assert path.exists()
    finally:
        path.unlink()


def test_the_reaper_leaves_what_an_owner_in_another_container_still_holds() -> None:
    with Segment.create(100, purpose="test") as made:
        path = segment_folder() / made.name
        record = OwnerRecord.mine("elsewhere")
        other = path.with_name(OwnerRecord(record.pid, 1, record.boot, "other", "0" * 8).name)
        path.rename(other)  # the same open file, under the name of a process unknown here
        try:
            assert other.name not in reap()
            assert other.exists()
        finally:
            other.unlink()


def test_elsewhere_segments_lie_in_the_temp_folder_and_are_filled_with_zeros(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(segment, "_SHARED_MEMORY", tmp_path / "missing")
    monkeypatch.setattr(segment.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delattr(os, "posix_fallocate")
    with Segment.create(3_000_000, purpose="test") as made:
        path = tmp_path / made.name
        assert path.stat().st_size == 3_000_000
        assert path.stat().st_blocks * 512 >= 3_000_000
        with Segment.attach(made.name) as seen:
            made.buffer[-1] = 4
            assert seen.buffer[-1] == 4
    assert not path.exists()
