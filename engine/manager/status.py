"""What a manager tells about itself."""

import msgspec

__all__ = ("ClientFigures", "DeviceFigures", "DeviceInfo", "ManagerStatus")


class DeviceInfo(msgspec.Struct, frozen=True):
    """A device that can be shared.

    Attributes
    ----------
    index : its number, as in `device_ids`.
    plugin : key of the plugin that executes on it.
    plugin_index : its number within the plugin.
    kind, name, memory_bytes, precision : see `engine.plugins.ListedDevice`; empty where nobody
        asked the plugin.
    """

    index: int
    plugin: str
    plugin_index: int = 0
    kind: str = ""
    name: str = ""
    memory_bytes: int = 0
    precision: str = ""


class ClientFigures(msgspec.Struct, frozen=True):
    """One client of a device; the manager knows its process, the device's worker the rest.

    Attributes
    ----------
    share : part of the device's busy time of the last seconds, 0..1.
    queued : frames that wait.
    mean_wait_ms : how long its frames waited for their turn, on average.
    peer : key and host of a client on another machine, whose process here is the gateway.
    """

    client: int
    program: str
    name: str
    weight: float
    priority: int
    pid: int = 0
    frames: int = 0
    share: float = 0.0
    queued: int = 0
    executing: int = 0
    mean_wait_ms: float = 0.0
    peer: str = ""


class DeviceFigures(msgspec.Struct, frozen=True):
    """One device and who uses it.

    Attributes
    ----------
    state : "idle" (no worker yet), "starting", "running" or "not answering".
    restarts : how often its worker ended unasked.
    swaps : how often another program got the device.
    busy : part of its lanes that worked in the last seconds, 0..1.
    temperature_c, power_w : None where the device does not measure them.
    plugin_index, kind, name : see `DeviceInfo`.
    """

    index: int
    plugin: str = ""
    state: str = "idle"
    worker_pid: int = 0
    lanes: int = 0
    restarts: int = 0
    swaps: int = 0
    busy: float = 0.0
    program: str = ""
    temperature_c: float | None = None
    power_w: float | None = None
    clients: tuple[ClientFigures, ...] = ()
    plugin_index: int = 0
    kind: str = ""
    name: str = ""


class ManagerStatus(msgspec.Struct, frozen=True):
    """The whole manager; `listen` says where other machines reach it, empty when they do not."""

    pid: int
    folder: str
    port: int
    uptime_s: float
    devices: tuple[DeviceFigures, ...]
    listen: str = ""
