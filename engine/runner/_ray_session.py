"""The connection of a process to Ray: shared by all runners, ended with the last if it was ours."""

import atexit
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import ray
import ray.util.client

from engine.errors import BrokenError, BusyError

__all__ = ("join", "leave", "lock")

_REACH_S = 5.0
_LEAVE_S = 0.1
_FROM_OUTSIDE = "ray://"
_USAGE = "RAY_USAGE_STATS_ENABLED"

# Ray has one connection per process, with functions instead of an object, and so what is known of
# it is the module's as well.
lock = threading.RLock()
"""Held around what must not meet the end of the connection."""
_counting = threading.Lock()


class _Connection:
    users = 0
    is_ours = False
    address: str | None = None

    @classmethod
    def count(cls, change: int) -> int:
        with _counting:
            cls.users += change
            return cls.users


def join(
    address: str | None,
    workers: int,
    runtime_env: dict[str, Any] | None,
    at_exit: Callable[[], object],
) -> bool:
    """Connect this process to Ray, unless it is; `leave` belongs to it.

    Returns whether the connection was made here, with that `runtime_env`.

    Parameters
    ----------
    address : as in `engine.runner.RayExecutor`.
    workers : how many CPUs a Ray that is started here must offer at least.
    runtime_env : what the workers need, as Ray describes it. Files of this machine travel only
        with a connection that is made with it.
    at_exit : called before Ray ends with the program.

    Raises
    ------
    BrokenError : there is no cluster, or Ray does not start.
    BusyError : the process is connected to another cluster.
    """
    with lock:
        is_new = not ray.is_initialized()
        if is_new:
            _connect(address, workers, runtime_env)
            _Connection.is_ours = True
            _Connection.address = address
        elif address is not None and not _is_at(address):
            raise BusyError(
                "this process is connected to another Ray cluster, and Ray allows one at a time; "
                f"close what uses that before joining {address}"
            )
        _Connection.count(1)
        atexit.register(at_exit)  # after Ray's own, and so before it
        return is_new


def leave(at_exit: Callable[[], object], kept: list[Any]) -> None:
    """Disconnect when nobody uses Ray any more and we connected; ends a Ray we started.

    The last part takes a second or two, in a thread of its own. References in `kept` outlive it.
    """
    atexit.unregister(at_exit)
    if _Connection.count(-1) or not _Connection.is_ours:
        return
    thread = threading.Thread(target=_disconnect, args=(kept,), name="ray-leave")
    try:
        thread.start()
    except RuntimeError:  # the program is at its end, where Python 3.12 starts no threads
        _disconnect(kept)
        return
    thread.join(_LEAVE_S)


def _disconnect(kept: list[Any]) -> None:
    with lock:
        if not _Connection.users and _Connection.is_ours:
            _Connection.is_ours = False
            ray.shutdown()
    kept.clear()


def _connect(address: str | None, workers: int, runtime_env: dict[str, Any] | None) -> None:
    options: dict[str, Any] = {"logging_level": "warning", "runtime_env": runtime_env}
    name = address or os.environ.get("RAY_ADDRESS")
    is_local = name == "local"
    try:
        if name and not is_local:
            _reach(name)
            _join_at(name, options)
            return
        with contextlib.suppress(ConnectionError):
            if not is_local:
                ray.init(address="auto", **options)
                return
        _start(max(workers, os.cpu_count() or 1), options)
    except (ConnectionError, ImportError, OSError, RuntimeError, ValueError) as error:
        if name and not is_local:
            words = f"the Ray cluster at {name} cannot be joined: {error}; see whether it runs, "
            words += f"has this version of Ray ({ray.__version__}), and lets this machine in; a "
            words += "cluster that wants a token finds it in ~/.ray/auth_token or RAY_AUTH_TOKEN"
        else:
            words = f"Ray does not start here: {error}; try ray.init() for more words"
        raise BrokenError(words, address=name) from error


def _join_at(address: str, options: dict[str, Any]) -> None:
    is_from_outside = address.startswith(_FROM_OUTSIDE)
    if is_from_outside:
        _show_token()
    try:
        ray.init(address=address, **options)
    except ConnectionError as error:
        # Ray's client server (2.60) forks while its threads work, which does not always succeed.
        if not (is_from_outside and "Initialization failure" in str(error)):
            raise
        ray.init(address=address, **options)


def _show_token() -> None:
    """Have Ray show the token this user has, as it does by itself for all other addresses."""
    with contextlib.suppress(ImportError, AttributeError):  # an older Ray has no tokens
        from ray._private.authentication import authentication_token_setup  # noqa: PLC0415

        show = authentication_token_setup.maybe_enable_token_auth_if_token_available
        show(warn_if_disabled=False)


def _is_at(address: str) -> bool:
    """Whether the connection there is leads to that address."""
    if _Connection.is_ours and address == _Connection.address:
        return True
    client: Any = ray.util.client.ray
    is_from_outside = client.is_connected()  # to which address, only Ray knows
    if is_from_outside or address.startswith(_FROM_OUTSIDE):
        return bool(is_from_outside and not _Connection.is_ours)
    return bool(ray.get_runtime_context().gcs_address == address)


def _start(cpus: int, options: dict[str, Any]) -> None:
    """Start Ray on this machine; it tells nobody of that."""
    before = os.environ.get(_USAGE)
    os.environ.setdefault(_USAGE, "0")
    try:
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **options)
    finally:
        if before is None:
            os.environ.pop(_USAGE, None)


def _reach(address: str) -> None:
    """Fail at once and not after Ray's long wait when nobody listens there."""
    if address.startswith(_FROM_OUTSIDE) and find_spec("grpc") is None:
        raise ImportError("such an address needs gRPC; run: pip install 'ray[client]'")
    host, _, port = address.removeprefix(_FROM_OUTSIDE).rpartition(":")
    if not port.isdigit():
        return  # "auto", "local"
    socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
