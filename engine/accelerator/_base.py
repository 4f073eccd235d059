"""What the three accelerator classes have in common."""

import functools
import inspect
import numbers
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, Self, TypeVar

from engine.accelerator._backend import Access
from engine.accelerator._flow import Flow, stop_flows
from engine.accelerator._model import Model
from engine.accelerator._program import Program
from engine.accelerator._telemetry import average_power_mw, pressure_word, temperature_c
from engine.accelerator.errors import OptionTypeError
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.dfp import Dfp
from engine.errors import InvalidArgumentError, WrongStateError

__all__ = ("Accl", "DeviceIds", "DfpArgument", "StreamingAccl", "accepts_group_id")

DfpArgument = str | Path | bytes | bytearray | memoryview | Dfp
DeviceIds = list[int] | int
_CHIP_GENERATION = 3.1

_Owner = TypeVar("_Owner")


def accepts_group_id(
    init: Callable[Concatenate[_Owner, ...], None],
) -> Callable[Concatenate[_Owner, ...], None]:
    """Accept what older versions of the API took, with a deprecation warning.

    ``group_id`` is the old name of ``device_ids``; ``chip_gen`` chooses nothing here.
    """
    known = inspect.signature(init).parameters

    @functools.wraps(init)
    def wrapper(self: _Owner, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - any call
        if "group_id" in kwargs:
            warnings.warn(
                "group_id is called device_ids now; rename the argument",
                DeprecationWarning,
                stacklevel=2,
            )
            kwargs["device_ids"] = kwargs.pop("group_id")
        if "chip_gen" in kwargs and "chip_gen" not in known:
            warnings.warn(
                "chip_gen has no meaning any more; leave the argument out",
                DeprecationWarning,
                stacklevel=2,
            )
            del kwargs["chip_gen"]
        init(self, *args, **kwargs)

    return wrapper


class Accl:
    """A program on devices: its models, its ports, and how it ends.

    Attributes
    ----------
    models : the program's models; each has `input` and `output` with `port_assignment`,
        `port_count`, `port_ids` and `port_spec`.
    """

    def __init__(
        self,
        dfp: DfpArgument,
        device_ids: DeviceIds | Sequence[int],
        use_model_shape: Sequence[bool],
        access: Access,
        options: tuple[SchedulerOptions, ClientOptions],
    ) -> None:
        devices = _check_devices(device_ids)
        if access.local_mode and len(devices) > 1:
            raise WrongStateError(
                f"local mode uses one device, but {len(devices)} were given; "
                "give one device, or leave local_mode out"
            )
        wants_own, gives_own = _check_shapes(use_model_shape)
        self._program = Program(dfp, devices, (wants_own, gives_own), *options, access)
        # The program, not this object, is what the finalizer keeps alive.
        self._finalizer = weakref.finalize(self, self._program.close)
        self._finalizer.atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    @property
    def models(self) -> list[Model]:
        """The program's models, in the order of their numbers."""
        return list(self._program.models)

    @property
    def input_port_ids(self) -> list[int]:
        """Numbers of the input ports of all models."""
        return [port for model in self._program.models for port in model.input.port_ids]

    @property
    def output_port_ids(self) -> list[int]:
        """Numbers of the output ports of all models."""
        return [port for model in self._program.models for port in model.output.port_ids]

    @property
    def device_ids(self) -> list[int]:
        """Numbers of the devices in use, each once."""
        return list(self._program.device_ids)

    @property
    def group_id(self) -> int:
        """The first device in use; what one device was called before there were several."""
        return self._program.device_ids[0]

    @property
    def mpu_count(self) -> int:
        """How many chips the program occupies; a processor counts as one."""
        return 1

    @property
    def chip_gen(self) -> float:
        """Generation of the accelerators whose API this is."""
        return _CHIP_GENERATION

    def inport_assignment(self, model_idx: int = 0) -> dict[int, str]:
        """Return the names of a model's inputs by port number, in ascending order.

        Raises
        ------
        IndexError
            When there is no model of that number.
        """
        return dict(self._program.model(model_idx).input.port_assignment)

    def outport_assignment(self, model_idx: int = 0) -> dict[int, str]:
        """Return the names of a model's outputs by port number, in ascending order.

        Raises
        ------
        IndexError
            When there is no model of that number.
        """
        return dict(self._program.model(model_idx).output.port_assignment)

    def get_pressure(self, device_id: int) -> str:
        """Return how busy a device in use is: "low", "medium", "high", "full", or "N/A".

        Below 20 %, 65 % and 92 % of its time since the call before, and above; "N/A" when the
        device does not measure it, or is not in use here.
        """
        return pressure_word(self._program.telemetry(device_id))

    def get_temperature(self, device_id: int) -> float:
        """Return the temperature of a device in use in degrees Celsius; NaN when nobody knows."""
        return temperature_c(self._program.telemetry(device_id))

    def get_avg_power(self, device_id: int) -> float:
        """Return the mean power of a device in use, in milliwatts, since the call before.

        It is -3000 when the device does not measure it, -1 when the device is not in use here.
        """
        return average_power_mw(self._program.telemetry(device_id))

    def set_preprocessing_model(self, model_or_path: object, model_idx: int = 0) -> None:
        """Run an ONNX model on the host over every frame before it goes to the device.

        Parameters
        ----------
        model_or_path : path of an ``.onnx`` file, the bytes of one, or an ONNX model object.
        model_idx : the model whose input is prepared.

        Raises
        ------
        RuntimeError
            When there is no model, it does not load, or works on batches.
        ValueError
            When the file is not an ``.onnx`` file.
        """
        self._program.set_extra_model(model_or_path, model_idx, "pre")

    def set_postprocessing_model(self, model_or_path: object, model_idx: int = 0) -> None:
        """Run an ONNX model on the host over the outputs of every frame.

        Its inputs are joined with the program's outputs by name; outputs it has no input for are
        passed through, in front.

        Parameters
        ----------
        model_or_path : path of an ``.onnx`` file, the bytes of one, or an ONNX model object.
        model_idx : the model whose output is processed.

        Raises
        ------
        RuntimeError
            When there is no model, it does not load, or works on batches.
        ValueError
            When the file is not an ``.onnx`` file.
        """
        self._program.set_extra_model(model_or_path, model_idx, "post")

    def shutdown(self) -> None:
        """Stop everything and free the device; the object cannot be used afterwards.

        Safe to call twice, from any thread, and from a callback.
        """
        self._finalizer()


class StreamingAccl(Accl):
    """An accelerator that calls callbacks in threads of its own."""

    def __init__(
        self,
        dfp: DfpArgument,
        device_ids: DeviceIds | Sequence[int],
        use_model_shape: Sequence[bool],
        access: Access,
        options: tuple[SchedulerOptions, ClientOptions],
    ) -> None:
        self._runs: dict[int, Flow] = {}
        self._runs_lock = threading.Lock()
        super().__init__(dfp, device_ids, use_model_shape, access, options)

    def stop(self) -> None:
        """Stop all models at once, dropping frames under way.

        No callback begins after this returned. A callback that is running gets up to a second
        to return. May be called from anywhere, callbacks included, and any number of times.
        """
        stop_flows(self._current_runs())

    def wait(self) -> None:
        """Wait until all streams have ended and every result was delivered.

        An interrupt from the keyboard stops all models, and the call returns.

        Raises
        ------
        RuntimeError
            When an input or an output of a model was never connected.
        BaseException
            What a callback raised, or what was wrong with a frame; also when called again.
        """
        try:
            flows = self._wait()
        except KeyboardInterrupt:
            self.stop()
            return
        for flow in flows:
            if flow.errors:
                raise flow.errors[0]

    def _wait(self) -> list[Flow]:
        self._program.check_open()
        for model in self._program.models:
            run = self._runs.get(model.index)
            if run is None or not run.is_stopped:
                self._check_connected(model, run)
        flows = self._current_runs()
        for flow in flows:
            flow.wait()
        return flows

    def _current_runs(self) -> list[Flow]:
        with self._runs_lock:
            return [self._runs[index] for index in sorted(self._runs)]

    def _run_of(self, model: Model, workers: int = 0) -> Flow:
        """Return the run that callbacks connect to: the current one until it has ended."""
        run = self._runs.get(model.index)
        if run is None or run.has_ended:
            return self._new_run(model, workers)
        return run

    def _new_run(self, model: Model, workers: int = 0) -> Flow:
        run = self._program.open_flow(model, keep_alive=self, workers=workers)
        self._runs[model.index] = run
        return run

    def _check_connected(self, model: Model, run: Flow | None) -> None:
        """Raise `UnconnectedPortError` when `wait` would wait for ever."""
        raise NotImplementedError


def _check_devices(device_ids: DeviceIds | Sequence[int]) -> list[int]:
    """Return the device numbers, each once, in the order given."""
    given: list[Any] = (
        list(device_ids) if isinstance(device_ids, list | tuple | set) else [device_ids]
    )
    if not given:
        raise InvalidArgumentError("device_ids is empty; name at least one device, for example [0]")
    for device_id in given:
        if not isinstance(device_id, numbers.Integral) or int(device_id) < 0:
            raise OptionTypeError(
                f"device_ids holds {device_id!r}; devices are numbered 0, 1, 2 and so on"
            )
    return list(dict.fromkeys(int(device_id) for device_id in given))


def _check_shapes(use_model_shape: object) -> tuple[bool, bool]:
    if not isinstance(use_model_shape, list | tuple) or len(use_model_shape) != 2:
        raise InvalidArgumentError(
            f"use_model_shape is two truth values (input, output), not {use_model_shape!r}"
        )
    return bool(use_model_shape[0]), bool(use_model_shape[1])
