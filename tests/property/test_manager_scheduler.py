"""The scheduler of a device under every mix of programs, clients and times; a fake clock."""

import heapq
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import BusyError, InvalidArgumentError, WrongStateError
from engine.manager.scheduler import Scheduler
from engine.manager.sharing import Order, ShareSettings

MS = 1_000_000
SECOND = 1_000_000_000


@dataclass
class Client:
    """One client of the simulated device: sends `frames` frames, at most its queue at a time."""

    program: str
    settings: ShareSettings = field(default_factory=ShareSettings)
    frames: int = 0
    takes_ns: int = 5 * MS
    pause_ns: int = 0  # between a result and the next frame
    sent: int = 0
    begun: list[int] = field(default_factory=list)
    begun_at: list[int] = field(default_factory=list)


class Device:
    """Runs a scheduler in simulated time and keeps a log of what it did."""

    def __init__(self, clients: list[Client], lanes: int = 2, **times_ns: int) -> None:
        self.scheduler = Scheduler(lanes, **times_ns)
        self.clients = clients
        self.now = 0
        self.log: list[tuple[int, int, str]] = []  # when, client, program
        self._events: list[tuple[int, int, Any]] = []
        self._number = 0
        self._running: list[Order] = []
        for key, client in enumerate(clients):
            self.scheduler.join(key, client.program, client.settings)
            for _ in range(min(client.frames, client.settings.queue_size)):
                self._send(key)

    def run(
        self,
        until_ns: int = 1000 * SECOND,
        most_frames: int = 5000,
        until: Any = lambda: False,
    ) -> None:
        while len(self.log) < most_frames and not until():
            self._start_all()
            wake = self.scheduler.wake_in_ns(self.now)
            moments = [self._events[0][0]] if self._events else []
            if wake is not None:
                assert wake > 0
                moments.append(self.now + wake)
            if not moments or min(moments) > until_ns:
                return
            self.now = min(moments)
            while self._events and self._events[0][0] <= self.now:
                _, _, event = heapq.heappop(self._events)
                event()

    def _start_all(self) -> None:
        while (order := self.scheduler.start(self.now)) is not None:
            client = self.clients[order.client]
            self.log.append((self.now, order.client, client.program))
            client.begun.append(order.tag)  # type: ignore[arg-type]
            client.begun_at.append(self.now)
            self._running.append(order)
            assert len({running.member.program.key for running in self._running}) == 1
            assert len(self._running) <= self.scheduler.lanes
            self._at(client.takes_ns, lambda order=order: self._finish(order))

    def _finish(self, order: Order) -> None:
        client = self.clients[order.client]
        self._running.remove(order)
        self.scheduler.finish(order, self.now, client.takes_ns)
        self._at(client.pause_ns, lambda: self._send(order.client))

    def _send(self, key: int) -> None:
        client = self.clients[key]
        if client.sent < client.frames:
            self.scheduler.offer(key, client.sent, self.now)
            client.sent += 1

    def _at(self, delay_ns: int, event: Any) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now + delay_ns, self._number, event))

    def turns(self) -> list[tuple[str, int]]:
        """Programs one after the other, with the frames they had in a row."""
        found: list[tuple[str, int]] = []
        for _, _, program in self.log:
            if found and found[-1][0] == program:
                found[-1] = (program, found[-1][1] + 1)
            else:
                found.append((program, 1))
        return found


share_settings = st.builds(
    ShareSettings,
    frame_limit=st.integers(1, 50),
    time_limit_ms=st.sampled_from([0, 1, 20, 1000]),
    stop_on_empty=st.booleans(),
    queue_size=st.integers(1, 5),
    weight=st.sampled_from([0.3, 0.7, 1.0, 1.0, 5.0]),
    priority=st.sampled_from([0, 0, 0, 1, 5]),
    fps_limit=st.sampled_from([0, 0, 0, 30.0]),
)
any_client = st.builds(
    Client,
    program=st.sampled_from("ABC"),
    settings=share_settings,
    frames=st.integers(0, 40),
    takes_ns=st.integers(0, 30 * MS),
    pause_ns=st.sampled_from([0, 0, MS, 100 * MS]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(any_client, min_size=1, max_size=6), st.integers(1, 4))
def test_every_frame_begins_once_in_its_client_s_order_and_programs_never_mix(
    clients: list[Client], lanes: int
) -> None:
    device = Device(clients, lanes)  # run() checks that programs do not mix and lanes are kept
    device.run()
    for client in clients:
        assert client.begun == list(range(client.frames))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.integers(1, 4),
    st.integers(1, 20 * MS),
)
def test_a_turn_has_at_most_frame_limit_frames_while_others_wait_and_turns_go_round(
    limits: list[int], lanes: int, takes_ns: int
) -> None:
    clients = [
        Client(name, ShareSettings(frame_limit=limit, queue_size=8), 10_000, takes_ns)
        for name, limit in zip("ABCD", limits, strict=False)
    ]
    device = Device(clients, lanes)
    device.run(most_frames=300)
    turns = device.turns()[:-1]
    names = [client.program for client in clients]
    assert [program for program, _ in turns] == [names[i % len(names)] for i in range(len(turns))]
    for program, frames in turns:
        assert frames == limits[names.index(program)]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 100), st.integers(MS, 30 * MS))
def test_a_turn_lasts_at_most_time_limit_while_others_wait(
    lanes: int, limit_ms: int, takes_ns: int
) -> None:
    limited = ShareSettings(frame_limit=0, time_limit_ms=limit_ms, queue_size=8)
    clients = [Client(name, limited, 10_000, takes_ns) for name in "AB"]
    device = Device(clients, lanes)
    device.run(most_frames=450)
    first: dict[int, int] = {}
    turn = -1
    before = ""
    for at_ns, _, program in device.log:
        turn += program != before
        before = program
        first.setdefault(turn, at_ns)
        assert at_ns - first[turn] < limit_ms * MS
    assert turn > 0


@settings(max_examples=25, deadline=None)
@given(st.lists(any_client, min_size=2, max_size=6), st.integers(1, 3))
def test_nobody_starves(others: list[Client], lanes: int) -> None:
    for other in others:
        other.frames, other.takes_ns = 10_000, max(MS, other.takes_ns)
    quiet = Client("Q", ShareSettings(priority=-3), frames=5, takes_ns=MS)
    device = Device([*others, quiet], lanes, aging_ns=10 * MS)
    device.run(most_frames=3000, until=lambda: len(quiet.begun) == 5)
    assert quiet.begun == [0, 1, 2, 3, 4]


@settings(max_examples=10, deadline=None)
@example([1.0, 1.0], False, 1, 18_337_409)
@given(
    st.lists(st.floats(0.05, 20), min_size=2, max_size=4),
    st.booleans(),
    st.integers(1, 4),
    st.integers(5 * MS, 20 * MS),
)
def test_shares_of_busy_clients_are_those_of_their_weights(
    weights: list[float], are_one_program: bool, lanes: int, takes_ns: int
) -> None:
    clients = [
        Client("A" if are_one_program else name, ShareSettings(weight=weight), 10**9, takes_ns)
        for name, weight in zip("ABCD", weights, strict=False)
    ]
    device = Device(clients, lanes)
    # several rounds of turns, so that the one that is cut off weighs little
    device.run(until_ns=1000 * SECOND, most_frames=16_000)
    served = sum(len(client.begun) for client in clients)
    for client in clients:
        wanted = client.settings.weight / sum(weights)
        assert len(client.begun) / served == pytest.approx(wanted, abs=0.05)


def test_70_to_30_holds_within_five_points_over_ten_seconds_with_unlike_programs() -> None:
    clients = [
        Client("A", ShareSettings(weight=70), 10**9, 7 * MS),
        Client("B", ShareSettings(weight=30), 10**9, 4 * MS),
    ]
    Device(clients).run(until_ns=10 * SECOND, most_frames=10**6)
    busy = [len(client.begun) * client.takes_ns for client in clients]
    assert busy[0] / sum(busy) == pytest.approx(0.7, abs=0.05)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 8), st.integers(1, 4))
def test_clients_of_one_program_take_turns_frame_by_frame(count: int, lanes: int) -> None:
    clients = [Client("A", frames=10**9, takes_ns=MS) for _ in range(count)]
    device = Device(clients, lanes)
    device.run(most_frames=count * 50)
    order = [client for _, client, _ in device.log]
    assert order == [i % count for i in range(len(order))]
    assert device.scheduler.swaps == 0


def test_a_program_alone_is_never_swapped() -> None:
    device = Device([Client("A", ShareSettings(frame_limit=1, time_limit_ms=1), 500)])
    device.run()
    assert len(device.log) == 500
    assert device.scheduler.swaps == 0


def test_frames_before_somebody_waited_do_not_count_for_the_limit() -> None:
    scheduler = Scheduler(1)
    scheduler.join(0, "A", ShareSettings(frame_limit=3, queue_size=100))
    scheduler.join(1, "B", ShareSettings(stop_on_empty=True))
    for tag in range(20):
        scheduler.offer(0, tag, 0)

    def execute() -> int:
        order = scheduler.start(0)
        assert order is not None
        scheduler.finish(order, 0, 0)
        return order.client

    assert [execute() for _ in range(5)] == [0] * 5
    scheduler.offer(1, "b", 0)
    assert [execute() for _ in range(5)] == [0, 0, 0, 1, 0]


def test_stop_on_empty_gives_the_device_away_at_once_and_a_grace_keeps_it_a_little() -> None:
    begun = {}
    for stops in (True, False):
        hungry = ShareSettings(stop_on_empty=stops, queue_size=1)
        a = Client("A", hungry, frames=3, takes_ns=5 * MS, pause_ns=MS)
        b = Client("B", frames=10, takes_ns=5 * MS)
        device = Device([a, b], lanes=1, idle_grace_ns=2 * MS)
        device.run()
        begun[stops] = "".join(program for _, _, program in device.log)
    assert begun[True].startswith("AB")
    assert begun[False].startswith("AAAB")


def test_an_idle_program_loses_its_turn_after_the_grace() -> None:
    a = Client("A", frames=2, takes_ns=5 * MS, pause_ns=SECOND)
    a.settings = ShareSettings(queue_size=1)
    b = Client("B", frames=1, takes_ns=5 * MS)
    device = Device([a, b], lanes=1, idle_grace_ns=2 * MS)
    device.run()
    assert b.begun_at == [7 * MS]


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 500), st.integers(0, 40 * MS), st.integers(1, 4))
def test_a_paced_client_begins_frames_no_faster_than_it_asked(
    fps: float, takes_ns: int, lanes: int
) -> None:
    paced = Client("A", ShareSettings(fps_limit=fps), 100, takes_ns)
    busy = Client("B", ShareSettings(frame_limit=5), 2000, 5 * MS)
    Device([paced, busy], lanes).run()
    gaps = [b - a for a, b in zip(paced.begun_at, paced.begun_at[1:], strict=False)]
    assert len(gaps) == 99
    assert min(gaps) >= 1e9 / fps - 1


def test_a_paced_client_alone_keeps_its_rate() -> None:
    paced = Client("A", ShareSettings(fps_limit=25), 101, 5 * MS)
    Device([paced]).run()
    assert paced.begun_at[-1] == 4 * SECOND


def test_a_device_does_not_idle_while_a_paced_program_waits_for_its_time() -> None:
    paced = Client("A", ShareSettings(fps_limit=10), 10**9, 5 * MS)
    busy = Client("B", ShareSettings(frame_limit=1), 10**9, 5 * MS)
    Device([paced, busy], lanes=1).run(until_ns=10 * SECOND)
    assert len(paced.begun) >= 94
    assert len(busy.begun) >= 1750  # of 2000, less the paced frames and the graces


def test_a_higher_priority_goes_first_and_interrupts_a_turn() -> None:
    scheduler = Scheduler(1)
    scheduler.join(0, "low", ShareSettings())
    scheduler.join(1, "high", ShareSettings(priority=1))
    for tag in range(3):
        scheduler.offer(0, tag, 0)
    order = scheduler.start(0)
    assert order is not None
    assert order.client == 0
    scheduler.offer(1, "urgent", 1)
    scheduler.finish(order, 2, 2)
    after = scheduler.start(2)
    assert after is not None
    assert after.client == 1


def test_a_higher_priority_goes_first_among_clients_of_one_program() -> None:
    scheduler = Scheduler(1)
    scheduler.join(0, "A", ShareSettings())
    scheduler.join(1, "A", ShareSettings(priority=1))
    scheduler.offer(0, "x", 0)
    scheduler.offer(1, "y", 0)
    order = scheduler.start(0)
    assert order is not None
    assert order.client == 1


def test_a_full_queue_takes_no_more_and_loses_nothing() -> None:
    scheduler = Scheduler(1)
    scheduler.join(7, "A", ShareSettings(queue_size=2))
    scheduler.offer(7, "a", 0)
    assert scheduler.has_room(7)
    scheduler.offer(7, "b", 0)
    assert not scheduler.has_room(7)
    with pytest.raises(BusyError, match="queue of client 7 is full"):
        scheduler.offer(7, "c", 0)
    assert scheduler.leave(7) == ["a", "b"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_client_that_leaves_frees_its_place_at_any_moment(data: st.DataObject) -> None:
    scheduler = Scheduler(data.draw(st.integers(1, 3)))
    running: list[Order] = []
    here: set[int] = set()
    offered = begun = dropped = now = 0
    for step in range(60):
        now += data.draw(st.integers(0, 3 * MS))
        action = data.draw(st.sampled_from(["join", "leave", "offer", "start", "finish"]))
        if action == "join":
            scheduler.join(step, data.draw(st.sampled_from("AB")), ShareSettings())
            here.add(step)
        elif action == "leave" and here:
            dropped += len(scheduler.leave(gone := min(here)))
            here.remove(gone)
        elif action == "offer" and here and scheduler.has_room(max(here)):
            scheduler.offer(max(here), step, now)
            offered += 1
        elif action == "start" and (order := scheduler.start(now)) is not None:
            running.append(order)
            begun += 1
        elif action == "finish" and running:
            scheduler.finish(running.pop(), now, MS)
        assert scheduler.executing == len(running)
    for _ in range(2 * (offered - begun - dropped)):
        while running:
            scheduler.finish(running.pop(), now, MS)
        now += 10 * MS  # longer than the grace of a program without frames
        if (order := scheduler.start(now)) is not None:
            running.append(order)
            begun += 1
    assert offered == begun + dropped


def test_a_client_joins_once_and_leaving_twice_is_harmless() -> None:
    scheduler = Scheduler(1)
    scheduler.join(0, "A", ShareSettings())
    with pytest.raises(WrongStateError, match="client 0 uses the device already"):
        scheduler.join(0, "A", ShareSettings())
    assert scheduler.leave(0) == []
    assert scheduler.leave(0) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame_limit": -1},
        {"time_limit_ms": -0.5},
        {"time_limit_ms": float("nan")},
        {"queue_size": 0},
        {"weight": 0},
        {"weight": float("nan")},
        {"weight": float("inf")},
        {"fps_limit": -1},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError):
        ShareSettings(**wrong)  # type: ignore[arg-type]
