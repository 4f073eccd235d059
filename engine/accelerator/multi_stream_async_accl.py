"""Streaming inference with many streams per model."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.accelerator._backend import Access
from engine.accelerator._base import DeviceIds, StreamingAccl, accepts_group_id
from engine.accelerator._callbacks import parameter_count, stream_source
from engine.accelerator._flow import Feeder, Flow
from engine.accelerator._model import Model
from engine.accelerator.errors import CallbackTypeError, OptionTypeError
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.dfp import Dfp
from engine.errors import InvalidArgumentError, UnconnectedPortError

__all__ = ("MultiStreamAsyncAccl",)

_FEWEST_WORKERS = 2


class MultiStreamAsyncAccl(StreamingAccl):
    """Runs a program on many streams of frames that share one pair of callbacks.

    Input callbacks of different streams run at the same time, those of one stream never; a
    stream whose callback waits holds up no other. Output callbacks of a model run one after the
    other. Each stream's results come in the order of its frames.

    Parameters
    ----------
    dfp : path, bytes or `Dfp` of the compiled program.
    device_ids : numbers of the devices to use.
    stream_workers : how many streams' frames are checked, copied and preprocessed at the same
        time, at least 2; -1 is one less than there are processor cores.
    use_model_shape : whether inputs and outputs have the model's own shapes (True) or the
        devices' (False): height, width, 1, channels.
    local_mode : execute in this process, and keep the device from others. Left out, devices are
        shared with other processes through the device manager, which starts by itself.
    scheduler_options : queue sizes; ``ifmap_queue_size`` frames may be under way per model.
    client_options : rate at which results are delivered.
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
        stream_workers: int = -1,
        use_model_shape: tuple[bool, bool] = (True, True),
        local_mode: bool = False,
        scheduler_options: SchedulerOptions = SchedulerOptions(),  # noqa: B008 - copied when used
        client_options: ClientOptions = ClientOptions(),  # noqa: B008 - copied when used
        manager_addr: str = "/run/mxa_manager/",
        manager_port: int = 10000,
        ignore_manager: bool = False,
    ) -> None:
        wanted = (os.cpu_count() or 1) - 1 if stream_workers == -1 else stream_workers
        self._workers = max(_FEWEST_WORKERS, wanted)
        super().__init__(
            dfp,
            device_ids,
            use_model_shape,
            Access(local_mode, manager_addr, manager_port, ignore_manager),
            (scheduler_options, client_options),
        )

    @property
    def stream_workers(self) -> int:
        """How many streams' frames are prepared at the same time."""
        return self._workers

    def connect_streams(
        self,
        input_callback: Callable[[int], object],
        output_callback: Callable[..., object],
        stream_count: int,
        model_idx: int = 0,
    ) -> None:
        """Start `stream_count` streams of a model.

        May be called again while streams run: the new streams get the next numbers.

        Parameters
        ----------
        input_callback : called with the stream's number for one frame of it: an ndarray, or a
            list or tuple of ndarray. None, StopIteration or an exception ends that stream.
        output_callback : called with the stream's number and the outputs of one frame.
        stream_count : how many streams, 1 or more.
        model_idx : the model the streams are for.

        Raises
        ------
        TypeError
            When a callback has the wrong number of parameters, or the count is no integer.
        ValueError
            When the count is not positive.
        IndexError
            When there is no model of that number.
        """
        _check_streams(input_callback, output_callback, stream_count)
        model = self._program.model(model_idx)

        def deliver(stream_idx: int, outputs: list[np.ndarray[Any, Any]]) -> None:
            output_callback(stream_idx, *outputs)

        def feeders(first: int) -> list[Feeder]:
            numbers = range(first, first + stream_count)
            return [Feeder(i, stream_source(input_callback, i), deliver) for i in numbers]

        with self._runs_lock:
            run = self._run_of(model, self._workers)
            if not run.feed(feeders(len(run.feeders))):
                run = self._new_run(model, self._workers)
                run.feed(feeders(0))
        run.drain(deliver)

    def _check_connected(self, model: Model, run: Flow | None) -> None:
        if run is None or not run.feeders:
            raise UnconnectedPortError(
                f"model {model.index} ({model.name}) has no streams; "
                f"call connect_streams(..., model_idx={model.index}) before wait",
                model_idx=model.index,
            )


def _check_streams(
    input_callback: Callable[..., object], output_callback: Callable[..., object], count: object
) -> None:
    if not isinstance(count, int):
        raise OptionTypeError(f"stream_count is an integer, not {count!r}")
    if count < 1:
        raise InvalidArgumentError(f"stream_count is 1 or more, not {count}")
    if parameter_count(input_callback) not in (1, None):
        raise CallbackTypeError(
            "input_callback is called with one argument, the number of the stream; "
            "give it exactly one parameter"
        )
    parameters = parameter_count(output_callback)
    if parameters is not None and parameters < 2:
        raise CallbackTypeError(
            "output_callback is called with the number of the stream and the outputs; "
            "give it two or more parameters, for example (stream_idx, *outputs)"
        )
