"""Devices that die under an accelerator that has several: frames go on, in order, each once."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from engine import AsyncAccl, SyncAccl
from engine.errors import BusyError, DeviceLostError, EngineError, WorkerDiedError
from engine.manager import ManagerLostError
from engine.plugins.device_list import ENVIRONMENT
from engine.plugins.simulator import ENVIRONMENT as SIMULATOR
from tests.support.manager_rig import Poll, Rig, frame, identity_program, kill, rig, segments_of

pytestmark = [pytest.mark.slow, pytest.mark.expected_log]


@pytest.fixture
def managed() -> Iterator[Rig]:
    """Return a manager of two devices that the test can hold back."""
    with rig() as made:
        made.start("held:0", "held:0")
        yield made


def worker_of(managed: Rig, device: int) -> int:
    return managed.status.devices[device].worker_pid


def executing(managed: Rig) -> list[int]:
    """Return how many frames are executed on each device."""
    devices = managed.status.devices
    return [sum(client.executing for client in device.clients) for device in devices]


class Stream:
    """Sends the numbers from 0 through an accelerator, and notes what comes back."""

    def __init__(self, accl: AsyncAccl, count: int = 10_000_000) -> None:
        self.sent = 0
        self.got: list[int] = []
        self._accl = accl
        self._count = count
        accl.connect_input(self._next)
        accl.connect_output(lambda y: self.got.append(int(y[0, 0])))

    def _next(self) -> Any:
        if self.sent >= self._count:
            return None
        self.sent += 1
        return frame(self.sent - 1)

    def stop(self) -> None:
        self._count = 0

    def check(self) -> None:
        """Wait for the end, and check that every frame came back once and in order."""
        self._accl.wait()
        assert self.got == list(range(self.sent))


@pytest.mark.parametrize("device", [0, 1])
def test_frames_under_way_on_a_killed_worker_go_to_the_other_device_in_order(
    managed: Rig, poll_for: Poll, caplog: pytest.LogCaptureFixture, device: int
) -> None:
    with AsyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        managed.device.hold()
        stream = Stream(accl, 300)
        poll_for(lambda: all(executing(managed)), 20.0)
        died = worker_of(managed, device)
        kill(died)
        managed.device.release()
        stream.check()
        assert segments_of(died) == []
    told = [r.getMessage() for r in caplog.records if "is lost, its frames go to" in r.message]
    assert len(told) == 1  # not once per frame
    assert told[0].startswith(f"device {device} is lost")


def test_a_device_whose_worker_was_started_again_is_used_again(
    managed: Rig, poll_for: Poll
) -> None:
    with AsyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        stream = Stream(accl)
        poll_for(lambda: len(stream.got) > 20, 20.0)
        died = worker_of(managed, 0)
        kill(died)

        def is_back() -> bool:
            figures = managed.status.devices[0]
            frames = sum(client.frames for client in figures.clients)
            return figures.worker_pid not in (0, died) and frames > 10

        poll_for(is_back, 40.0)
        stream.stop()
        stream.check()
        assert managed.status.devices[0].restarts == 1


def test_workers_killed_one_after_the_other_lose_and_double_nothing(
    managed: Rig, poll_for: Poll
) -> None:
    managed.device.takes_s = 0.002
    with AsyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        stream = Stream(accl)
        for device in (0, 1, 0, 1):
            poll_for(lambda: all(executing(managed)), 40.0)
            kill(worker_of(managed, device))
            wanted = len(stream.got) + 50
            poll_for(lambda: len(stream.got) > wanted, 40.0)  # noqa: B023 - called at once
        stream.stop()
        stream.check()
        assert [device.restarts for device in managed.status.devices] == [2, 2]


def test_a_device_that_cannot_be_opened_again_is_left_to_the_others(
    poll_for: Poll,
) -> None:
    with rig() as own:
        own.start("onnxruntime-cpu", "held:0")
        with contextlib.ExitStack() as taken:
            accl = taken.enter_context(SyncAccl(own.dfp, [0, 1], **own.place))
            assert accl.run(frame(1))[0, 0] == 1
            kill(worker_of(own, 0))

            def takes_the_device() -> bool:
                with contextlib.suppress(BusyError):
                    taken.enter_context(SyncAccl(own.dfp, local_mode=True, **own.place))
                    return True
                return False

            poll_for(takes_the_device, 20.0)
            pause = threading.Event()
            values = []
            for number in range(60):  # over more than the second after which it is tried again
                values.append(int(accl.run(frame(number))[0, 0]))
                pause.wait(0.03)
            assert values == list(range(60))
            figures = own.status.devices
            assert figures[0].clients == ()
            assert figures[1].clients[0].frames >= 59


def test_a_frame_that_kills_every_worker_is_an_error_that_names_them_and_others_go_on(
    managed: Rig,
) -> None:
    managed.device.die_on(6)
    with SyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1
        with pytest.raises(
            DeviceLostError, match=r"device 0: .*SIGKILL.*device 1: .*SIGKILL"
        ) as caught:
            accl.run(frame(6))
        assert isinstance(caught.value.__cause__, WorkerDiedError)
        managed.device.reset()
        assert [accl.run(frame(n))[0, 0] for n in range(20)] == list(range(20))
        assert [device.restarts for device in managed.status.devices] == [1, 1]


def test_a_stream_ends_with_the_reason_when_the_last_device_is_gone(managed: Rig) -> None:
    managed.device.die_on(40)
    with AsyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        stream = Stream(accl, 100)
        with pytest.raises(DeviceLostError, match="all devices of the accelerator were lost"):
            accl.wait()
        assert stream.got == list(range(len(stream.got)))
        assert len(stream.got) <= 40


def test_a_manager_killed_under_several_devices_is_one_clear_error_and_it_goes_on(
    managed: Rig, poll_for: Poll
) -> None:
    with SyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        accl.run(frame(1))
        managed.device.hold()
        for number in range(4):
            accl.send(frame(number))
        poll_for(lambda: sum(executing(managed)) == 4, 20.0)
        kill(managed.status.pid)
        errors = []
        for _ in range(4):
            with pytest.raises(EngineError) as caught:
                accl.receive(timeout=20_000)
            errors.append(caught.value)
        managed.device.release()
        assert {type(error) for error in errors} == {ManagerLostError}
        assert accl.run(frame(9))[0, 0] == 9


WEDGED = "rate_hz = 500, devices = [{faults = [{frame = 30, kind = 'wedge'}]}, {rate_hz = 300}]"
ALL_WEDGED = "rate_hz = 500, faults = [{frame = 30, kind = 'wedge'}], devices = [{}, {}]"


@pytest.fixture(params=["local", "shared"])
def simulated(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """Run on simulated devices that a test describes: here, or in a manager's workers."""
    monkeypatch.setenv(ENVIRONMENT, "simulator")
    with rig() as made:
        options: dict[str, Any] = {"ignore_manager": True}
        if request.param == "shared":
            options = {"manager_addr": made.address.folder, "rig": made}
        yield options


def opened(options: dict[str, Any], settings: str, monkeypatch: pytest.MonkeyPatch) -> AsyncAccl:
    monkeypatch.setenv(SIMULATOR, settings)
    made = options.pop("rig", None)
    if made is not None:
        made.start("simulator:0", "simulator:1")
    return AsyncAccl(identity_program(), [0, 1], **options)


def test_frames_of_a_device_that_answers_no_more_go_to_the_other_in_order(
    simulated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(simulated, WEDGED, monkeypatch) as accl:
        Stream(accl, 400).check()


def test_when_no_device_answers_any_more_the_error_says_so(
    simulated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(simulated, ALL_WEDGED, monkeypatch) as accl:
        stream = Stream(accl, 400)
        with pytest.raises(
            DeviceLostError, match=r"device 0: .*answers no more.*device 1: .*answers no more"
        ):
            accl.wait()
        assert stream.got == list(range(len(stream.got)))
        assert 30 <= len(stream.got) <= 62
