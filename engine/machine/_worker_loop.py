"""What a worker process does: take tasks, run them, send back what came out."""

import contextlib
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import parent_process
from types import FrameType
from typing import Any

from engine.errors import EngineError, RemoteError
from engine.machine._context import become_worker
from engine.machine._memory import BOARD_BYTES, view_of
from engine.machine._native_threads import limit_native_threads
from engine.machine._packing import Parcel, pack, unpack_parcel
from engine.machine._storage import storage
from engine.machine._store import Version
from engine.machine._wire import Kind, Line, Message
from engine.machine._worker_storage import FetchedStorage
from engine.process import leave_with_parent, wait_readable

__all__ = ("Plan", "serve", "settle")

_LEAVE_S = 1.0
_LEFT_WITH_PARENT = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Plan:
    """What a worker is told at its start.

    Attributes
    ----------
    tasks_fd, results_fd : its two lines.
    board_fd : a file of eight bytes, in which it notes the number of the task it has begun.
    parent_pid : whose end is its own end.
    first_call : pickle of a function and its arguments, called before the first task; may be empty.
    most_tasks : after so many the worker leaves, and another takes its place; 0 is no limit.
    epoch : of the parent's storage, for the first call.
    """

    index: int
    tasks_fd: int
    results_fd: int
    board_fd: int
    parent_pid: int
    first_call: bytes = b""
    most_tasks: int = 0
    epoch: int = 0


def settle(plan: Plan) -> None:
    """Make this process a worker, before any of the user's code runs in it.

    Ctrl-C is the parent's affair; the parent's end is ours, however it comes.
    """
    become_worker()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, _ignore)  # not SIG_IGN, which programs started here would keep
    limit_native_threads()
    if os.getppid() == plan.parent_pid:
        leave_with_parent(plan.parent_pid, grace_s=_LEAVE_S)
        return
    parent = parent_process()
    if parent is None:  # it ended while we started
        os._exit(_LEFT_WITH_PARENT)
    threading.Thread(  # a daemon: it waits for something that may never happen
        target=_leave_with, args=(parent.sentinel,), name="parent-watch", daemon=True
    ).start()


def serve(
    plan: Plan, tasks: Line, results: Line, inherited: Sequence[tuple[int, Version]] = ()
) -> None:
    """Run tasks until the parent has no more, or is gone.

    Parameters
    ----------
    inherited : what came with a fork of the parent's storage.
    """
    parent = FetchedStorage(results, inherited, storage.store.epoch)
    storage.parent = parent
    board = view_of(plan.board_fd, BOARD_BYTES, is_writable=True)
    os.close(plan.board_fd)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        failure = _first_call(plan, parent)
        if failure is not None:
            _send(results, Kind.NOT_BEGUN, plan.index, failure)
            return
        results.send(Kind.READY, plan.index, may_wait=True)
        done = 0
        while (done < plan.most_tasks or not plan.most_tasks) and (
            message := tasks.receive(may_wait=True)
        ) is not None:
            if message.kind == Kind.DROP:
                parent.drop(message.number)
                continue
            board[:] = message.number.to_bytes(BOARD_BYTES, "little")
            parent.epoch = message.epoch
            _run(message, results)
            del message
            parent.let_go()
            done += 1


def _first_call(plan: Plan, parent: FetchedStorage) -> Parcel | None:
    """Make the first call, if there is one; return its failure."""
    if not plan.first_call:
        return None
    parent.epoch = plan.epoch
    try:
        function, args = pickle.loads(plan.first_call)  # noqa: S301 - our parent wrote it
        function(*args)
    except Exception as error:  # noqa: BLE001 - the user's code
        return _packed_error(error)
    parent.let_go()
    return None


def _run(message: Message, results: Line) -> None:
    """Run one task. ``sys.exit`` in it ends the worker."""
    try:
        function, args, kwargs = _opened(message)
    except BaseException as error:  # noqa: BLE001 - the user's code: whatever unpickling runs
        _send(results, Kind.UNREADABLE, message.number, _packed_error(error))
        return
    try:
        value = function(*args, **kwargs)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the user's code
        _send(results, Kind.FAILED, message.number, _packed_error(error))
        return
    try:
        parcel = pack(value)
    except BaseException as error:  # noqa: BLE001 - the user's code: whatever pickling runs
        told = RemoteError(
            f"the result, a {type(value).__name__}, cannot be sent back: {_line_of(error)}"
        )
        told.__cause__ = error
        _send(results, Kind.FAILED, message.number, _packed_error(told))
        return
    _send(results, Kind.DONE, message.number, parcel)


def _opened(message: Message) -> Any:  # noqa: ANN401 - the user's
    try:
        return unpack_parcel(message.body, message.fd)
    finally:
        if message.fd >= 0:
            os.close(message.fd)


def _send(results: Line, kind: Kind, number: int, parcel: Parcel) -> None:
    try:
        results.send(kind, number, 0, parcel.body, parcel.fd, may_wait=True)
    finally:
        parcel.close()


def _packed_error(error: BaseException) -> Parcel:
    """Pack an exception with its traceback; one that does not survive pickling, as words."""
    story = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps((error, story), 5)
        pickle.loads(data)  # noqa: S301 - just made
        return pack((error, story))
    except Exception:  # noqa: BLE001 - the user's exception class
        told = error if isinstance(error, EngineError) else RemoteError(_line_of(error))
        return pack((RemoteError(str(told), kind=type(error).__name__), story))


def _line_of(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _leave_with(sentinel: int) -> None:
    wait_readable([sentinel], None)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_LEAVE_S)
    os._exit(_LEFT_WITH_PARENT)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""
