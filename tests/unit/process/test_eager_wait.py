"""A wait looks again and again only where answers came soon before, and not for long."""

import time

from engine.process import EagerWait


class Peer:
    """Answers after some looks, and counts how it was asked."""

    def __init__(self, answers_at: int) -> None:
        self.answers_at = answers_at
        self.looks = 0
        self.sleeps = 0

    def look(self) -> str | None:
        self.looks += 1
        return "seen" if self.looks >= self.answers_at else None

    def sleep(self) -> str:
        self.sleeps += 1
        return "slept"


def after_a_short_wait() -> EagerWait:
    wait = EagerWait()
    wait.until(lambda: None, lambda: "at once")
    return wait


def test_the_first_wait_sleeps() -> None:
    peer = Peer(answers_at=1)
    assert EagerWait().until(peer.look, peer.sleep) == "slept"
    assert peer.looks == 0


def test_after_a_short_wait_it_looks_until_something_is_there() -> None:
    peer = Peer(answers_at=3)
    assert after_a_short_wait().until(peer.look, peer.sleep) == "seen"
    assert (peer.looks, peer.sleeps) == (3, 0)


def test_after_a_long_wait_it_sleeps() -> None:
    wait = after_a_short_wait()
    wait.until(lambda: None, lambda: time.sleep(0.002))
    peer = Peer(answers_at=1)
    assert wait.until(peer.look, peer.sleep) == "slept"


def test_it_does_not_look_for_ever() -> None:
    peer = Peer(answers_at=10**9)
    assert after_a_short_wait().until(peer.look, peer.sleep) == "slept"
    assert peer.looks > 1


def test_who_may_not_stay_awake_sleeps() -> None:
    peer = Peer(answers_at=1)
    assert after_a_short_wait().until(peer.look, peer.sleep, may_stay_awake=False) == "slept"
    assert peer.looks == 0


def test_something_found_that_counts_as_false_is_found() -> None:
    assert after_a_short_wait().until(lambda: b"", lambda: b"slept") == b""
