"""Work in worker processes, results in this one: what all runners have in common."""

import contextlib
import contextvars
import itertools
import logging
import operator
import threading
from collections.abc import Iterable, Iterator
from multiprocessing.util import Finalize
from typing import Any, ClassVar, Self

from engine.errors import BusyError, ClosedError, EngineError
from engine.runner._cfg_copies import CfgCopies
from engine.runner._crew_api import Crew
from engine.runner._executors import Executor, open_crew
from engine.runner._options import OnError, ProgressCallback, RunOptions, device_list
from engine.runner._progress import reporting
from engine.runner._run import Run
from engine.runner._sinks import HookSink
from engine.runner.result_stream import ResultStream, StreamSink
from engine.runner.statistics import RunnerStatistics, Tally

__all__ = ("BaseRunner",)

log = logging.getLogger(__name__)

_GUARD_S = 0.1
_LEAVE_S = 1.0
_EXIT_PRIORITY = 20  # before multiprocessing ends our workers itself


class BaseRunner:
    """Run items through worker processes; results are consumed as they come, in any order.

    Override the six static methods. The three `producer_...` run in worker processes, one per
    device; the three `consumer_...` run in one thread of this process. The workers start with the
    object, live until `close`, and serve any number of calls.

    Parameters
    ----------
    devices : how many workers, each with device "cpu"; or an iterable of devices, one worker each
        (a string is one device).
    cfg : configuration for the hooks; a dictionary gets attribute access. Every worker has a
        private copy that lives until `close`, the consumer a fresh one in every call.
    queue_scale : how far the input may run ahead of the consumer: that many parcels per worker,
        at least one. A parcel is one item, or several while items prove to be tiny and quick.
    executor : where the workers are: None or "processes" for this machine; "ray", "host:port" or
        "ray://host:port" for a Ray cluster, or a `RayExecutor` with more to choose.
    start_method : "fork", "spawn" or "forkserver"; None as set by
        ``multiprocessing.set_start_method``, else fork where the system has it.
    timeout : seconds a call may take; for `imap`, seconds each result may take.
    on_error : what happens when `producer_work` fails for an item or its worker dies. "raise" ends
        the call with the exception; "skip" leaves the item out; "retry" does it again, up to
        `retries` times, then raises. On a cluster the items of a lost worker are done by others
        whatever is said here, each up to `retries` times.
    progress : True for a bar on the terminal, or a callable that gets how many items are done and
        how many there are (None when unknown), a few times a second.
    close_timeout : seconds that workers may take to leave, `producer_end` included, before they
        are killed.

    Raises
    ------
    InvalidArgumentError : an argument makes no sense, the class cannot be sent to workers, or Ray
        is wanted and not installed.
    WorkerDiedError : the system allows no more processes.
    BrokenError : the cluster cannot be joined.
    """

    _is_ordered: ClassVar[bool] = False

    def __init__(  # noqa: PLR0913 - three as published, the rest by keyword
        self,
        devices: int | Iterable[Any],
        cfg: Any = {},  # noqa: ANN401, B006 - as published; never changed
        queue_scale: float = 3.0,
        *,
        executor: Executor | str | None = None,
        start_method: str | None = None,
        timeout: float | None = None,
        on_error: OnError = "raise",
        retries: int = 2,
        progress: bool | ProgressCallback = False,
        close_timeout: float = 0.7,
    ) -> None:
        self._crews: list[Crew] = []  # none or one; taking it out is one step for all threads
        self._options = RunOptions(queue_scale, timeout, on_error, retries, progress)
        self._devices = device_list(devices)
        self._user_cfg = cfg
        self._executor = executor
        self._start_method = start_method
        self._close_timeout = close_timeout
        self._calls = itertools.count(1)
        self._entry = threading.RLock()  # a signal handler may call the runner, too
        self._is_stale = False
        self._run: Run | None = None
        self._tally = Tally()
        self._finalizer: Finalize[Any] | None = None
        self.activate()

    # -- the hooks

    @staticmethod
    def producer_init(device: Any, cfg: Any) -> object:  # noqa: ANN401
        """Prepare a worker: called once in each, when it starts."""

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:  # noqa: ANN401
        """Process one item in a worker and return the result; as it stands, the item itself.

        `data` may lie in memory shared with this process; keep a copy of what you need later.
        """
        return data

    @staticmethod
    def producer_end(device: Any, cfg: Any) -> object:  # noqa: ANN401
        """Finish a worker: called once in each, before it leaves at `close`."""

    @staticmethod
    def consumer_init(cfg: Any) -> object:  # noqa: ANN401
        """Prepare the consumer: called at the begin of every call."""

    @staticmethod
    def consumer_work(cfg: Any, data: Any) -> object:  # noqa: ANN401
        """Take one result."""

    @staticmethod
    def consumer_end(cfg: Any) -> Any:  # noqa: ANN401
        """Finish the consumer after the last result; what it returns is the call's result."""
        return None

    # -- calls

    def __call__(
        self,
        data_iter: Iterable[Any],
        *,
        timeout: float | None = None,
        on_error: OnError | None = None,
        progress: bool | ProgressCallback | None = None,
    ) -> Any:  # noqa: ANN401 - whatever consumer_end returns
        """Run all items through the workers and return what `consumer_end` returns.

        The keywords replace those given to the constructor. An exception of a hook or of the
        input is raised here, and the runner can be called again. Items that are taken from the
        input are sent at once; changing them afterwards changes nothing.

        Raises
        ------
        WorkerDiedError : a worker was killed or left; the next call gets a new one.
        EngineTimeoutError : the call took longer than `timeout`; workers at work were ended.
        ItemError : an item or a result cannot be pickled.
        ClosedError : the runner is closed, or was closed meanwhile.
        BusyError : another call or stream is under way.
        """
        options = self._options.changed(timeout=timeout, on_error=on_error, progress=progress)
        crew, hooks = self._open_crew(), type(self)
        with reporting(options.progress, _length(data_iter), hooks.__name__) as reporter:
            sink = HookSink(hooks, crew.fresh_cfg, reporter)
            run = Run(crew, next(self._calls), options, sink, self._tally, ordered=self._is_ordered)
            with self._under_way(run):
                context = contextvars.copy_context()
                # A daemon: the consumer's hooks are the user's and may never return.
                threading.Thread(
                    target=context.run,
                    args=(run.take_in,),
                    name=f"consumer-{run.call}",
                    daemon=True,
                ).start()
                run.feed(data_iter)
                run.is_over.wait()
        run.forget()
        if run.error is not None:
            raise run.error
        return sink.result

    def imap(
        self,
        data_iter: Iterable[Any],
        *,
        timeout: float | None = None,
        on_error: OnError | None = None,
        progress: bool | ProgressCallback | None = None,
    ) -> ResultStream:
        """Return an iterator over the results of `producer_work`; the consumer's hooks rest.

        The input is read in a thread of its own, at most `queue_scale` parcels per worker ahead
        of the reader. The exception of a failed item comes in the place of its result.
        """
        options = self._options.changed(timeout=timeout, on_error=on_error, progress=progress)
        crew = self._open_crew()
        sink = StreamSink()
        run = Run(crew, next(self._calls), options, sink, self._tally, ordered=self._is_ordered)
        reporter = reporting(options.progress, _length(data_iter), type(self).__name__)
        with self._under_way(run):
            return ResultStream(run, sink, data_iter, options.timeout, reporter, self)

    @property
    def statistics(self) -> RunnerStatistics:
        """Figures of all calls so far."""
        return self._tally.snapshot()

    # -- life

    @property
    def is_activate(self) -> bool:
        """Whether the workers are there: from the constructor or `activate` until `close`."""
        return bool(self._crews)

    def activate(self) -> None:
        """Start workers, with the configuration as it is now, if the runner is closed."""
        if self._crews:
            return
        cfg = CfgCopies(self._user_cfg)
        try:
            crew = open_crew(self._executor, type(self), self._devices, cfg, self._start_method)
        except BaseException:
            cfg.close()
            raise
        self._crews.append(crew)
        self._finalizer = Finalize(
            self, _close_quietly, (self._crews, self._close_timeout), exitpriority=_EXIT_PRIORITY
        )

    def close(self) -> None:
        """Stop all workers, after their `producer_end`; within a second by default.

        Safe to call twice, from any thread, from hooks and signal handlers. A call under way ends
        with `ClosedError`. Raises what a `producer_end` raised, after everything is released.
        """
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer.cancel()
        run = self._run
        if run is not None:
            run.abort(ClosedError("the runner was closed during the call"))
        failures = _close_crew(self._crews, self._close_timeout)
        if failures:
            raise failures[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
            return
        try:
            self.close()
        except Exception:
            log.exception("producer_end failed while another exception was on its way")

    # -- how

    def _open_crew(self) -> Crew:
        with self._entry:
            if self._is_stale:
                self._check_idle()  # it is stale, too, while another thread begins a call
                if self._crews:
                    _close_quietly(self._crews, 0.0)
                    self.activate()
                self._is_stale = False
        try:
            return self._crews[0]
        except IndexError:
            raise ClosedError("the runner is closed; call activate() first") from None

    @contextlib.contextmanager
    def _under_way(self, run: Run) -> Iterator[None]:
        """Begin a run; give it up when anything is raised, a signal handler's exception included.

        Raises
        ------
        BusyError : another one is under way.
        """
        with self._entry:
            self._check_idle()
            self._run = run
        try:
            self._begin(run)
            yield
        except BaseException as error:
            run.leave(error, _LEAVE_S)
            raise

    def _check_idle(self) -> None:
        if self._run is not None and not self._run.is_over.is_set():
            raise BusyError(
                "the runner is at another call or stream; wait for its end, or make another runner"
            )

    def _begin(self, run: Run) -> None:
        self._is_stale = True  # what is interrupted here leaves workers nobody can rely on
        try:
            run.begin()
        except EngineError:
            self._is_stale = False
            run.is_over.set()
            raise
        self._is_stale = False


def _length(data_iter: Iterable[Any]) -> int | None:
    with contextlib.suppress(TypeError):
        return (
            operator.length_hint(data_iter, -1)
            if operator.length_hint(data_iter, -1) >= 0
            else None
        )
    return None


def _close_crew(crews: list[Crew], timeout_s: float) -> list[BaseException]:
    """Take the crew out and end it; whoever comes second finds nothing to do."""
    try:
        crew = crews.pop()
    except IndexError:
        return []
    crew.is_closing = True
    crew.wake()
    has_guard = crew.guard.acquire(timeout=_GUARD_S)
    try:
        failures = crew.end(timeout_s if has_guard else 0.0)
    finally:
        if has_guard:
            crew.guard.release()
    crew.release()
    return failures


def _close_quietly(crews: list[Crew], timeout_s: float) -> None:
    """Close what was dropped without `close`, or is left at the program's end."""
    for failure in _close_crew(crews, timeout_s):
        log.error("while closing a runner: %s", failure, exc_info=failure)
