"""One test per documented sentence of the published runners."""

import inspect
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.errors import ClosedError
from engine.runner import BaseRunner, CfgNode, OrderedRunner, UnorderedRunner
from tests.support.child_processes import child_processes
from tests.support.runners import Collecting, Sleeper, Squares, UnorderedSleeper, UnorderedSquares

Start = Callable[..., Any]
HOOKS = {
    "producer_init": "(device, cfg)",
    "producer_work": "(device, cfg, data)",
    "producer_end": "(device, cfg)",
    "consumer_init": "(cfg)",
    "consumer_work": "(cfg, data)",
    "consumer_end": "(cfg)",
}


def workers() -> list[psutil.Process]:
    return child_processes()


class Marked(Collecting, OrderedRunner):
    """Writes a line for each hook of the workers into a file."""

    @staticmethod
    def producer_init(device: Any, cfg: Any) -> None:
        cfg.worked = 0
        note(cfg, f"init {device}")

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        cfg.worked += 1
        return device, data

    @staticmethod
    def producer_end(device: Any, cfg: Any) -> None:
        note(cfg, f"end {device} {cfg.worked}")


def note(cfg: Any, line: str) -> None:
    with Path(cfg.path).open("a") as file:
        file.write(line + "\n")


# -- signatures


@pytest.mark.parametrize("kind", [BaseRunner, OrderedRunner, UnorderedRunner])
def test_the_published_arguments_come_first_and_ours_by_keyword_only(kind: Any) -> None:
    parameters = list(inspect.signature(kind).parameters.values())
    published, ours = parameters[:3], parameters[3:]
    assert [(p.name, p.default) for p in published] == [
        ("devices", inspect.Parameter.empty),
        ("cfg", {}),
        ("queue_scale", 3.0),
    ]
    assert {p.kind for p in ours} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_are_static_methods_with_the_published_parameters(hook: str) -> None:
    assert isinstance(inspect.getattr_static(BaseRunner, hook), staticmethod)
    names = ", ".join(inspect.signature(getattr(BaseRunner, hook)).parameters)
    assert f"({names})" == HOOKS[hook]


@pytest.mark.parametrize("kind", [OrderedRunner, UnorderedRunner])
def test_both_runners_are_base_runners(kind: Any) -> None:
    assert issubclass(kind, BaseRunner)


# -- BaseRunner


def test_the_runner_starts_processes_for_producers_and_one_thread_for_the_consumer(
    start: Start,
) -> None:
    seen = []

    class Seen(UnorderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return os.getpid()

        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            seen.append((data, os.getpid(), threading.current_thread()))

    runner = start(Seen, 2)
    started = {process.pid for process in workers()}
    runner(range(50))
    assert {pid for pid, _, _ in seen} <= started
    assert {pid for _, pid, _ in seen} == {os.getpid()}
    assert len({thread for _, _, thread in seen}) == 1
    assert threading.main_thread() not in {thread for _, _, thread in seen}


def test_a_number_of_devices_means_that_many_workers_on_the_cpu(
    start: Start, tmp_path: Path
) -> None:
    runner = start(Marked, 3, {"path": str(tmp_path / "log")})
    assert len(workers()) == 3
    assert {device for device, _ in runner(range(9))} == {"cpu"}


def test_an_iterable_of_devices_means_one_worker_for_each(start: Start, tmp_path: Path) -> None:
    runner = start(Marked, ["cpu", "cuda:0", "cuda:1"], {"path": str(tmp_path / "log")})
    assert len(workers()) == 3
    runner.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert sorted(line for line in lines if line.startswith("init")) == [
        "init cpu",
        "init cuda:0",
        "init cuda:1",
    ]


def test_the_base_runner_gives_results_in_any_order(start: Start) -> None:
    class Base(Collecting):
        pass

    assert sorted(start(Base, 2)(range(100))) == list(range(100))


def test_cfg_is_the_users_own_data_in_every_hook(start: Start) -> None:
    class Sum(OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return data + cfg.offset

        @staticmethod
        def consumer_init(cfg: Any) -> None:
            cfg.sum = cfg.begin

        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            cfg.sum += data

        @staticmethod
        def consumer_end(cfg: Any) -> Any:
            return cfg.sum

    assert start(Sum, 2, CfgNode({"offset": 1, "begin": 100}))(range(10)) == 155
    assert start(Sum, 2, {"offset": 1, "begin": 100})(range(10)) == 155


def test_cfg_may_be_left_out(start: Start) -> None:
    assert start(Squares, 1)([3]) == [9]


@pytest.mark.parametrize(("scale", "most"), [(1.0, 2), (3.0, 6), (5.0, 10)])
def test_queue_scale_bounds_how_far_the_input_runs_ahead(
    start: Start, scale: float, most: int
) -> None:
    taken = []

    def items() -> Any:
        for number in range(20):
            taken.append(number)
            yield 0.3 if number == 0 else 0.0

    runner = start(Sleeper, 2, {}, scale)
    stream = runner.imap(items())
    next(stream)
    ahead = len(taken)
    stream.close()
    assert 1 <= ahead <= most + 1  # the one just delivered made room for another


def test_is_activate_says_whether_the_runner_is_alive(start_anywhere: Start) -> None:
    runner = start_anywhere(Squares, 1)
    assert runner.is_activate is True
    runner.close()
    assert runner.is_activate is False
    runner.activate()
    assert runner.is_activate is True


# -- the six hooks


def test_the_workers_first_hook_runs_once_per_worker_not_per_call(
    start: Start, tmp_path: Path
) -> None:
    runner = start(Marked, ["a", "b"], {"path": str(tmp_path / "log")})
    runner([1, 2])
    runner([])
    runner([3])
    runner.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert sorted(line for line in lines if "init" in line) == ["init a", "init b"]


def test_the_workers_first_hook_hands_data_to_the_others_through_cfg(
    start_anywhere: Start, tmp_path: Path
) -> None:
    runner = start_anywhere(Marked, ["a"], {"path": str(tmp_path / "log")})
    runner([1, 2])
    runner([3])
    runner.close()
    assert (tmp_path / "log").read_text().splitlines() == ["init a", "end a 3"]


def test_the_working_hook_gets_an_item_and_its_result_reaches_the_consumer(start: Start) -> None:
    assert start(Squares, 2)([2, 3]) == [4, 9]


def test_the_working_hook_hands_data_to_its_next_call_through_cfg(start: Start) -> None:
    class Counting(Collecting, OrderedRunner):
        @staticmethod
        def producer_init(device: Any, cfg: Any) -> None:
            cfg.count = 0

        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            cfg.count += 1
            return cfg.count

    runner = start(Counting, 1)
    assert runner("abc") == [1, 2, 3]
    assert runner("de") == [4, 5]


def test_the_workers_last_hook_runs_after_all_items_before_the_process_ends(
    start: Start, tmp_path: Path
) -> None:
    runner = start(Marked, ["a", "b"], {"path": str(tmp_path / "log")})
    runner(range(5))
    assert "end" not in (tmp_path / "log").read_text()
    runner.close()
    ends = [line.split() for line in (tmp_path / "log").read_text().splitlines() if "end" in line]
    assert sorted(device for _, device, _ in ends) == ["a", "b"]
    assert sum(int(worked) for _, _, worked in ends) == 5


def test_the_consumers_hooks_share_cfg_within_one_call_only(start: Start) -> None:
    runner = start(Squares, 2)
    assert runner([1]) == [1]
    assert runner([2]) == [4]  # not [1, 4]


def test_the_consumers_first_and_last_hook_run_for_an_empty_input_too(
    start: Start,
) -> None:
    assert start(Squares, 2)([]) == []


def test_the_result_of_the_consumers_last_hook_is_the_result_of_the_call(start: Start) -> None:
    class Fixed(OrderedRunner):
        @staticmethod
        def consumer_end(cfg: Any) -> Any:
            return "the result"

    assert start(Fixed, 1)([1, 2]) == "the result"


def test_hooks_that_are_not_overridden_pass_items_through(start: Start) -> None:
    assert start(OrderedRunner, 1)([1, 2]) is None
    assert list(start(OrderedRunner, 1).imap([1, 2])) == [1, 2]


def test_nothing_a_hook_changes_reaches_the_users_cfg(start: Start) -> None:
    cfg = CfgNode({"inner": {"x": 1}})

    class Changing(OrderedRunner):
        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            cfg.inner.x = 2
            cfg.other = 3

    start(Changing, 1, cfg)([1])
    assert cfg == {"inner": {"x": 1}}


# -- calling


@pytest.mark.parametrize(
    "data", [[1, 2, 3], (1, 2, 3), range(1, 4), {1: "", 2: "", 3: ""}, iter([1, 2, 3])]
)
def test_any_iterable_is_an_input(start: Start, data: Any) -> None:
    assert start(Squares, 2)(data) == [1, 4, 9]


def test_one_runner_serves_many_calls(start: Start) -> None:
    runner = start(Squares, 2)
    assert [runner(range(n)) for n in range(5)] == [[i * i for i in range(n)] for n in range(5)]


def test_the_unordered_runner_gives_results_in_the_order_they_are_done(
    start_anywhere: Start,
) -> None:
    assert start_anywhere(UnorderedSleeper, 2)([0.4, 0.0, 0.05, 0.1]) == [0.0, 0.05, 0.1, 0.4]


def test_the_ordered_runner_gives_results_in_the_order_of_the_input(start_anywhere: Start) -> None:
    assert start_anywhere(Sleeper, 2)([0.4, 0.0, 0.05, 0.1]) == [0.4, 0.0, 0.05, 0.1]


@pytest.mark.parametrize("kind", [Squares, UnorderedSquares])
def test_every_item_comes_back_once(start_anywhere: Start, kind: Any) -> None:
    assert sorted(start_anywhere(kind, 3)(range(20_000))) == [i * i for i in range(20_000)]


def test_none_is_an_item_and_a_result_like_any_other(start: Start) -> None:
    assert list(start(OrderedRunner, 2).imap([None, 1, None])) == [None, 1, None]


# -- closing and activating


def test_close_ends_all_processes(start: Start) -> None:
    runner = start(Squares, 3)
    assert len(workers()) == 3
    runner.close()
    assert workers() == []


def test_close_may_be_called_twice(start: Start) -> None:
    runner = start(Squares, 1)
    runner.close()
    runner.close()


def test_a_closed_runner_says_that_it_must_be_activated(start: Start) -> None:
    runner = start(Squares, 1)
    runner.close()
    with pytest.raises(ClosedError, match="activate"):
        runner([1])
    with pytest.raises(ClosedError, match="activate"):
        runner.imap([1])


def test_activate_starts_new_processes_after_close(start: Start) -> None:
    runner = start(Squares, 2)
    before = {process.pid for process in workers()}
    runner.close()
    runner.activate()
    assert len(workers()) == 2
    assert before.isdisjoint(process.pid for process in workers())
    assert runner([5]) == [25]


def test_activate_does_nothing_to_a_runner_that_is_alive(start: Start) -> None:
    runner = start(Squares, 2)
    before = {process.pid for process in workers()}
    runner.activate()
    assert {process.pid for process in workers()} == before


def test_a_change_of_the_users_cfg_is_seen_after_activating_again(
    start_anywhere: Start,
) -> None:
    class Reading(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return cfg.x

    cfg = CfgNode({"x": 1})
    runner = start_anywhere(Reading, 1, cfg)
    cfg.x = 2
    assert runner([0]) == [1]
    runner.close()
    runner.activate()
    assert runner([0]) == [2]


# -- how workers start


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_every_start_method_works_for_importable_classes(start: Start, method: str) -> None:
    runner = start(Squares, ["a", "b"], {"x": 1}, start_method=method)
    assert runner(range(10)) == [i * i for i in range(10)]
    runner.close()
    stop_helpers_of_multiprocessing()


def stop_helpers_of_multiprocessing() -> None:
    """End what the standard library keeps for the rest of the program."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def test_a_runner_in_a_worker_works(start: Start) -> None:
    class Nested(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            with Squares(1) as inner:
                return inner(range(data))

    assert start(Nested, 1)([3]) == [[0, 1, 4]]


def test_a_second_runner_does_not_inherit_the_lines_of_the_first(start: Start) -> None:
    class Counting(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            names = [str(target(fd)) for fd in Path("/proc/self/fd").iterdir()]
            return sum(name.startswith("socket:") for name in names)

    first, second = start(Counting, 1), start(Counting, 1)
    assert first([0]) == second([0])


def target(fd: Path) -> Path:
    try:
        return fd.readlink()
    except OSError:  # that of the listing itself
        return fd


def test_the_start_method_of_the_program_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.runner import _local_crew

    def of_the_program(allow_none: bool = False) -> str:
        return "spawn"

    monkeypatch.setattr(multiprocessing, "get_start_method", of_the_program)
    assert _local_crew._context(None).get_start_method() == "spawn"
    assert _local_crew._context("fork").get_start_method() == "fork"


def test_slow_items_are_shared_out_one_by_one(start: Start) -> None:
    runner = start(UnorderedSleeper, 2)
    since = time.monotonic()
    runner([0.5, *[0.05] * 9])
    assert time.monotonic() - since < 0.5 + 0.2  # all short ones run beside the long one
