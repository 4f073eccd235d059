"""The parts of the network driver that need no network: addresses, clocks, sentences."""

import socket

import av
import pytest

from engine.drivers import DriverCatalog, complete_parameters
from engine.drivers.builtin.network_stream.address import Address, parse_address
from engine.drivers.builtin.network_stream.clocks import CaptureClock, Playout, RateLimit
from engine.drivers.builtin.network_stream.failures import reason_of
from engine.drivers.builtin.network_stream.options import open_options
from engine.errors import InvalidArgumentError, MediaError

MS = 1_000_000
S = 1000 * MS


# -- addresses


def test_an_address_is_complete_for_ffmpeg_and_bare_for_people() -> None:
    address = parse_address(" rtsp://ann:s%40cret@cam:8554/live?token=abc ")

    assert address.url == "rtsp://ann:s%40cret@cam:8554/live?token=abc"
    assert address.shown == "rtsp://cam:8554/live?..."
    assert address.place == "cam:8554"
    assert "cret" not in repr(address)


@pytest.mark.parametrize(
    ("text", "user", "password", "url"),
    [
        ("http://cam/v", "ann", "p:/@?#", "http://ann:p%3A%2F%40%3F%23@cam/v"),
        ("http://bob:old@cam/v", "", "new", "http://bob:new@cam/v"),
        ("http://bob:old@cam/v", "ann", "", "http://ann:old@cam/v"),
        ("rtsp://[::1]:9/v", "ann", "x", "rtsp://ann:x@[::1]:9/v"),
    ],
)
def test_user_and_password_go_into_the_address(
    text: str, user: str, password: str, url: str
) -> None:
    assert parse_address(text, user, password).url == url


@pytest.mark.parametrize(
    "path",
    ["/user=ann&password=s3&channel=1", "/live;pwd=s3", "/v/s3?password=s3", "/AuthToken=s3/x"],
)
def test_what_cameras_take_for_a_password_in_the_path_is_not_shown(path: str) -> None:
    shown = parse_address("rtsp://cam" + path).shown

    assert "s3" not in shown.replace("/v/s3", "")
    assert shown.startswith("rtsp://cam/")


@pytest.mark.parametrize(
    ("text", "port"),
    [("rtsp://cam/v", 554), ("https://cam/v", 443), ("udp://:5000", 5000), ("udp://@:5000", 5000)],
)
def test_the_usual_port_is_assumed(text: str, port: int) -> None:
    assert parse_address(text).port == port


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "begins with one of rtsp://"),
        ("cam/v", "begins with one of"),
        ("file:///etc/passwd", "begins with one of"),
        ("concat:a|b", "begins with one of"),
        ("rtsp:///v", "names no host"),
        ("udp://239.0.0.1", "needs a port"),
        ("rtsp://ann:secret@[::1/v", "is not complete"),
        ("rtsp://ann:secret@cam:port/v", "is not complete"),
        ("rtsp://ann:secret@cam:99999/v", "is not complete"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(
    text: str, sentence: str
) -> None:
    with pytest.raises(MediaError, match=sentence) as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_address_of_the_wrong_type_is_refused_without_repeating_it() -> None:
    entry = DriverCatalog().get("network-stream")

    with pytest.raises(InvalidArgumentError, match=r"'url' .* is a text, not a list") as caught:
        complete_parameters(entry, {"url": ["rtsp://ann:secret@cam"]})
    assert "secret" not in str(caught.value)


# -- options


def test_a_udp_port_is_opened_only_at_the_address_it_names() -> None:
    def options(text: str) -> dict[str, str]:
        return open_options(parse_address(text), transport="tcp", is_low_latency=True)

    assert options("udp://127.0.0.1:5000")["localaddr"] == "127.0.0.1"
    assert "localaddr" not in options("udp://:5000")
    assert "localaddr" not in options("udp://239.0.0.1:5000")


# -- sentences


CAMERA = parse_address("rtsp://ann:secret@cam/v")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "x"), "'cam' is not known"),
        (TimeoutError(), "nothing came from cam:554 within 3 s"),
        (av.error.ExitError(1, "x"), "nothing came from cam:554 within 3 s"),
        (av.error.HTTPUnauthorizedError(1, "x"), "another user or password (401)"),
        (av.error.HTTPForbiddenError(1, "x"), "(403)"),
        (av.error.HTTPNotFoundError(1, "x"), "(404)"),
        (av.error.HTTPServerError(1, "x"), "(5xx)"),
        (av.error.InvalidDataError(1, "x"), "is no video"),
        (ConnectionRefusedError(111, "x"), "nobody answers at cam:554"),
        (OSError(113, "x"), "cam cannot be reached"),
        (OSError(98, "x"), "cannot listen at cam:554"),
        (ConnectionResetError(104, "x"), "ended the connection"),
        (OSError(12, "x"), "cannot allocate memory"),
        (av.error.UnknownError(-1, "x"), "cannot be read (UnknownError)"),
    ],
)
def test_every_failure_has_a_sentence_of_its_own(error: BaseException, words: str) -> None:
    told = reason_of(error, CAMERA, 3.0)

    assert words in told
    assert "secret" not in told


def test_a_reason_never_repeats_what_ffmpeg_says() -> None:
    error = av.error.OSError(5, "could not open rtsp://ann:secret@cam/v", "rtsp://ann:secret@cam/v")

    assert "secret" not in reason_of(error, CAMERA, 3.0)


def test_an_address_of_version_6_is_named_in_brackets() -> None:
    assert Address("", "", "rtsp", "::1", 9).place == "[::1]:9"


# -- clocks


def test_a_packet_that_was_held_up_was_captured_when_its_neighbors_say() -> None:
    clock = CaptureClock()
    delays_ms = [30, 5, 80, 5, 250, 40]
    captured = [
        clock.captured_ns(n * 40 * MS, n * 40 * MS + 7 * S + delay * MS)
        for n, delay in enumerate(delays_ms)
    ]

    assert [at // MS - 7000 for at in captured[1:]] == [40 * n + 5 for n in range(1, 6)]


def test_a_capture_is_never_after_its_arrival() -> None:
    clock = CaptureClock()
    for n in range(2000):
        arrived_ns = n * 40 * MS + (n * 7919 % 50) * MS
        assert clock.captured_ns(n * 40 * MS, arrived_ns) <= arrived_ns


def test_a_clock_that_runs_slow_is_followed() -> None:
    clock = CaptureClock()
    late_ns = 0
    for n in range(6000):  # four minutes; the source loses one in a thousand
        arrived_ns = n * 40 * MS
        late_ns = arrived_ns - clock.captured_ns(round(arrived_ns * 0.999), arrived_ns)

    assert 0 <= late_ns <= 25 * MS  # instead of 240


def test_a_source_that_begins_anew_begins_a_new_clock() -> None:
    clock = CaptureClock()
    clock.captured_ns(100 * S, 1 * S)

    assert clock.captured_ns(0, 2 * S) == 2 * S


def test_frames_of_a_file_are_due_at_their_own_pace() -> None:
    playout = Playout()

    assert [playout.due_ns(n * 50 * MS, 10 * S + n) for n in range(3)] == [
        10 * S,
        10 * S + 50 * MS,
        10 * S + 100 * MS,
    ]


@pytest.mark.parametrize(("media_ns", "now_ns"), [(1 * S, 15 * S), (60 * S, 11 * S)])
def test_after_a_gap_or_a_jump_the_pace_begins_anew(media_ns: int, now_ns: int) -> None:
    playout = Playout()
    playout.due_ns(0, 10 * S)

    assert playout.due_ns(media_ns, now_ns) == now_ns
    assert playout.due_ns(media_ns + 50 * MS, now_ns) == now_ns + 50 * MS


@pytest.mark.parametrize(
    ("source_hz", "limit_hz", "kept"), [(25, 10, 100), (30, 30, 300), (10, 30, 100)]
)
def test_a_rate_limit_holds_on_average(source_hz: int, limit_hz: int, kept: int) -> None:
    limit = RateLimit(limit_hz)
    times = [round(n * 1e9 / source_hz) for n in range(10 * source_hz)]

    assert sum(limit.keeps(at) for at in times) == pytest.approx(kept, abs=2)


def test_without_a_rate_limit_everything_is_kept() -> None:
    limit = RateLimit(0.0)

    assert all(limit.keeps(at) for at in (0, 0, 1, 2))


def test_after_a_gap_no_frames_rush_through() -> None:
    limit = RateLimit(10.0)
    assert limit.keeps(0)

    assert [limit.keeps(10 * S + n * 20 * MS) for n in range(10)].count(True) == 2
