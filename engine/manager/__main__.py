"""Entry of the device manager: ``python -m engine.manager --folder DIR``; see docs/manager.md."""

import argparse
import contextlib
import faulthandler
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import BusyError, EngineError
from engine.manager.address import (
    DEFAULT_PORT,
    ManagerAddress,
    NetworkAddress,
    default_address,
)

__all__ = ("main",)

_LOCK_S = 8.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped, or until nobody has used the manager for a while."""
    parser = argparse.ArgumentParser(prog="penstock-manager")
    parser.add_argument("--folder", default="", help="folder of the socket; yours by default")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="number of the manager")
    parser.add_argument("--listen", default="", help="address for other machines; see the docs")
    parser.add_argument("--device", action="append", default=[], help="plugin of a device")
    parser.add_argument("--idle-timeout", type=float, default=0.0, help="seconds; 0 never")
    parser.add_argument("--detach", action="store_true", help="leave the starter's session")
    parser.add_argument("--ready-fd", type=int, default=-1, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.folder = options.folder and os.path.abspath(options.folder)  # noqa: PTH100 - "" stays
    if options.detach:
        if os.fork():  # before any thread and any heavy import
            os._exit(0)
        os.setsid()
        # Where the starter was may be removed, and workers are to find this package.
        os.chdir(Path(__file__).resolve().parents[2])
    faulthandler.enable()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        folder = options.folder
        address = ManagerAddress(folder, options.port) if folder else default_address(options.port)
        address.make_folder()
        with _owned(address):
            return _serve(address, options)
    except EngineError as error:
        _tell(options.ready_fd, str(error))
        sys.stderr.write(f"penstock-manager: {error}\n")
        return 1


def _serve(address: ManagerAddress, options: argparse.Namespace) -> int:
    from engine.manager.daemon import Manager  # noqa: PLC0415 - after the fork, with the lock
    from engine.manager.devices import default_devices, devices_from  # noqa: PLC0415 - the same

    devices = devices_from(options.device) if options.device else default_devices()
    listen = NetworkAddress(options.listen, options.port) if options.listen else None
    manager = Manager(address, devices, idle_timeout_s=options.idle_timeout, listen=listen)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: manager.end("it was told to end by a signal"))
    manager.listen()
    _tell(options.ready_fd, "ready")
    manager.serve()
    return 0


@contextlib.contextmanager
def _owned(address: ManagerAddress) -> Iterator[None]:
    """Hold the address; one that is just ending is waited for."""
    fd = os.open(address.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    before = signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, _LOCK_S)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except TimeoutError:
        holder = Path(address.lock_path).read_text(encoding="ascii") or "unknown"
        os.close(fd)
        raise BusyError(
            f"another device manager (process {holder}) serves {address.folder} already; use it, "
            "or stop it with 'penstock manager stop'"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(fd)


def _too_late(*_: object) -> None:
    raise TimeoutError


def _tell(fd: int, text: str) -> None:
    """Tell the starter how it went, once."""
    if fd >= 0:
        with contextlib.suppress(OSError):
            os.write(fd, text.encode())
            os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
