"""The owner record that is a segment's name."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.process import boot_id, start_time_of
from engine.shm import OwnerRecord


def test_a_record_of_this_process_names_it_and_is_alive() -> None:
    record = OwnerRecord.mine("ring")
    assert (record.pid, record.start) == (os.getpid(), start_time_of(os.getpid()))
    assert record.is_alive()


@given(purpose=st.text(max_size=80))
def test_any_purpose_gives_a_name_that_reads_back_as_the_same_record(purpose: str) -> None:
    record = OwnerRecord.mine(purpose)
    assert OwnerRecord.parse(record.name) == record
    assert "/" not in record.name


def test_two_segments_for_the_same_purpose_have_different_names() -> None:
    assert OwnerRecord.mine("ring").name != OwnerRecord.mine("ring").name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "penstock-1",
        "other-1-2-00000000-ring-00000000",
        "penstock-1-2-00000000-ring-0000000",
        "penstock-x-2-00000000-ring-00000000",
        "penstock-1-2-00000000-../ring-00000000",
        "penstock-1-2-00000000-ring-00000000\n",
    ],
)
def test_what_is_not_one_of_our_names_is_no_record(name: str) -> None:
    assert OwnerRecord.parse(name) is None


def test_a_used_again_process_number_is_not_the_owner() -> None:
    start = start_time_of(os.getpid())
    assert start is not None
    assert OwnerRecord(os.getpid(), start, boot_id(), "ring", "0" * 8).is_alive()
    assert not OwnerRecord(os.getpid(), start - 1, boot_id(), "ring", "0" * 8).is_alive()


def test_a_process_of_an_earlier_boot_is_not_the_owner() -> None:
    start = start_time_of(os.getpid())
    assert start is not None
    assert not OwnerRecord(os.getpid(), start, "0badb007", "ring", "0" * 8).is_alive()
