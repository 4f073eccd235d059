"""A real RTSP server with a live H.264 test picture, run by the system's Python with GStreamer.

Usage: ``/usr/bin/python3 rtsp_server.py PORT WIDTHxHEIGHT RATE [USER PASSWORD]``; port 0 takes a
free one. Prints the port once it listens. The stream is at ``/cam``.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions have to be chosen first

LAUNCH = (
    "( videotestsrc is-live=true pattern=ball"
    " ! video/x-raw,width={width},height={height},framerate={rate}/1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={rate} threads=1"
    " ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def main() -> None:
    port, size, rate = sys.argv[1:4]
    width, height = size.split("x")
    Gst.init(None)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH.format(width=width, height=height, rate=rate))
    factory.set_shared(True)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if len(sys.argv) > 4:
        ask_for(server, factory, *sys.argv[4:6])
    server.get_mount_points().add_factory("/cam", factory)
    if server.attach(None) == 0:
        sys.exit(f"port {port} is taken")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def ask_for(
    server: "GstRtspServer.RTSPServer",
    factory: "GstRtspServer.RTSPMediaFactory",
    user: str,
    password: str,
) -> None:
    """Let only this user in."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", right, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main()
