"""On which device a frame is executed, decided without a thread or a clock."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.accelerator._balance import Balance, Seat
from engine.errors import WrongStateError


def balance(*capacities: int, depth: int = 16) -> Balance:
    return Balance(dict(enumerate(capacities)), models=1, depth=depth)


def take(one: Balance, *, tried: tuple[int, ...] = (), now_s: float = 0.0) -> Seat:
    seat = one.take(0, tried, now_s)
    assert seat is not None
    return seat


def run(one: Balance, seat: Seat, spent_s: float = 1.0) -> None:
    one.give_back(seat, 0, spent_s)


def measure(one: Balance, *spent_s: float) -> None:
    """Let every device have one frame."""
    seats = [take(one, tried=tuple(n for n in range(len(spent_s)) if n != k)) for k in range(2)]
    for seat, seconds in zip(seats, spent_s, strict=True):
        run(one, seat, seconds)


def test_one_frame_at_a_time_goes_to_the_first_device() -> None:
    one = balance(2, 2)
    for _ in range(5):
        seat = take(one)
        assert seat.number == 0
        run(one, seat)


def test_frames_go_to_the_device_with_the_largest_part_free() -> None:
    one = balance(2, 4)
    numbers = [take(one).number for _ in range(6)]
    assert sorted(numbers) == [0, 0, 1, 1, 1, 1]
    assert numbers[:2] == [0, 1]


def test_a_frame_waits_when_all_devices_are_full() -> None:
    one = balance(1, 1)
    first, _ = take(one), take(one)
    assert one.take(0, (), 0.0) is None
    run(one, first)
    assert take(one).number == first.number


def test_a_slower_device_has_its_part_as_long_as_it_does_not_hold_up_the_others() -> None:
    one = balance(2, 2, depth=16)
    measure(one, 1.0, 7.0)  # the first is done with 14 frames meanwhile
    assert {take(one).number for _ in range(4)} == {0, 1}


def test_a_device_that_would_hold_up_the_others_is_left_out() -> None:
    one = balance(2, 2, depth=16)
    measure(one, 1.0, 9.0)  # the first would be done with 18 frames, and only 16 may wait
    assert [take(one).number for _ in range(2)] == [0, 0]
    assert one.take(0, (), 0.0) is None


def test_the_fastest_device_is_never_left_out() -> None:
    one = balance(8, 8, depth=1)
    measure(one, 1.0, 3.0)
    assert [take(one).number for _ in range(8)] == [0] * 8


def test_a_device_that_was_slow_once_is_tried_again_some_day() -> None:
    one = balance(1, 1, depth=4)
    measure(one, 1.0, 5.0)
    numbers = set()
    for _ in range(400):
        seat, other = take(one), one.take(0, (), 0.0)
        numbers.add(other.number if other else seat.number)
        for used in filter(None, (seat, other)):
            run(one, used, 1.0)
    assert numbers == {0, 1}


def test_a_lost_device_gets_no_frames_while_another_works() -> None:
    one = balance(2, 2)
    one.lose(take(one), 10.0)
    for _ in range(2):
        assert take(one, now_s=10.5).number == 1
    assert one.take(0, (), 10.5) is None
    assert one.wait_s(10.5) == pytest.approx(0.5)


def test_a_lost_device_is_tried_with_one_frame_and_later_each_time() -> None:
    one = balance(2, 2)
    one.lose(take(one), 0.0)
    at_s = 0.0
    for delay_s in (1, 2, 4, 8, 16, 32, 60, 60):
        at_s += delay_s
        before = take(one, now_s=at_s - 0.01)
        assert before.number == 1
        trial, other = take(one, now_s=at_s), take(one, now_s=at_s)
        assert (trial.number, other.number) == (0, 1)
        run(one, before)
        run(one, other)
        one.lose(trial, at_s)


def test_a_device_that_came_back_is_one_like_the_others() -> None:
    one = balance(1, 1)
    one.lose(take(one), 0.0)
    run(one, take(one, now_s=1.0))
    assert {take(one).number for _ in range(2)} == {0, 1}
    assert one.wait_s(1.0) is None


def test_frames_that_were_lost_together_are_one_loss() -> None:
    one = balance(3, 1)
    seats = [take(one, tried=(1,)) for _ in range(3)]
    for seat in seats:
        one.lose(seat, 0.0)
    assert one.seats[0].delay_s == 1.0
    assert one.seats[0].in_use == 0


def test_a_frame_is_never_given_to_a_device_that_was_lost_with_it() -> None:
    one = balance(1, 1)
    one.lose(take(one), 0.0)
    assert take(one, tried=(0,), now_s=100.0).number == 1
    assert one.take(0, (0,), 100.0) is None
    with pytest.raises(WrongStateError):
        one.take(0, (0, 1), 100.0)


def test_with_all_devices_lost_frames_do_not_wait_for_the_right_moment() -> None:
    one = balance(1, 1)
    for _ in range(2):
        one.lose(take(one, now_s=5.0), 5.0)
    assert take(one, now_s=5.0).number == 0


def test_a_frame_s_own_failure_is_no_loss_and_no_measurement() -> None:
    one = balance(1, 1)
    one.give_back(take(one), 0, None)
    assert one.seats[0].seconds == [0.0]
    assert not one.seats[0].is_lost


def test_models_are_measured_apart() -> None:
    one = Balance({0: 1, 1: 1}, models=2, depth=2)
    for model, spent_s in ((0, 9.0), (1, 1.0)):
        for number in range(2):
            seat = one.take(model, (1 - number,), 0.0)
            assert seat is not None
            one.give_back(seat, model, spent_s if number else 1.0)
    assert one.take(0, (0,), 0.0) is not None  # nothing else is left for that frame
    assert {one.seats[1].seconds[0], one.seats[1].seconds[1]} == {9.0, 1.0}


@given(
    capacities=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    events=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=200),
)
def test_no_device_has_more_frames_than_it_takes_and_none_is_forgotten(
    capacities: list[int], events: list[tuple[int, int]]
) -> None:
    one = Balance(dict(enumerate(capacities)), models=1, depth=8)
    under_way: list[Seat] = []
    for now_s, (what, which) in zip(itertools.count(), events, strict=False):
        if what == 0:
            tried = {which} if which < len(capacities) else set()
            seat = one.take(0, tried, float(now_s))
            if seat is None:  # somebody will give back what this one waits for
                assert any(other.number not in tried for other in under_way)
            else:
                assert seat.number not in tried
                under_way.append(seat)
        elif under_way:
            seat = under_way.pop(which % len(under_way))
            if what == 1:
                one.give_back(seat, 0, 0.1 * (which + 1))
            else:
                one.lose(seat, float(now_s))
        for seat in one.seats:
            assert 0 <= seat.in_use <= seat.capacity
        assert sum(seat.in_use for seat in one.seats) == len(under_way)
