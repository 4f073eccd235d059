"""How FFmpeg is to open each kind of address."""

import ipaddress

from engine.drivers.builtin.network_stream.address import Address

__all__ = ("open_options",)

_BRIEF_US = 500_000
_BRIEF_BYTES = 500_000
_UDP_BUFFER_BYTES = 1 << 20
_REORDER_US = 100_000


def open_options(address: Address, *, transport: str, is_low_latency: bool) -> dict[str, str]:
    """Return FFmpeg's options for an address.

    Parameters
    ----------
    transport : "tcp" or "udp", for RTSP.
    is_low_latency : look at the stream for half a second at most and buffer nothing.
    """
    options: dict[str, str] = {}
    if is_low_latency:
        options |= {
            "flags": "low_delay",
            "analyzeduration": str(_BRIEF_US),
            "probesize": str(_BRIEF_BYTES),
            "live_start_index": "-1",  # HLS: from the newest segment on
        }
    match address.scheme:
        case "rtsp" | "rtsps":
            options |= {"rtsp_transport": transport, "allowed_media_types": "video"}
            if transport == "udp":
                options["buffer_size"] = str(_UDP_BUFFER_BYTES)
                if is_low_latency:
                    options["max_delay"] = str(_REORDER_US)
        case "udp":
            options |= {"buffer_size": str(_UDP_BUFFER_BYTES), "overrun_nonfatal": "1"}
            if _is_one_of_ours(address.host):
                options["localaddr"] = address.host  # or the port would be open to everybody
    return options


def _is_one_of_ours(host: str) -> bool:
    """Tell whether the host is an address to listen at, not a group or a name."""
    try:
        return bool(host) and not ipaddress.ip_address(host).is_multicast
    except ValueError:
        return False
