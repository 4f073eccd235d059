"""The network driver in its own process, against real servers on loopback."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.drivers import DriverCatalog, DriverProcess, Ended, Failed, FrameReady
from engine.errors import EngineError, InvalidArgumentError, MediaError
from engine.protocol import LogEntry
from tests.support.video_servers import (
    HttpVideo,
    RtspServer,
    free_port,
    gray_of,
    missing_rtsp,
    write_video,
)

RunDriver = Callable[..., DriverProcess]
SECRET = "swordfish"

needs_rtsp = pytest.mark.skipif(bool(missing_rtsp()), reason=missing_rtsp())


class Viewer:
    """A running driver and everything it said."""

    def __init__(self, run_driver: RunDriver, url: str, **parameters: Any) -> None:
        options = {
            name: parameters.pop(name) for name in ("slots", "hold_back") if name in parameters
        }
        self.logs: list[LogEntry] = []
        entry = DriverCatalog().get("network-stream")
        fast = {"reconnect_pause_s": 0.2, "connect_timeout_s": 8.0}
        self.process = run_driver(
            entry,
            {"url": url, **fast, **parameters},
            start_timeout_s=30.0,
            on_log=self.logs.append,
            **options,
        )
        self.shape = self.process.start().shape

    @property
    def told(self) -> str:
        return "\n".join(f"{one.level} {one.message}" for one in self.logs)

    def frame(self, timeout_s: float = 20.0) -> tuple[int, FrameReady]:
        """Return the gray value of the next frame, and its message."""
        event = self.process.receive(timeout_s)
        assert isinstance(event, FrameReady), (event, self.told)
        gray = round(float(self.process.frame(event.slot).mean()))
        self.process.free(event.slot)
        return gray, event

    def give_back(self, event: FrameReady) -> None:
        self.process.frame(event.slot)
        self.process.free(event.slot)

    def wait_for_log(self, words: str, timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while words not in self.told:
            assert time.monotonic() < deadline, self.told
            event = self.process.receive(0.1)
            if isinstance(event, FrameReady):
                self.give_back(event)

    def end(self, seen: list[tuple[int, FrameReady]] | None = None) -> Ended | Failed:
        """Return how it ended; gray value and message of each frame go into `seen`."""
        while isinstance(event := self.process.receive(20.0), FrameReady):
            gray = round(float(self.process.frame(event.slot).mean()))
            self.process.free(event.slot)
            if seen is not None:
                seen.append((gray, event))
        assert event is not None
        return event

    def failure(self) -> EngineError:
        event = self.end()
        assert isinstance(event, Failed)
        return event.to_error()


@pytest.fixture
def view(run_driver: RunDriver) -> Callable[..., Viewer]:
    def start(url: str, **parameters: Any) -> Viewer:
        return Viewer(run_driver, url, **parameters)

    return start


@pytest.fixture
def camera() -> Iterator[HttpVideo]:
    with HttpVideo() as server:
        yield server


def number_of(gray: int) -> int:
    """Return which frame it is, counted from 0 to 19."""
    number = round((gray - 20) / 10) % 20
    assert abs(gray - gray_of(number)) <= 3, gray
    return number


def usual_step(numbers: list[int]) -> int:
    """Return by how much the number of a frame usually is above that of the one before."""
    steps = [(after - before) % 20 for before, after in itertools.pairwise(numbers)]
    return sorted(steps)[len(steps) // 2]


# -- MJPEG over HTTP


def test_frames_come_in_order_with_their_content(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url())

    assert viewer.shape == (48, 64, 3)
    numbers = [number_of(viewer.frame()[0]) for _ in range(12)]
    assert usual_step(numbers) in (1, 2)


def test_a_frame_is_as_old_as_its_way_took(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url())

    ages_ms = []
    for _ in range(12):
        gray, event = viewer.frame()
        sent = [at for n, at in enumerate(camera.sent) if n % 20 == number_of(gray)]
        ages_ms.append(min(abs(event.captured_at_ns - at) for at in sent) / 1e6)
        assert event.captured_at_ns <= event.ready_at_ns
    assert sorted(ages_ms)[6] < 100


@pytest.mark.slow
def test_a_slow_consumer_gets_the_newest_frame(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url(), slots=1, hold_back=True)
    numbers, ages_ms = [], []
    for _ in range(6):
        event = viewer.process.receive(20.0)
        assert isinstance(event, FrameReady)
        ages_ms.append((event.ready_at_ns - event.captured_at_ns) / 1e6)
        numbers.append(number_of(round(float(viewer.process.frame(event.slot).mean()))))
        threading.Event().wait(0.3)
        viewer.process.free(event.slot)

    assert usual_step(numbers) >= 4, numbers  # six frames were sent meanwhile
    assert sorted(ages_ms)[3] < 200  # one comes every 50 ms, one is taken every 300


@pytest.mark.slow
def test_no_more_frames_come_than_were_asked_for(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url(), max_rate_hz=5.0)
    viewer.frame()

    events = [viewer.frame()[1] for _ in range(6)]

    gaps_s = (events[-1].captured_at_ns - events[0].captured_at_ns) / 1e9 / 5
    assert gaps_s > 0.17


def test_a_dropped_connection_is_made_again_and_counted(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url())
    for reconnect in (1, 2):
        viewer.frame()
        camera.drop_connections()
        viewer.wait_for_log(f"(reconnect {reconnect})")
        viewer.frame()

    assert viewer.told.count("ended the connection; connecting again") == 2
    viewer.process.stop()
    assert "2 reconnects" in viewer.told


def test_a_camera_that_falls_silent_is_connected_to_again(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url(), read_timeout_s=0.4)
    viewer.frame()
    camera.is_silent = True
    viewer.wait_for_log("within 0.4 s")
    camera.is_silent = False
    viewer.wait_for_log("(reconnect 1)")

    assert viewer.frame()[1].frame_id > 0


def test_a_camera_that_stays_away_is_given_up_after_the_attempts(
    view: Any, camera: HttpVideo
) -> None:
    viewer = view(camera.url(), reconnect_attempts=3, reconnect_pause_s=0.1)
    viewer.frame()
    camera.is_refusing = True
    camera.drop_connections()

    error = viewer.failure()

    assert type(error) is MediaError
    assert "did not come back in 3 attempts" in error.message
    assert "5xx" in error.message
    assert camera.requests.count("/cam.mjpg") == 4


def test_without_attempts_a_lost_connection_ends_the_stream(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url(), reconnect_attempts=0)
    viewer.frame()
    camera.drop_connections()

    assert "ended the connection" in viewer.failure().message


def test_how_the_connection_stands_can_be_asked_while_it_runs(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url())
    viewer.frame()
    camera.is_refusing = True
    camera.drop_connections()
    viewer.wait_for_log("attempt 1")
    assert asked(viewer)["connected"] is False

    camera.is_refusing = False
    viewer.wait_for_log("(reconnect 1)")
    found = asked(viewer)
    assert (found["connected"], found["reconnects"]) == (True, 1)
    assert found["frames_received"] >= 2


@pytest.mark.slow
def test_the_rate_limit_can_be_changed_while_it_runs(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url())
    viewer.frame()
    viewer.process.control.set_value("max_rate_hz", 4.0)
    while isinstance(event := viewer.process.receive(0.0), FrameReady):
        viewer.give_back(event)  # what came before it was changed
    events = [viewer.frame()[1] for _ in range(5)]

    assert (events[-1].captured_at_ns - events[1].captured_at_ns) / 3e9 > 0.15
    with pytest.raises(InvalidArgumentError, match="at most 1000 Hz"):
        viewer.process.control.set_value("max_rate_hz", 1e6)


def asked(viewer: Viewer) -> dict[str, Any]:
    """Read the driver's parameters anew, while frames are taken."""
    viewer.process.control.read_all()
    return {one.name: one.value for one in viewer.process.control.parameters()}


@pytest.mark.slow
def test_another_size_is_scaled_to_the_first(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url())
    viewer.frame()
    camera.size = (128, 80)
    viewer.wait_for_log("now sends 128 x 80 pixels")

    number_of(viewer.frame()[0])
    camera.drop_connections()
    viewer.wait_for_log("(reconnect 1)")
    number_of(viewer.frame()[0])
    assert viewer.told.count("now sends") == 1


def test_a_viewer_that_waits_for_the_camera_leaves_when_asked(view: Any, camera: HttpVideo) -> None:
    viewer = view(camera.url())
    viewer.frame()
    camera.is_refusing = True
    camera.drop_connections()
    viewer.wait_for_log("attempt 1")

    outcome = viewer.process.stop(grace_s=20.0)

    assert outcome is not None
    assert outcome.is_clean


@pytest.mark.slow
def test_thirty_reconnects_leave_nothing_open_in_the_drivers_process(
    view: Any, camera: HttpVideo
) -> None:
    viewer = view(camera.url(), reconnect_pause_s=0.1)
    viewer.wait_for_log("receiving 64 x 48")
    host = psutil.Process(viewer.process.pid)
    counts = []
    for reconnect in range(1, 31):
        viewer.frame()
        camera.drop_connections()
        viewer.wait_for_log(f"(reconnect {reconnect})")
        counts.append((host.num_fds(), host.num_threads(), host.memory_info().rss))

    assert counts[-1][:2] == counts[2][:2]
    assert counts[-1][2] - counts[2][2] < 8 * 1024 * 1024


def test_a_source_that_does_not_answer_does_not_hold_up_who_stops_it(
    run_driver: RunDriver, camera: HttpVideo
) -> None:
    camera.is_silent = True
    entry = DriverCatalog().get("network-stream")
    process = run_driver(entry, {"url": camera.url(), "connect_timeout_s": 8.0})
    errors: list[BaseException] = []
    starter = threading.Thread(target=_start, args=(process, errors), name="starter")
    starter.start()
    deadline = time.monotonic() + 20
    while not camera.requests and time.monotonic() < deadline:
        threading.Event().wait(0.01)

    begun = time.monotonic()
    process.stop(grace_s=0.0)
    starter.join(20)

    assert time.monotonic() - begun < 4  # of the eight seconds it would wait
    assert len(errors) == 1


def _start(process: DriverProcess, errors: list[BaseException]) -> None:
    try:
        process.start()
    except EngineError as error:
        errors.append(error)


# -- what does not work from the beginning


def refused(view: Any, url: str, **parameters: Any) -> str:
    with pytest.raises(MediaError) as caught:
        view(url, **parameters)
    assert SECRET not in repr((caught.value, caught.value.details))
    return caught.value.message


def test_a_wrong_path_is_told(view: Any, camera: HttpVideo) -> None:
    told = refused(view, camera.url("other", login=f"ann:{SECRET}"))

    assert "nothing under this path (404)" in told
    assert f"http://127.0.0.1:{camera.port}/other" in told


@pytest.mark.slow
def test_a_wrong_password_is_told(view: Any) -> None:
    with HttpVideo(login=f"ann:{SECRET}") as camera:
        assert "(401)" in refused(view, camera.url())
        assert "(401)" in refused(view, camera.url(), user="ann", password="wrong")
        view(camera.url(), user="ann", password=SECRET).frame()
        view(camera.url(login=f"ann:{SECRET}")).frame()


def test_a_host_nobody_knows_is_told(view: Any) -> None:
    assert "'camera.invalid' is not known" in refused(view, f"rtsp://a:{SECRET}@camera.invalid/cam")


def test_a_port_nobody_listens_at_is_told(view: Any) -> None:
    assert "nobody answers" in refused(view, f"rtsp://a:{SECRET}@127.0.0.1:{free_port()}/cam")


def test_a_server_that_says_nothing_is_given_up_in_time(view: Any, camera: HttpVideo) -> None:
    camera.is_silent = True

    assert "within 0.5 s" in refused(view, camera.url(), connect_timeout_s=0.5)


def test_a_page_that_is_no_video_is_told(view: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html>" + "a camera's page " * 500)
    with HttpVideo(folder=tmp_path) as server:
        assert "no video" in refused(view, server.url("index.html"))


# -- files and playlists over HTTP


@pytest.mark.parametrize("name", ["video.mp4", pytest.param("video.m3u8", marks=pytest.mark.slow)])
def test_a_recorded_video_plays_at_its_own_pace_and_ends(
    name: str, view: Any, tmp_path: Path
) -> None:
    options = {"hls_time": "0.5", "hls_list_size": "0"} if name.endswith("m3u8") else {}
    write_video(str(tmp_path / name), frames=30, **options)
    with HttpVideo(folder=tmp_path) as server:
        viewer = view(server.url(name), low_latency=False)
        seen: list[tuple[int, FrameReady]] = []
        end = viewer.end(seen)

    numbers = [number_of(gray) for gray, _ in seen]
    assert usual_step(numbers) == 1
    assert numbers[-1] == 29 % 20
    took_s = (seen[-1][1].captured_at_ns - seen[0][1].captured_at_ns) / 1e9
    assert took_s > 0.7  # of 1.45, however late the first frames were; at once without a pace
    assert isinstance(end, Ended)
    assert "ended after 30 frames" in viewer.told


@pytest.mark.slow
def test_a_recorded_video_that_is_cut_off_is_not_begun_anew(view: Any, tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    write_video(str(path), frames=80, movflags="faststart")
    data = path.read_bytes()
    middle = (data.index(b"mdat") + len(data)) // 2
    path.write_bytes(data[:middle])
    with HttpVideo(folder=tmp_path) as server:
        error = view(server.url("video.mp4")).failure()

    assert type(error) is MediaError
    assert "ended the connection" in error.message
    assert "start the stream again to play it anew" in error.message


# -- UDP


def test_a_transport_stream_over_udp_is_received(view: Any) -> None:
    port = free_port()
    gone = threading.Event()
    sender = threading.Thread(
        target=write_video,
        args=(f"udp://127.0.0.1:{port}?pkt_size=1316",),
        kwargs={"frames": 20 * 30, "container": "mpegts", "paced_until": gone},
        name="udp-sender",
    )
    sender.start()
    try:
        viewer = view(f"udp://127.0.0.1:{port}")
        numbers = [number_of(viewer.frame()[0]) for _ in range(8)]
    finally:
        gone.set()
        sender.join(20)

    assert usual_step(numbers) in (1, 2)


def test_a_udp_port_where_nothing_comes_is_told(view: Any) -> None:
    assert "within 0.5 s" in refused(view, f"udp://127.0.0.1:{free_port()}", connect_timeout_s=0.5)


# -- RTSP


@needs_rtsp
@pytest.mark.parametrize("transport", ["tcp", pytest.param("udp", marks=pytest.mark.slow)])
def test_an_rtsp_camera_is_received(transport: str, view: Any) -> None:
    with RtspServer(size=(160, 120), rate_hz=20) as server:
        viewer = view(server.url(), transport=transport)
        events = [viewer.frame()[1] for _ in range(25)]

    assert viewer.shape == (120, 160, 3)
    gaps_ms = [
        (after.captured_at_ns - before.captured_at_ns) / 1e6
        for before, after in itertools.pairwise(events)
    ]
    assert sorted(gaps_ms)[12] == pytest.approx(50, abs=3)
    ages_ms = [(event.ready_at_ns - event.captured_at_ns) / 1e6 for event in events]
    assert 0 <= sorted(ages_ms)[12] < 1000


@needs_rtsp
@pytest.mark.slow  # a server is started twice
def test_an_rtsp_server_that_was_killed_and_started_again_is_found_again(view: Any) -> None:
    with RtspServer() as server:
        viewer = view(server.url())
        viewer.frame()
        server.kill()
        viewer.wait_for_log("connecting again")
        viewer.wait_for_log("nobody answers")
    with RtspServer(port=server.port, size=(320, 240)):
        viewer.wait_for_log("(reconnect 1)", 40.0)
        viewer.frame()

    assert viewer.shape == (120, 160, 3)
    assert "now sends 320 x 240 pixels" in viewer.told


@needs_rtsp
@pytest.mark.slow
def test_an_rtsp_server_tells_what_is_wrong(view: Any) -> None:
    with RtspServer(login=("ann", SECRET)) as server:
        assert "(401)" in refused(view, server.url())
        assert "(401)" in refused(view, server.url(login="ann:wrong"))
        wrong_path = refused(view, server.url("other"), user="ann", password=SECRET)
        assert "(404)" in wrong_path
        view(server.url(), user="ann", password=SECRET).frame()


# -- secrets


def test_a_password_is_never_told(view: Any) -> None:
    with HttpVideo(login=f"ann:{SECRET}") as camera:
        viewer = view(
            camera.url("cam.mjpg?token=" + SECRET, login=f"ann:{SECRET}"), reconnect_attempts=2
        )
        viewer.frame()
        camera.drop_connections()
        viewer.wait_for_log("(reconnect 1)")
        camera.is_refusing = True
        camera.drop_connections()
        error = viewer.failure()
        viewer.process.stop()

    assert f"127.0.0.1:{camera.port}" in viewer.told
    assert SECRET not in viewer.told + repr((error, error.details)) + repr(viewer.logs)
