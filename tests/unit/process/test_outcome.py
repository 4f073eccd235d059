"""How a process ended, in words; and the command line that starts one."""

import os
import sys

import pytest

from engine.process import Outcome, is_same_process, python_command, start_time_of


@pytest.mark.parametrize(
    ("return_code", "outcome", "sentence"),
    [
        (0, Outcome(exit_code=0), "ended normally"),
        (3, Outcome(exit_code=3), "ended with exit code 3"),
        (-9, Outcome(signal_name="SIGKILL"), "was killed by SIGKILL"),
        (-11, Outcome(signal_name="SIGSEGV"), "was killed by SIGSEGV"),
        (-40, Outcome(signal_name="signal 40"), "was killed by signal 40"),
    ],
)
def test_an_outcome_says_how_a_process_ended(
    return_code: int, outcome: Outcome, sentence: str
) -> None:
    assert Outcome.from_return_code(return_code) == outcome
    assert outcome.sentence() == sentence


def test_only_exit_code_0_is_clean() -> None:
    assert Outcome(exit_code=0).is_clean
    assert not Outcome(exit_code=1).is_clean
    assert not Outcome(signal_name="SIGTERM").is_clean


def test_a_signal_is_explained_in_words() -> None:
    assert Outcome(signal_name="SIGILL").signal_words == "illegal instruction"
    assert Outcome(exit_code=1).signal_words == ""
    assert Outcome(signal_name="signal 40").signal_words == ""


def test_a_module_is_started_with_our_interpreter() -> None:
    assert python_command("engine.x", "a", "b") == [sys.executable, "-m", "engine.x", "a", "b"]


def test_a_frozen_program_starts_itself_in_another_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert python_command("engine.x", "a") == [sys.executable, "--mode", "engine.x", "a"]


def test_a_process_is_known_by_its_number_and_start_time() -> None:
    start = start_time_of(os.getpid())
    assert start is not None
    assert start_time_of(os.getpid()) == start
    assert is_same_process(os.getpid(), start)
    assert not is_same_process(os.getpid(), start + 1)


def test_a_number_without_a_process_has_no_start_time() -> None:
    assert start_time_of(2**22 + 1) is None


def test_elsewhere_start_times_come_from_the_system_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    start = start_time_of(os.getpid())
    assert start is not None
    assert is_same_process(os.getpid(), start)
    assert start_time_of(2**22 + 1) is None
