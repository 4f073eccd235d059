"""Runs genuine DFPs on MemryX cards.

Written against what is known of the vendor's runtime, versions 2.0 and 2.1, and tested with a
stand-in for it. Not yet run on a card.
"""

import hashlib
import re
import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import PluginUnavailableError, ProgramError, ProgramIncompatibleError
from engine.plugins.api import Device, DeviceTelemetry, ProbeReport, Session
from engine.plugins.mx3.session import Mx3Session
from engine.plugins.mx3.vendor import PACKAGE, is_vendor_installed, vendor_names, vendor_package
from engine.plugins.prerequisites import MEMRYX
from engine.plugins.tensors import first_sentence
from engine.protocol import TensorInfo

__all__ = ("Mx3Plugin",)

_UNTRIED = "not yet run on a card"
# The vendor tells utilization in words: below 20 %, 65 %, 92 %, and above.
_PRESSURE = {"low": 0.1, "medium": 0.4, "high": 0.8, "full": 1.0}
_COLDEST_C = -60.0  # below it is what a card shows that answers no more


_Which = tuple[str, tuple[int, ...]]


class _Opened(msgspec.Struct):
    """A program on the card, shared by the sessions of its models."""

    accl: Any
    users: int = 0


class Mx3Plugin:
    """MemryX MX3 cards; executes only what the vendor's compiler made."""

    key = "mx3"
    plugin_id = "3f9e2b70-0c3e-5d7a-b0a6-6f1d7c0b9e31"
    name = f"MemryX MX3 ({_UNTRIED})"
    precision = "bfloat16"
    lanes = 8  # frames under way at once that a card of four chips needs

    device_folder = Path("/dev")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[_Which, _Opened] = {}

    def probe(self) -> ProbeReport:
        """Look for the vendor's package and for cards."""
        if not is_vendor_installed():
            return ProbeReport(False, MEMRYX)
        with vendor_names():
            try:
                package = vendor_package()
            except PluginUnavailableError as error:
                return ProbeReport(False, error.message)
        told = _version_of(package)
        cards = self._cards()
        if not cards:
            where = self.device_folder / "memx0"
            return ProbeReport(
                False, f"there is no MemryX card: {where} does not exist; check the driver", told
            )
        devices = tuple(
            Device(number, "accelerator", f"MemryX MX3 {path.name} ({_UNTRIED})")
            for number, path in enumerate(cards)
        )
        return ProbeReport(True, version=told, devices=devices)

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Refuse an ONNX graph: cards execute what the vendor's compiler made.

        Raises
        ------
        ProgramIncompatibleError
            Always.
        """
        raise ProgramIncompatibleError(
            "an MX3 card executes only DFP files of its vendor's compiler; "
            "use such a file, or another plugin for this program",
            plugin=self.key,
        )

    def load_foreign(
        self,
        program: bytes,
        model_idx: int,
        inputs: tuple[TensorInfo, ...],
        outputs: tuple[TensorInfo, ...],
        device_ids: tuple[int, ...] = (0,),
    ) -> Session:
        """Load one model of a genuine DFP on one or several cards.

        Raises
        ------
        PluginUnavailableError
            When the vendor's package cannot be used.
        ProgramError
            When the vendor's runtime does not take the program, or no card answers.
        """
        which = (hashlib.sha256(program).hexdigest(), device_ids)
        with self._lock:
            opened = self._opened.get(which)
            if opened is None:
                opened = self._opened[which] = _Opened(_open(program, device_ids))
            opened.users += 1
        return Mx3Session(
            opened.accl, model_idx, inputs, outputs, lambda: self._give_back(which, opened)
        )

    def telemetry(self, device_index: int = 0) -> DeviceTelemetry:
        """Ask the vendor's runtime, which tells something while a program is loaded."""
        with self._lock:
            accl = next((one.accl for one in self._opened.values()), None)
        temperature = _number(accl, "get_temperature", device_index)
        power_mw = _number(accl, "get_avg_power", device_index)
        word = _ask(accl, "get_pressure", device_index)
        return DeviceTelemetry(
            utilization=_PRESSURE.get(word) if isinstance(word, str) else None,
            temperature_c=(
                temperature if temperature is not None and temperature > _COLDEST_C else None
            ),
            power_w=power_mw / 1000 if power_mw is not None and power_mw >= 0 else None,
        )

    def _cards(self) -> list[Path]:
        """Return the device files of the cards, one per card."""
        if not self.device_folder.is_dir():
            return []
        found = [p for p in self.device_folder.iterdir() if re.fullmatch(r"memx\d+", p.name)]
        return sorted(found, key=lambda path: int(path.name[4:]))

    def _give_back(self, which: _Which, opened: _Opened) -> None:
        with self._lock:
            opened.users -= 1
            if opened.users:
                return
            del self._opened[which]
        with vendor_names():
            opened.accl.shutdown()


def _open(program: bytes, device_ids: tuple[int, ...]) -> Any:  # noqa: ANN401 - the vendor's class
    with vendor_names():
        package = vendor_package()
        try:
            # It takes a path or a bytearray, and refuses bytes.
            return package.SyncAccl(bytearray(program), device_ids=list(device_ids))
        except Exception as error:
            raise ProgramError(
                f"the MemryX runtime did not take the program: {first_sentence(error)}; check "
                "that the card is there, its manager runs, and the program fits its chips",
                plugin=Mx3Plugin.key,
            ) from error


def _version_of(package: object) -> str:
    told = getattr(package, "__version__", None)
    if told is None:
        try:
            told = version(PACKAGE)
        except PackageNotFoundError:
            told = ""
    return f"memryx {told} on {sys.platform}".replace("  ", " ")


def _ask(accl: object, method: str, device_index: int) -> object:
    """Call one of the calls that only newer versions have."""
    call = getattr(accl, method, None)
    if call is None:
        return None
    try:
        answer: object = call(device_index)
    except Exception:  # noqa: BLE001 - the vendor's code; a sensor that fails tells nothing
        return None
    return answer


def _number(accl: object, method: str, device_index: int) -> float | None:
    answer = _ask(accl, method, device_index)
    return float(answer) if isinstance(answer, int | float) else None
