"""SyncAccl: one test per published rule."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from engine import SchedulerOptions, SyncAccl


def test_run_of_one_array_returns_the_array(identity: bytes, frame: Any) -> None:
    with SyncAccl(identity) as accl:
        result = accl.run(frame(2))
    np.testing.assert_array_equal(result, frame(2))


def test_run_of_a_list_with_one_array_returns_the_array(identity: bytes, frame: Any) -> None:
    with SyncAccl(identity) as accl:
        assert isinstance(accl.run([frame(2)]), np.ndarray)


def test_run_of_a_list_on_a_model_with_one_input_runs_each_array_as_a_frame(
    identity: bytes, frame: Any
) -> None:
    with SyncAccl(identity) as accl:
        results = accl.run([frame(number) for number in range(100)])
    assert [result[0, 0] for result in results] == list(range(100))


def test_run_of_a_flat_list_on_a_model_with_several_inputs_is_one_frame(
    two_ports: bytes, frame: Any
) -> None:
    with SyncAccl(two_ports) as accl:
        result = accl.run([frame(5), frame(3)])
    assert isinstance(result, list)
    assert [output[0, 0] for output in result] == [8, 2]


def test_run_of_nested_lists_is_one_frame_per_inner_list(two_ports: bytes, frame: Any) -> None:
    with SyncAccl(two_ports) as accl:
        one = accl.run([[frame(5), frame(3)]])
        two = accl.run([[frame(5), frame(3)], (frame(1), frame(1))])
    assert [output[0, 0] for output in one] == [8, 2]
    assert [[output[0, 0] for output in outputs] for outputs in two] == [[8, 2], [2, 0]]


def test_run_of_an_empty_list_returns_an_empty_list(identity: bytes) -> None:
    with SyncAccl(identity) as accl:
        assert accl.run([]) == []


@pytest.mark.parametrize("inputs", [None, 5, "x", iter(()), [1], [None]])
def test_run_of_something_else_is_a_type_error(inputs: Any, identity: bytes) -> None:
    with SyncAccl(identity) as accl, pytest.raises(TypeError, match="NumPy array"):
        accl.run(inputs)


def test_run_raises_what_the_device_failed_with_and_works_afterwards(
    identity: bytes, frame: Any, device: Any
) -> None:
    device.breaks_on = {2.0}
    with SyncAccl(identity) as accl:
        with pytest.raises(RuntimeError, match="the device broke"):
            accl.run([frame(number) for number in range(5)])
        assert accl.run(frame(1))[0, 0] == 1


def test_receive_returns_the_results_in_the_order_of_send(identity: bytes, frame: Any) -> None:
    with SyncAccl(identity) as accl, ThreadPoolExecutor(1) as pool:
        received = pool.submit(lambda: [accl.receive()[0, 0] for _ in range(2000)])
        for number in range(2000):
            accl.send(frame(number))
        assert received.result(20) == list(range(2000))


def test_several_frames_may_be_sent_before_one_is_received(identity: bytes, frame: Any) -> None:
    with SyncAccl(identity) as accl:
        for number in range(28):
            accl.send(frame(number), timeout=1000)
        assert [accl.receive()[0, 0] for _ in range(28)] == list(range(28))


def test_receive_of_a_model_with_several_outputs_returns_a_list_in_port_order(
    two_ports: bytes, frame: Any
) -> None:
    with SyncAccl(two_ports) as accl:
        accl.send((frame(5), frame(3)))
        result = accl.receive()
    assert isinstance(result, list)
    assert [output[0, 0] for output in result] == [8, 2]


def test_models_have_queues_of_their_own(two_models: bytes, frame: Any) -> None:
    with SyncAccl(two_models) as accl:
        accl.send(frame(1), 0)
        accl.send(frame(2), 1)
        assert accl.receive(1)[0, 0] == 4
        assert accl.receive(0)[0, 0] == 1


@pytest.mark.parametrize("timeout", [1, 50, 7.5, np.float32(20)])
def test_receive_raises_a_timeout_error_after_the_milliseconds(
    timeout: Any, identity: bytes
) -> None:
    with SyncAccl(identity) as accl:
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match="had no result within"):
            accl.receive(timeout=timeout)
        waited_ms = (time.monotonic() - begun) * 1000
    assert timeout <= waited_ms < timeout + 500


def test_a_frame_whose_receive_timed_out_is_received_later(
    identity: bytes, frame: Any, device: Any
) -> None:
    device.hold()
    with SyncAccl(identity) as accl:
        accl.send(frame(7))
        with pytest.raises(TimeoutError):
            accl.receive(timeout=10)
        device.release()
        assert accl.receive(timeout=5000)[0, 0] == 7


def test_send_raises_a_timeout_error_while_the_queue_is_full(
    identity: bytes, frame: Any, device: Any
) -> None:
    device.hold()
    options = SchedulerOptions(ifmap_queue_size=2, ofmap_queue_size=1)
    with SyncAccl(identity, scheduler_options=options) as accl:
        for number in range(3):
            accl.send(frame(number), timeout=1000)
        with pytest.raises(TimeoutError, match="took no frame within 10 ms"):
            accl.send(frame(99), timeout=10)
        device.release()
        assert [accl.receive(timeout=5000)[0, 0] for _ in range(3)] == [0, 1, 2]
        accl.send(frame(3), timeout=1000)
        assert accl.receive(timeout=5000)[0, 0] == 3


@pytest.mark.parametrize("timeout", [None, 0])
def test_no_timeout_and_zero_wait_without_end(
    timeout: Any, identity: bytes, frame: Any, device: Any
) -> None:
    device.hold()
    with SyncAccl(identity) as accl, ThreadPoolExecutor(1) as pool:
        accl.send(frame(4), timeout=timeout)
        received = pool.submit(accl.receive, timeout=timeout)
        device.release()
        assert received.result(5)[0, 0] == 4


@pytest.mark.parametrize("timeout", ["1", [1], 1j])
def test_a_timeout_that_is_no_number_is_a_type_error(
    timeout: Any, identity: bytes, frame: Any
) -> None:
    with SyncAccl(identity) as accl:
        with pytest.raises(TypeError, match="timeout is a number"):
            accl.send(frame(0), timeout=timeout)
        with pytest.raises(TypeError, match="timeout is a number"):
            accl.receive(timeout=timeout)


@pytest.mark.parametrize("timeout", [-1, -0.5, float("nan")])
def test_a_negative_timeout_is_a_value_error(timeout: Any, identity: bytes, frame: Any) -> None:
    with SyncAccl(identity) as accl:
        with pytest.raises(ValueError, match="timeout is 0 or more"):
            accl.send(frame(0), timeout=timeout)
        with pytest.raises(ValueError, match="timeout is 0 or more"):
            accl.receive(timeout=timeout)


def test_a_frame_the_device_fails_on_fails_only_its_own_receive(
    identity: bytes, frame: Any, device: Any
) -> None:
    device.breaks_on = {1.0}
    with SyncAccl(identity) as accl:
        for number in range(3):
            accl.send(frame(number))
        assert accl.receive()[0, 0] == 0
        with pytest.raises(RuntimeError, match="the device broke"):
            accl.receive()
        assert accl.receive()[0, 0] == 2


def test_run_mixes_with_neither_send_nor_other_threads_runs(identity: bytes, frame: Any) -> None:
    with SyncAccl(identity) as accl, ThreadPoolExecutor(4) as pool:
        accl.send(frame(-1))

        def run_many(first: Any) -> Any:
            numbers = range(first, first + 300)
            return all(accl.run(frame(number))[0, 0] == number for number in numbers)

        assert all(pool.map(run_many, (0, 1000, 2000, 3000)))
        assert accl.receive()[0, 0] == -1


def test_shutdown_wakes_a_receive_that_waits(identity: bytes) -> None:
    accl = SyncAccl(identity)
    begun = threading.Event()

    def receive() -> Any:
        begun.set()
        return accl.receive()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive)
        begun.wait(5)
        accl.shutdown()
        assert isinstance(waiting.exception(5), RuntimeError)
