"""Receives video over the network: RTSP, HTTP (MJPEG, HLS, files) and UDP."""

__all__ = ()
