"""Streaming inference: a callback gives frames, another one takes results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.accelerator._backend import Access
from engine.accelerator._base import DeviceIds, StreamingAccl, accepts_group_id
from engine.accelerator._callbacks import call_source, parameter_count
from engine.accelerator._flow import Feeder, Flow
from engine.accelerator._model import Model
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.dfp import Dfp
from engine.errors import CallbackSignatureError, UnconnectedPortError

__all__ = ("AsyncAccl",)


class AsyncAccl(StreamingAccl):
    """Runs a program on a stream of frames, one input and one output callback per model.

    Callbacks of one model are never called twice at the same time; input and output callbacks,
    and those of different models, run at the same time. Results come in the order of the frames,
    one call per frame.

    Parameters
    ----------
    dfp : path, bytes or `Dfp` of the compiled program.
    device_ids : numbers of the devices to use.
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

    def connect_input(self, callback: Callable[[], object], model_idx: int = 0) -> None:
        """Start taking frames for a model from `callback`.

        Parameters
        ----------
        callback : called without arguments, again and again, for one frame each: an ndarray, or
            a list or tuple of ndarray. None, StopIteration or an exception ends the stream. It
            may also return an iterator or a generator, which then gives the frames.
        model_idx : the model the frames are for.

        Raises
        ------
        RuntimeError
            When `callback` has parameters.
        IndexError
            When there is no model of that number.
        """
        if parameter_count(callback):
            raise CallbackSignatureError(
                "an input callback is called without arguments, but this one has parameters; "
                "remove them, or bind them with functools.partial"
            )
        model = self._program.model(model_idx)
        source = call_source(callback)
        with self._runs_lock:
            run = self._run_of(model)
            before = run.feeders[-1] if run.feeders else None
            if not run.feed([Feeder(0, source)], instead_of=before):
                self._new_run(model).feed([Feeder(0, source)])

    def connect_output(self, callback: Callable[..., object], model_idx: int = 0) -> None:
        """Start delivering a model's results to `callback`.

        Parameters
        ----------
        callback : called once per frame with the outputs as arguments, in the order of the
            ports. The arrays belong to the callback.
        model_idx : the model whose results are delivered.

        Raises
        ------
        IndexError
            When there is no model of that number.
        """

        def deliver(_stream_idx: int, outputs: list[np.ndarray[Any, Any]]) -> None:
            callback(*outputs)

        model = self._program.model(model_idx)
        with self._runs_lock:
            run = self._run_of(model)
        run.drain(deliver)  # not locked: it may wait for the callback before

    def _check_connected(self, model: Model, run: Flow | None) -> None:
        if run is not None and run.feeders and run.has_output:
            return
        missing = "output" if run is not None and run.feeders else "input"
        raise UnconnectedPortError(
            f"the {missing} of model {model.index} ({model.name}) is not connected; "
            f"call connect_{missing}(callback, {model.index}) before wait",
            model_idx=model.index,
        )
