"""Sources of network streams on loopback: MJPEG over HTTP, files over HTTP, and RTSP."""

import base64
import socket
import subprocess
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np

__all__ = ("HttpVideo", "RtspServer", "free_port", "gray_of", "missing_rtsp", "write_video")

SYSTEM_PYTHON = "/usr/bin/python3"
START_S = 30.0
_BOUNDARY = "frame"


def gray_of(number: int) -> int:
    """Return the gray value of a frame; it repeats after 20 frames."""
    return 20 + 10 * (number % 20)


@cache
def _jpeg(number: int, width: int, height: int) -> bytes:
    picture = np.full((height, width, 3), gray_of(number), np.uint8)
    is_done, data = cv2.imencode(".jpg", picture)
    assert is_done
    return data.tobytes()


class HttpVideo(ThreadingHTTPServer):
    """Serves ``/cam.mjpg`` (gray frames) and the files of a folder; a context manager.

    Attributes
    ----------
    rate_hz, size : of the frames; may be changed at any time.
    is_silent : keep connections open but send nothing.
    is_refusing : answer new requests with 503.
    sent : monotonic time at which frame i was sent, for the newest connection.
    requests : paths that were asked for.
    """

    daemon_threads = False
    block_on_close = True

    def __init__(self, *, login: str = "", folder: Path | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.login = login
        self.folder = folder
        self.rate_hz = 20.0
        self.size = (64, 48)
        self.is_silent = False
        self.is_refusing = False
        self.sent: list[int] = []
        self.requests: list[str] = []
        self.closing = threading.Event()
        self.connections: set[Any] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="http-video")
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str = "cam.mjpg", login: str = "") -> str:
        return f"http://{login + '@' if login else ''}127.0.0.1:{self.port}/{path}"

    def drop_connections(self) -> None:
        """End all connections, as a camera does whose plug is pulled."""
        for connection in list(self.connections):
            connection.shutdown(2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and every connection; may be called twice."""
        if not self.closing.is_set():
            self.closing.set()
            self.shutdown()
            self._thread.join(10)
            self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing of viewers that leave."""


class _Handler(BaseHTTPRequestHandler):
    server: HttpVideo
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if not self._is_let_in():
            return
        if self.path.partition("?")[0] == "/cam.mjpg":
            self._send_frames()
            return
        folder = self.server.folder
        path = None if folder is None else folder / self.path.lstrip("/")
        if path is None or not path.is_file():
            self.send_error(404)
            return
        self._send_file(path.read_bytes())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _is_let_in(self) -> bool:
        if self.server.is_refusing:
            self.send_error(503)
            return False
        login = self.server.login
        wanted = "Basic " + base64.b64encode(login.encode()).decode()
        if login and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return False
        return True

    def _send_file(self, data: bytes) -> None:
        start = 0
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes="):
            start = min(int(wanted[6:].partition("-")[0] or 0), len(data))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def _send_frames(self) -> None:
        server = self.server
        server.connections.add(self.connection)
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        server.sent = sent = []
        begun = time.monotonic()
        try:
            while not server.closing.wait(_left_s(begun + len(sent) / server.rate_hz)):
                if server.is_silent:
                    begun += 0.02
                    server.closing.wait(0.02)
                    continue
                data = _jpeg(len(sent) % 20, *server.size)
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}"
                sent.append(time.monotonic_ns())
                self.wfile.write(head.encode() + b"\r\n\r\n" + data + b"\r\n")
        finally:
            server.connections.discard(self.connection)


def _left_s(until: float) -> float:
    return max(0.0, until - time.monotonic())


class RtspServer:
    """The RTSP server of ``rtsp_server.py`` as a process; a context manager."""

    def __init__(
        self,
        *,
        port: int = 0,
        size: tuple[int, int] = (160, 120),
        rate_hz: int = 20,
        login: tuple[str, str] | None = None,
    ) -> None:
        command = [SYSTEM_PYTHON, str(Path(__file__).with_name("rtsp_server.py"))]
        command += [str(port), f"{size[0]}x{size[1]}", str(rate_hz), *(login or ())]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline() or 0)
        if not self.port:
            self.kill()
            raise RuntimeError("the RTSP server did not start")

    def url(self, path: str = "cam", login: str = "") -> str:
        return f"rtsp://{login + '@' if login else ''}127.0.0.1:{self.port}/{path}"

    def kill(self) -> None:
        """Kill it; may be called twice."""
        self._process.kill()
        self._process.wait(START_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@cache
def missing_rtsp() -> str:
    """Return why there can be no RTSP server here, empty when there can."""
    check = (
        "import gi; gi.require_version('GstRtspServer', '1.0');"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
        "assert all(map(Gst.ElementFactory.find, ('x264enc', 'rtph264pay', 'videotestsrc')))"
    )
    try:
        done = subprocess.run(
            [SYSTEM_PYTHON, "-c", check], capture_output=True, timeout=START_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the system's Python cannot be run: {error}"
    if done.returncode == 0:
        return ""
    return (
        "needs python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's base, good and ugly plugins"
    )


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def write_video(
    target: str,
    *,
    frames: int,
    rate: int = 20,
    container: str = "",
    paced_until: threading.Event | None = None,
    **options: str,
) -> None:
    """Write gray 64 x 48 frames as H.264 to a file or address.

    With `paced_until` they are written at their rate, until it is set.
    """
    with av.open(target, "w", format=container or None, options=options) as output:
        stream = output.add_stream("libx264", rate=rate, options={"g": "10", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        begun = time.monotonic()
        for number in range(frames):
            due_s = begun + number / rate - time.monotonic()
            if paced_until is not None and paced_until.wait(max(0.0, due_s)):
                break
            picture = np.full((48, 64, 3), gray_of(number), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode())
