"""Forked workers may set OpenCV's threads though this process has threads of OpenCV."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from engine.runner import OrderedRunner
from tests.support.buffer_users import Filling, buffer, indices
from tests.support.runners import Collecting


@pytest.fixture(autouse=True)
def threads_of_opencv() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(4)
    cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (1999, 1999))  # starts them
    yield
    assert cv2.getNumThreads() == 4
    cv2.setNumThreads(before)


class OneThread(Filling):
    def build(self) -> None:
        cv2.setNumThreads(1)


class Doubling(Collecting, OrderedRunner):
    @staticmethod
    def producer_init(device: Any, cfg: Any) -> None:
        cv2.setNumThreads(1)

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: int) -> int:
        return 2 * data


def test_a_buffers_producers_begin() -> None:
    with buffer(producer=OneThread(), context="fork", timeout_s=20) as iterator:
        assert indices(iterator, 4) == [0, 1, 2, 3]


def test_a_runners_workers_begin() -> None:
    with Doubling(2, {}, start_method="fork", timeout=20) as runner:
        assert runner(range(4)) == [0, 2, 4, 6]
