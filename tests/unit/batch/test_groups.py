"""How inputs are put into groups."""

from engine.batch.groups import Groups
from engine.batch.journal import BatchItem


def items(count: int) -> list[BatchItem]:
    return [BatchItem(number, b"", "", "picture") for number in range(count)]


def test_every_input_is_in_one_group_in_order() -> None:
    groups = Groups(items(1000), 1000, workers=2)
    seen = []
    for group in groups:
        groups.was_done(len(group), 0.001 * len(group))
        seen += [item.number for item in group]

    assert seen == list(range(1000))


def test_quick_inputs_come_in_large_groups_that_get_small_at_the_end() -> None:
    groups = Groups(items(10_000), 10_000, workers=2)
    sizes = []
    for group in groups:
        groups.was_done(len(group), 0.001 * len(group))
        sizes.append(len(group))

    assert 200 < max(sizes) <= 256
    assert sizes[0] == 1
    assert sizes[-4:] == [1, 1, 1, 1]


def test_slow_inputs_go_one_by_one() -> None:
    groups = Groups(items(50), 50, workers=2)
    sizes = []
    for group in groups:
        groups.was_done(len(group), 1.0 * len(group))
        sizes.append(len(group))

    assert set(sizes) == {1}


def test_many_workers_get_longer_groups() -> None:
    few, many = Groups(items(10**6), 10**6, workers=2), Groups(items(10**6), 10**6, workers=1000)
    sizes = []
    for groups in (few, many):
        groups.was_done(1, 0.02)
        sizes.append(len(next(iter(groups))))

    assert sizes == [12, 100]
