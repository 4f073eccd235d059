"""Inference frame by frame: send, receive, run."""

import numbers
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.accelerator._backend import Access
from engine.accelerator._base import Accl, DeviceIds, accepts_group_id
from engine.accelerator._model import Model
from engine.accelerator._pacer import Pacer
from engine.accelerator.errors import FrameTypeError, OptionTypeError
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.dfp import Dfp
from engine.errors import ClosedError, EngineTimeoutError, InvalidArgumentError
from engine.lanes import Completed, LaneChannel

__all__ = ("SyncAccl",)

Array = np.ndarray[Any, Any]
Outputs = Array | list[Array]


class SyncAccl(Accl):
    """Runs a program frame by frame, for tests and for stored data.

    Parameters
    ----------
    dfp : path, bytes or `Dfp` of the compiled program.
    device_ids : numbers of the devices to use.
    use_model_shape : whether inputs and outputs have the model's own shapes (True) or the
        devices' (False): height, width, 1, channels.
    local_mode : execute in this process, and keep the device from others. Left out, devices are
        shared with other processes through the device manager, which starts by itself.
    scheduler_options : queue sizes; ``ifmap_queue_size + ofmap_queue_size`` frames may be sent
        before one is received.
    client_options : with `smoothing` and an `fps_target`, `receive` and `run` hand out results of
        a model no faster than that.
    manager_addr, manager_port : folder and number of the device manager, see docs/manager.md.
    ignore_manager : execute in this process without regard to others.

    Raises
    ------
    TypeError
        When a device number is no number from 0.
    RuntimeError
        When the program or a device cannot be used.
    """

    @accepts_group_id
    def __init__(
        self,
        dfp: str | Path | bytes | Dfp,
        device_ids: DeviceIds = [0],
        use_model_shape: tuple[bool, bool] = (True, True),
        local_mode: bool = False,
        scheduler_options: SchedulerOptions = SchedulerOptions(),  # noqa: B008 - copied when used
        client_options: ClientOptions = ClientOptions(),  # noqa: B008 - copied when used
        manager_addr: str = "/run/mxa_manager/",
        manager_port: int = 10000,
        ignore_manager: bool = False,
    ) -> None:
        super().__init__(
            dfp,
            device_ids,
            use_model_shape,
            Access(local_mode, manager_addr, manager_port, ignore_manager),
            (scheduler_options, client_options),
        )
        self._lock = threading.Lock()
        self._channels: dict[int, LaneChannel] = {}
        self._pacers = [self._program.new_pacer() for _ in self._program.models]

    def send(
        self, data: Array | Sequence[Array], model_idx: int = 0, timeout: float | None = None
    ) -> None:
        """Send one frame; the arrays may be changed as soon as this returns.

        Parameters
        ----------
        data : ndarray, or sequence of ndarray with one array per input.
        model_idx : the model to send it to.
        timeout : milliseconds to wait while the queue is full; None and 0 wait without end.

        Raises
        ------
        TimeoutError
            When the queue stayed full; nothing was sent.
        """
        timeout_s = _seconds(timeout)
        model = self._program.model(model_idx)
        try:
            self._channel(model).submit(model.take(data), timeout_s=timeout_s)
        except EngineTimeoutError as error:
            raise EngineTimeoutError(
                f"model {model_idx} took no frame within {timeout} ms; receive results to make "
                "room, or wait longer",
                model_idx=model_idx,
            ) from error
        except ClosedError:
            self._program.check_open()  # says it better
            raise

    def receive(self, model_idx: int = 0, timeout: float | None = None) -> Outputs:
        """Receive the outputs of the oldest frame sent and not yet received.

        Parameters
        ----------
        model_idx : the model to receive from.
        timeout : milliseconds to wait; None and 0 wait without end.

        Returns
        -------
        ndarray or list of ndarray
            The output, or a list in the order of the ports when the model has several. The
            arrays belong to the caller.

        Raises
        ------
        TimeoutError
            When nothing came; the frame is not lost, a later call receives it.
        """
        timeout_s = _seconds(timeout)
        model = self._program.model(model_idx)
        pacer = self._pacers[model.index]
        try:
            if pacer.is_active:
                timeout_s = self._await_turn(pacer, timeout_s)
            completed = self._channel(model).receive(timeout_s)
            pacer.note()
        except EngineTimeoutError as error:
            raise EngineTimeoutError(
                f"model {model_idx} had no result within {timeout} ms; wait longer, or check "
                "that a frame was sent",
                model_idx=model_idx,
            ) from error
        except ClosedError:
            self._program.check_open()  # says it better
            raise
        return self._outputs_of(model, completed)

    def run(
        self, inputs: Array | Sequence[Array] | Sequence[Sequence[Array]], model_idx: int = 0
    ) -> Outputs | list[Outputs]:
        """Send frames and return their outputs, in order.

        Independent of `send` and `receive`, and of other threads' calls.

        Parameters
        ----------
        inputs : ndarray for one frame of a model with one input; list of ndarray for one frame
            of a model with as many inputs, else for one frame each; list of lists of ndarray
            for several frames.
        model_idx : the model to run.

        Returns
        -------
        ndarray, list of ndarray, or list of either
            What `receive` returns for one frame, a list of these for several.
        """
        model = self._program.model(model_idx)
        frames = _frames_of(model, inputs)
        if len(frames) == 1:
            return self._run_one(model, frames[0])
        results: list[Outputs] = []
        with self._program.open_channel(model, self._program.queue_size) as channel:
            for frame in frames:
                taken = model.take(frame)
                if not channel.has_room():
                    results.append(self._next_of(channel, model))
                channel.submit(taken)
            results.extend(self._next_of(channel, model) for _ in range(len(results), len(frames)))
        return results[0] if len(results) == 1 else results

    def _run_one(self, model: Model, frame: object) -> Outputs:
        """Execute one frame in the caller's thread, which saves waking a lane and being woken."""
        taken = model.take(frame)
        pacer = self._pacers[model.index]
        if pacer.is_active:
            self._await_turn(pacer, None)
            self._program.check_open()
            pacer.note()
        try:
            outputs = model.give(model.session.run(taken))
        except ClosedError:
            self._program.check_open()  # says it better
            raise
        return outputs[0] if len(outputs) == 1 else outputs

    def _next_of(self, channel: LaneChannel, model: Model) -> Outputs:
        """Return the next result of a run, when its turn has come."""
        pacer = self._pacers[model.index]
        if pacer.is_active:
            self._await_turn(pacer, None)
        completed = channel.receive()
        pacer.note()
        return self._outputs_of(model, completed)

    def _outputs_of(self, model: Model, completed: Completed) -> Outputs:
        if completed.error is not None:
            if isinstance(completed.error, ClosedError):
                self._program.check_open()  # says it better
            raise completed.error
        outputs = model.give(completed.outputs or [])
        return outputs[0] if len(outputs) == 1 else outputs

    def _await_turn(self, pacer: Pacer, timeout_s: float | None) -> float | None:
        """Wait until the next result may be handed out; return what is left of the time."""
        left_s = pacer.left_s()
        if timeout_s is None:
            self._program.closing.wait(left_s)
            return None
        self._program.closing.wait(min(left_s, timeout_s))
        if left_s > timeout_s and not self._program.closing.is_set():
            raise EngineTimeoutError(f"the next result is due in {left_s - timeout_s:.3f} s")
        return max(0.0, timeout_s - left_s)

    def _channel(self, model: Model) -> LaneChannel:
        channel = self._channels.get(model.index)
        if channel is None:
            with self._lock:
                channel = self._channels.get(model.index)
                if channel is None:
                    options = self._program.scheduler_options
                    depth = self._program.queue_size + max(0, options.ofmap_queue_size)
                    channel = self._program.open_channel(model, depth)
                    self._channels[model.index] = channel
        return channel


def _frames_of(model: Model, inputs: object) -> list[object]:
    """Return the frames that `inputs` stands for."""
    if isinstance(inputs, np.ndarray):
        return [inputs]
    if not isinstance(inputs, list | tuple):
        raise FrameTypeError(
            f"run takes a NumPy array, or a list of NumPy arrays or of lists of them, "
            f"not a {type(inputs).__name__}"
        )
    for item in inputs:
        if not isinstance(item, np.ndarray | list | tuple):
            raise FrameTypeError(
                f"run takes NumPy arrays or lists of them in its list, not a {type(item).__name__}"
            )
    count = model.input.port_count
    is_flat = all(isinstance(item, np.ndarray) for item in inputs)
    if count > 1 and len(inputs) == count and is_flat:
        return [list(inputs)]
    return list(inputs)


def _seconds(timeout: object) -> float | None:
    """Turn a published timeout (milliseconds, None and 0 without end) into seconds."""
    if timeout is None:
        return None
    if not isinstance(timeout, numbers.Real):
        raise OptionTypeError(
            f"timeout is a number of milliseconds or None, not {timeout!r} "
            f"({type(timeout).__name__})"
        )
    value = float(timeout)
    if not value >= 0:
        raise InvalidArgumentError(f"timeout is 0 or more milliseconds, not {timeout!r}")
    return value / 1000 if 0 < value < float("inf") else None
