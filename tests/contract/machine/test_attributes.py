"""Attributes that live in the global storage."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from engine.errors import InvalidArgumentError
from engine.machine import FakePool, ProcessPool, glob_store_attributes
from engine.machine._storage import storage
from tests.support import machine_calls as calls


def stored() -> int:
    return len(storage.store)


def test_an_attribute_is_got_and_set_like_any_other() -> None:
    big = np.zeros(3)
    holder = calls.Holder(big)
    assert holder.big is big
    holder.big = "other"
    assert holder.big == "other"
    assert "big" not in vars(holder)


def test_storage_is_empty_again_when_the_instances_are_gone() -> None:
    before = stored()
    holders = [calls.Holder(n) for n in range(5)]
    assert stored() == before + 5
    holders[0].big = "replaced"
    assert stored() == before + 5
    del holders
    assert stored() == before


def test_a_pickle_holds_the_key_and_not_the_object() -> None:
    holder = calls.Holder(np.zeros(1_000_000))
    assert len(pickle.dumps(holder)) < 1000


@pytest.mark.parametrize("again", [copy.copy, lambda h: pickle.loads(pickle.dumps(h))])
def test_dropping_a_copy_takes_nothing_away(again: Any) -> None:
    before = stored()
    holder = calls.Holder("big")
    twin = again(holder)
    assert twin.big == "big"
    del twin
    assert holder.big == "big"
    twin = again(holder)
    del holder
    assert twin.big == "big"
    del twin
    assert stored() == before


def test_setting_one_copy_leaves_the_other_as_it_is() -> None:
    holder = calls.Holder("old")
    twin = copy.copy(holder)
    twin.big = "new"
    assert (holder.big, twin.big) == ("old", "new")


def test_a_deep_copy_has_an_object_of_its_own() -> None:
    holder = calls.Holder([1])
    twin = copy.deepcopy(holder)
    twin.big.append(2)
    assert holder.big == [1]


def test_a_worker_reads_the_attribute(workers: ProcessPool) -> None:
    holder = calls.Holder(np.arange(10_000))
    np.testing.assert_array_equal(workers.apply(calls.big_of, (holder,)), holder.big)


def test_an_instance_that_comes_back_shares_the_object(workers: ProcessPool) -> None:
    big = np.zeros(10_000)
    holder = calls.Holder(big)
    for _ in range(3):
        back = workers.apply(calls.sent_back, (holder,))
        assert back.big is big
        del back
    assert holder.big is big


def test_an_instance_that_lives_only_in_the_call_comes_back_whole(workers: ProcessPool) -> None:
    before = stored()
    back = list(workers.imap(calls.sent_back, (calls.Holder(n) for n in range(20))))
    assert [holder.big for holder in back] == list(range(20))
    del back
    assert stored() == before


def test_an_object_set_or_made_by_a_worker_travels_back(workers: ProcessPool) -> None:
    holder = calls.Holder("parent's")
    changed = workers.apply(calls.with_new_big, (holder, "worker's"))
    assert (holder.big, changed.big) == ("parent's", "worker's")
    made = workers.map(calls.make_holder, ["a", "b"], 1)
    assert [each.big for each in made] == ["a", "b"]
    assert holder.big == "parent's"


def test_a_subclass_need_not_call_the_constructor_above() -> None:
    holder = calls.DerivedHolder()
    assert holder.big is None
    holder.big = 3
    assert (holder.big, holder.other) == (3, 2)


def test_a_class_default_is_kept_and_an_attribute_can_be_deleted() -> None:
    @glob_store_attributes("size", "shape")
    class Thing:
        size = 5

    thing = Thing()
    assert (thing.size, thing.shape) == (5, None)
    thing.size = 6
    del thing.size
    assert thing.size == 5
    with pytest.raises(AttributeError, match="has no 'size' of its own"):
        del thing.size


def test_decorated_subclasses_share_nothing_but_names() -> None:
    @glob_store_attributes("extra", "big")
    class More(calls.Holder):
        pass

    more = More("b")
    more.extra = "e"
    assert (more.big, more.extra, calls.Holder("x").big) == ("b", "e", "x")


def test_a_class_with_slots_is_refused_with_the_way_out() -> None:
    class Slotted:
        __slots__ = ("big",)

    with pytest.raises(InvalidArgumentError, match="__slots__ and no __dict__"):
        glob_store_attributes("big")(Slotted)


def test_forgetting_the_names_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="needs attribute names"):
        glob_store_attributes(calls.DerivedHolder)  # type: ignore[arg-type]


def test_it_works_without_processes() -> None:
    holder = calls.Holder("big")
    assert FakePool().apply(calls.big_of, (holder,)) == "big"


def test_an_instance_made_without_its_constructor_has_the_attribute_too() -> None:
    before = stored()
    bare = object.__new__(calls.Holder)
    assert bare.big is None
    bare.big = np.ones(3)
    assert copy.copy(bare).big is bare.big
    assert pickle.loads(pickle.dumps(bare)).big is bare.big
    del bare
    assert stored() == before
