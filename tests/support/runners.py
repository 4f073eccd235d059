"""Runners that tests start; at the top level, so that spawned workers find them."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.runner import BaseRunner, OrderedRunner, UnorderedRunner


class Collecting(BaseRunner):
    """Returns the list of all results."""

    @staticmethod
    def consumer_init(cfg: Any) -> None:
        cfg.collected = []

    @staticmethod
    def consumer_work(cfg: Any, data: Any) -> None:
        cfg.collected.append(data)

    @staticmethod
    def consumer_end(cfg: Any) -> Any:
        return cfg.collected


class Squares(Collecting, OrderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        return data * data


class UnorderedSquares(Collecting, UnorderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        return data * data


class Echo(Collecting, OrderedRunner):
    """Gives items back."""


class Sleeper(Collecting, OrderedRunner):
    """An item is the seconds it takes."""

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        time.sleep(data)
        return data


class UnorderedSleeper(Collecting, UnorderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        time.sleep(data)
        return data


class Obeying(Collecting, OrderedRunner):
    """An item is what to do: a number comes back tenfold, words say how to fail."""

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        return obey(data)


class UnorderedObeying(Collecting, UnorderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        return obey(data)


class Staged(Collecting, OrderedRunner):
    """Fails where ``cfg.fail_at`` says, in the way of ``cfg.how``."""

    @staticmethod
    def producer_init(device: Any, cfg: Any) -> None:
        fail_if(cfg, "producer_init")

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        fail_if(cfg, "producer_work")
        return data

    @staticmethod
    def producer_end(device: Any, cfg: Any) -> None:
        fail_if(cfg, "producer_end")

    @staticmethod
    def consumer_init(cfg: Any) -> None:
        fail_if(cfg, "consumer_init")
        cfg.collected = []

    @staticmethod
    def consumer_work(cfg: Any, data: Any) -> None:
        fail_if(cfg, "consumer_work")
        cfg.collected.append(data)

    @staticmethod
    def consumer_end(cfg: Any) -> Any:
        fail_if(cfg, "consumer_end")
        return cfg.collected


def fail_if(cfg: Any, stage: str) -> None:
    if cfg.get("fail_at") == stage:
        obey(cfg.how)


def obey(data: Any) -> Any:
    if isinstance(data, int | float):
        return data * 10
    name, *rest = data if isinstance(data, tuple) else (data,)
    return ORDERS[name](*rest)


def fail() -> None:
    raise ValueError("bad item")


def leave_with_words() -> None:
    print("leaving now", file=sys.stderr, flush=True)
    os._exit(7)


def do_once(path: str, how: Any) -> Any:
    """Do something the first time only."""
    if Path(path).exists():
        return "done"
    Path(path).touch()
    return obey(how)


ORDERS: dict[str, Callable[..., Any]] = {
    "raise": fail,
    "system exit": lambda: sys.exit(3),
    "exit": leave_with_words,
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "lambda": lambda: lambda: None,
    "hang": lambda: threading.Event().wait(),
    "pid": os.getpid,
    "once": do_once,
    "write": lambda text: os.write(2, text.encode()),
    "array": lambda size: np.arange(size, dtype=np.uint8),
}


class Odd:
    """Pickles, but does not come back."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> Any:
    raise RuntimeError("this object does not come back")


class OddResults(Collecting, OrderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        return Odd() if data == 3 else data
