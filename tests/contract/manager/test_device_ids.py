"""`device_ids` count over the one list of devices, in this process and through the manager.

Every test of both kinds runs with two simulated devices, of which the second is half as fast.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from engine import AsyncAccl, MultiStreamAsyncAccl, SyncAccl
from engine.errors import BusyError, DeviceNotFoundError, ProgramIncompatibleError
from engine.manager import ManagerUnavailableError, start_manager, stop_manager
from engine.plugins import PluginRegistry, list_devices
from engine.plugins.device_list import ENVIRONMENT
from engine.plugins.simulator import ENVIRONMENT as SIMULATOR
from tests.support.manager_rig import Rig, frame, identity_program, rig

TWO = "rate_hz = 400, depth = 4, devices = [{}, {rate_hz = 200}]"


@pytest.fixture(scope="module")
def simulated() -> Iterator[Rig]:
    """Return a manager that shares all devices there are, two of them simulated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SIMULATOR, TWO)
        with rig() as made:
            start_manager(made.address, idle_timeout_s=0)
            yield made


@pytest.fixture(params=["local", "shared"])
def options(
    request: pytest.FixtureRequest, simulated: Rig, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.setenv(SIMULATOR, TWO)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    if request.param == "local":
        # What a test makes others find, this process does not.
        monkeypatch.delenv("PYTHONPATH")
        return {"ignore_manager": True}
    return dict(simulated.place)


@pytest.fixture
def number_of(options: dict[str, Any], simulated: Rig) -> Callable[[str], int]:
    """Return a function that tells the number of a device by its plugin and index."""
    if "ignore_manager" in options:
        listed = {f"{one.plugin}:{one.index}": one.id for one in list_devices(PluginRegistry())}
    else:
        shared = simulated.status.devices
        listed = {f"{one.plugin}:{one.plugin_index}": one.index for one in shared}
    return lambda name: listed[name]


def used(accl: Any) -> dict[int, bool]:
    """Return which devices of an accelerator have had frames."""
    pool = accl._program._backend._pool
    return {seat.number: bool(seat.seconds[0]) for seat in pool._balance.seats}


def test_device_0_is_the_processor_where_there_is_nothing_faster(
    options: dict[str, Any], number_of: Callable[[str], int]
) -> None:
    assert number_of("onnxruntime-cpu:0") == 0
    with SyncAccl(identity_program(), **options) as accl:
        assert accl.run(frame(7))[0, 0] == 7
        assert accl.device_ids == [0]


def test_a_device_is_taken_by_its_number_in_the_list(
    options: dict[str, Any], number_of: Callable[[str], int]
) -> None:
    number = number_of("simulator:1")
    with SyncAccl(identity_program(), number, **options) as accl:
        for value in range(4):
            assert accl.run(frame(value))[0, 0] == value
        assert accl.device_ids == [number]
        # The processor here tells no power, the simulated device does.
        assert accl.get_avg_power(number) > 1000


def test_each_device_is_used_once_in_the_order_given(
    options: dict[str, Any], number_of: Callable[[str], int]
) -> None:
    numbers = [number_of("simulator:1"), number_of("simulator:0")]
    with SyncAccl(identity_program(), [*numbers, numbers[0]], **options) as accl:
        assert accl.device_ids == numbers
        assert accl.run(frame(1))[0, 0] == 1


@pytest.mark.parametrize("cls", [SyncAccl, AsyncAccl, MultiStreamAsyncAccl])
def test_a_number_that_is_not_there_is_told_with_the_devices_there_are(
    cls: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(DeviceNotFoundError, match=r"no device 99.* 0 \(onnx.*\(simulator:1\)"):
        cls(identity_program(), [0, 99], **options)


def test_one_stream_over_devices_of_different_plugins_stays_in_order(
    options: dict[str, Any], number_of: Callable[[str], int]
) -> None:
    numbers = [number_of(name) for name in ("onnxruntime-cpu:0", "simulator:0", "simulator:1")]
    sent, got = iter(range(400)), []
    with AsyncAccl(identity_program(), numbers, **options) as accl:
        accl.connect_input(lambda: frame(next(sent)))
        accl.connect_output(lambda y: got.append(int(y[0, 0])))
        accl.wait()
        assert all(used(accl).values())
    assert got == list(range(400))


def test_many_streams_over_several_devices_stay_in_order_each(
    options: dict[str, Any], number_of: Callable[[str], int]
) -> None:
    numbers = [number_of("simulator:0"), number_of("onnxruntime-cpu:0"), number_of("simulator:1")]
    sources = [iter(range(40)) for _ in range(8)]
    got: list[list[int]] = [[] for _ in sources]
    with MultiStreamAsyncAccl(identity_program(), numbers, **options) as accl:
        accl.connect_streams(
            lambda i: frame(100 * i + next(sources[i])),
            lambda i, y: got[i].append(int(y[0, 0])),
            len(sources),
        )
        accl.wait()
    assert got == [[100 * i + k for k in range(40)] for i in range(8)]


def test_two_devices_of_unequal_speed_each_do_their_part(
    options: dict[str, Any], number_of: Callable[[str], int]
) -> None:
    numbers = [number_of("simulator:0"), number_of("simulator:1")]
    sent, count = iter(range(240)), [0]

    def take(y: np.ndarray[Any, Any]) -> None:
        count[0] += 1

    with AsyncAccl(identity_program(), numbers, **options) as accl:
        accl.connect_input(lambda: frame(next(sent)))
        accl.connect_output(take)
        accl.wait()
        seats = accl._program._backend._pool._balance.seats
        # Each was kept busy: what it takes for a frame is its depth at its own pace, not more.
        assert seats[1].seconds[0] > seats[0].seconds[0]
    assert count == [240]


def test_an_error_of_a_frame_is_that_frame_s_alone(
    options: dict[str, Any], number_of: Callable[[str], int]
) -> None:
    numbers = [number_of("simulator:0"), number_of("onnxruntime-cpu:0")]
    with SyncAccl(identity_program(), numbers, **options) as accl:
        with pytest.raises(ValueError, match="shape"):
            accl.run(np.zeros((1, 5), np.float32))
        assert accl.run(frame(3))[0, 0] == 3


def test_a_choice_of_the_user_is_counted_over(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "simulator:1,onnxruntime-cpu")
    with SyncAccl(identity_program(), **options) as accl:
        accl.run(frame(1))
        assert accl.get_avg_power(0) > 1000
    with SyncAccl(identity_program(), [1], **options) as accl:
        accl.run(frame(1))
        assert accl.get_avg_power(1) == -3000
    with pytest.raises(DeviceNotFoundError, match=r"no device 2.*0 \(simulator:1\), 1 \(onnx"):
        SyncAccl(identity_program(), [2], **options)


def test_a_choice_that_the_manager_does_not_share_is_refused(
    own: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.start("onnxruntime-cpu")
    monkeypatch.setenv(ENVIRONMENT, "simulator")
    with pytest.raises(DeviceNotFoundError, match=r"no device simulator; there are 0 \(onnx"):
        SyncAccl(own.dfp, **own.place)


def test_the_manager_shares_every_device_and_starts_no_worker_before_one_is_used(
    simulated: Rig,
) -> None:
    with SyncAccl(simulated.dfp, **simulated.place) as accl:
        accl.run(frame(1))
        devices = simulated.status.devices
    names = [f"{device.plugin}:{device.plugin_index}" for device in devices]
    assert [device.index for device in devices] == list(range(len(devices)))
    assert names[0] == "onnxruntime-cpu:0"
    assert names[-3:] == ["simulator:0", "simulator:1", "onnx-reference:0"]
    assert "held:0" in names
    assert all(device.name and device.kind for device in devices)
    assert devices[0].state == "running"
    assert devices[-1].state == "idle"
    assert devices[-1].worker_pid == 0


def test_a_manager_can_be_kept_to_some_devices(own: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIMULATOR, TWO)
    own.start("simulator", "onnxruntime-cpu:0")
    shared = [(one.index, one.plugin, one.plugin_index) for one in own.status.devices]
    assert shared == [(0, "simulator", 0), (1, "simulator", 1), (2, "onnxruntime-cpu", 0)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "no plugin 'nothing'"),
        ("nothing:1", "no plugin 'nothing'"),
        ("onnxruntime-coreml", "'onnxruntime-coreml' does not work on this machine"),
        ("a:b", "no choice of devices"),
    ],
)
def test_a_manager_of_devices_that_are_not_there_does_not_start(
    own: Rig, name: str, said: str
) -> None:
    with pytest.raises(ManagerUnavailableError, match=said):
        own.start(name)


def test_local_mode_keeps_one_device_and_leaves_the_others(
    own: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SIMULATOR, TWO)
    start_manager(own.address, devices=["simulator", "onnxruntime-cpu"], idle_timeout_s=0)
    monkeypatch.setenv(ENVIRONMENT, "simulator,onnxruntime-cpu")  # for both to count alike
    client = own.client(
        "accl = SyncAccl(dfp, [1], local_mode=True, **place); accl.run(frame(1)); say(done=1)\n"
        "forever()"
    )
    assert client.stdout is not None
    assert client.stdout.readline()
    with pytest.raises(BusyError, match=f"device 1 is in use by.*local mode .process {client.pid}"):
        SyncAccl(own.dfp, [1], **own.place)
    with SyncAccl(own.dfp, [0, 2], **own.place) as accl:
        assert accl.run(frame(2))[0, 0] == 2
    client.kill()
    client.wait()
    stop_manager(own.address)


@pytest.mark.expected_log
def test_without_a_manager_several_devices_are_used_here(
    own: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = own.folder / "runtime" / "penstock"
    (folder / "manager" / "penstock-10000.start").mkdir(parents=True)  # so that none can start
    for private in (folder.parent, folder, folder / "manager"):
        private.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder.parent))
    monkeypatch.setenv(ENVIRONMENT, "simulator,onnxruntime-cpu")
    with SyncAccl(own.dfp, [0, 1]) as accl:
        assert [accl.run(frame(n))[0, 0] for n in range(5)] == list(range(5))
    assert "running in local mode on device [0, 1]" in caplog.text


def test_the_same_device_twice_in_a_manager_has_two_workers(managed: Rig) -> None:
    with SyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1
        workers = {device.worker_pid for device in managed.status.devices}
    assert len(workers) == 2
    assert 0 not in workers


def test_a_program_of_a_vendor_s_cards_is_not_taken_by_other_devices(
    own: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.start("mx3:0")
    with pytest.raises(ProgramIncompatibleError, match="an MX3 card executes only DFP files"):
        SyncAccl(own.dfp, **own.place)
