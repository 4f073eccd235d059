"""What the three accelerator classes share: an opened program on its devices."""

import copy
import logging
import operator
import threading
import time

from engine.accelerator._backend import Access, open_backend
from engine.accelerator._extra_model import load_extra_model
from engine.accelerator._flow import Flow, stop_flows
from engine.accelerator._genuine import entries_of
from engine.accelerator._model import Model
from engine.accelerator._pacer import Pacer
from engine.accelerator.errors import ExtraModelError, ModelIndexError
from engine.accelerator.options import ClientOptions, SchedulerOptions
from engine.dfp import Dfp, DfpSource
from engine.errors import ClosedError
from engine.lanes import DeviceLanes, LaneChannel, close_at_exit
from engine.plugins import DeviceTelemetry

__all__ = ("Program",)

log = logging.getLogger(__name__)


class Program:
    """A DFP whose models are loaded, with the lanes that execute them.

    Closed by its owner, or when the main thread ends. Holds no reference to the owner.

    Attributes
    ----------
    closing : set as soon as `close` begins.

    Raises
    ------
    ProgramError
        When the DFP cannot be used.
    DeviceNotFoundError
        When there is no device of one of the numbers.
    PluginUnavailableError
        When no plugin works here.
    BusyError
        When another process holds a device.
    """

    def __init__(
        self,
        dfp: DfpSource | Dfp,
        device_ids: list[int],
        use_model_shape: tuple[bool, bool],
        scheduler_options: SchedulerOptions,
        client_options: ClientOptions,
        access: Access,
    ) -> None:
        self.dfp = Dfp(dfp)
        self.device_ids = device_ids
        self.use_model_shape = use_model_shape
        self.scheduler_options = copy.copy(scheduler_options)
        self.client_options = copy.copy(client_options)
        self._lock = threading.Lock()
        self._is_closed = False
        self.closing = threading.Event()
        self._flows: list[Flow] = []
        self._backend = open_backend(
            self.dfp, device_ids, access, self.scheduler_options, self.client_options
        )
        try:
            loaded = zip(entries_of(self.dfp), self._backend.sessions, strict=True)
            self.models = [
                Model(index, entry, session, use_model_shape)
                for index, (entry, session) in enumerate(loaded)
            ]
            self._lanes = DeviceLanes(self._backend.lanes)
        except BaseException:
            self._backend.close()
            raise
        close_at_exit(self)

    @property
    def queue_size(self) -> int:
        """Frames of one model that may wait or be executed at once."""
        return max(1, self.scheduler_options.ifmap_queue_size)

    def model(self, model_idx: int) -> Model:
        """Return a model by number.

        Raises
        ------
        ModelIndexError
            When the program has no model of that number.
        ClosedError
            After `close`.
        """
        self.check_open()
        if model_idx not in range(len(self.models)):
            raise ModelIndexError(
                f"model_idx is 0 to {len(self.models) - 1} for this program, not {model_idx}",
                models=len(self.models),
            )
        return self.models[operator.index(model_idx)]

    def check_open(self) -> None:
        """Raise `ClosedError` after `close`."""
        if self._is_closed:
            raise ClosedError(
                "this accelerator was shut down and cannot be used any more; make a new one"
            )

    def open_channel(self, model: Model, depth: int) -> LaneChannel:
        """Open a way to the device for one model."""
        self.check_open()
        return self._lanes.open_channel(model.session, name=model.name, depth=depth)

    def open_flow(self, model: Model, *, keep_alive: object, workers: int = 0) -> Flow:
        """Open a run of one model, fed and drained by callbacks."""
        self.check_open()
        flow = Flow(
            self._lanes,
            model,
            depth=self.queue_size,
            pacer=self.new_pacer(),
            keep_alive=keep_alive,
            workers=workers,
        )
        with self._lock:
            self._flows = [known for known in self._flows if not known.has_ended] + [flow]
        return flow

    def new_pacer(self) -> Pacer:
        """Return what keeps the distance between results that the client's options ask for."""
        return Pacer(self.client_options)

    def telemetry(self, device_id: int) -> DeviceTelemetry | None:
        """Read the sensors of a device in use; None for any other device."""
        self.check_open()
        if device_id not in self.device_ids:
            return None
        return self._backend.telemetry(device_id)

    def set_extra_model(self, model: object, model_idx: int, kind: str) -> None:
        """Run a "pre" or "post" model on the host from the next frame on."""
        target = self.model(model_idx)
        if not self.use_model_shape[0 if kind == "pre" else 1]:
            side = "first" if kind == "pre" else "second"
            raise ExtraModelError(
                f"a {kind}-processing model works on the model's own shapes; "
                f"set the {side} value of use_model_shape to True"
            )
        extra = load_extra_model(model, kind, self._backend.host_plugin())
        if kind == "pre":
            target.pre = extra
        else:
            target.post = extra

    def close(self) -> None:
        """Stop all flows, end the lanes and let go of the models. Safe to call twice."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self.closing.set()
            flows, self._flows = self._flows, []
        begun = time.monotonic()
        stop_flows(flows)
        self._backend.interrupt()
        self._lanes.close()
        for model in self.models:
            model.close()
        self._backend.close()
        log.debug("program closed in %.3f s", time.monotonic() - begun)
