"""Which names the published modules have, and where in the engine they are.

The table is text: nothing is imported before a script asks for it, and a package that is added to
the engine later is found without a change here.
"""

import dataclasses
from collections.abc import Mapping

__all__ = ("FACADES", "Facade", "served_roots", "submodules_of")


@dataclasses.dataclass(frozen=True)
class Facade:
    """One published module.

    Attributes
    ----------
    names : where each of its names is: "module" of the engine for the same name, or
        "module:attribute" for another one.
    everything_of : module of the engine all of whose public names it has.
    is_shared : a parent package of which only parts are served; an installed one goes first.
    constants : names with plain values.
    """

    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    everything_of: str = ""
    is_shared: bool = False
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _same(home: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, home)


_OPTIONS = _same("engine.accelerator", "ClientOptions", "SchedulerOptions")
_CLASSES = _same("engine.accelerator", "AsyncAccl", "MultiStreamAsyncAccl", "SyncAccl")
_TOOLS = _same("engine.dfp", "Dfp", "NeuralCompiler")
_BENCH = _same("engine.accelerator", "Benchmark", "Simulator")
_ERRORS = _same("engine.compat.memryx_errors", "OperatorError", "ResourceError", "SimulatorError")
_ERRORS |= {
    "CompilerError": "engine.errors:ProgramCompileError",
    "MxaError": "engine.errors:DeviceError",
    "UtilityError": "engine.errors:ProgramError",
}
_RUNNERS = _same("engine.runner", "BaseRunner", "OrderedRunner", "UnorderedRunner")
_SHARED = Facade(is_shared=True)

FACADES: dict[str, Facade] = {
    # The version says whose interface it is, not which Penstock this is.
    "memryx": Facade(
        {**_CLASSES, **_OPTIONS, **_TOOLS, **_BENCH}, constants={"__version__": "2.1.0"}
    ),
    "memryx.accl": Facade({**_CLASSES, **_OPTIONS}),
    "memryx.errors": Facade(_ERRORS),
    "memryx.runtime": Facade({**_CLASSES, **_OPTIONS, **_same("engine.dfp", "Dfp")}),
    "memryx.runtime.accl": Facade({**_CLASSES, **_OPTIONS}),
    "memryx.runtime.dfp": Facade(_same("engine.dfp", "Dfp")),
    "fluxEngine": Facade(everything_of="engine.handle"),
    "easycore": _SHARED,
    "easycore.common": _SHARED,
    "easycore.common.config": Facade(_same("engine.runner", "CfgNode"), is_shared=True),
    "easycore.common.parallel": Facade(_RUNNERS),
    "easycore.common.parallel.engine": Facade(_RUNNERS),
    "easycore.torch": _SHARED,
    "easycore.torch.parallel": Facade(_RUNNERS),
    "easycore.torch.parallel.engine": Facade(_RUNNERS),
    "concurrentbuffer": Facade(),
    "concurrentbuffer.commander": Facade(_same("engine.buffer", "Commander")),
    "concurrentbuffer.factory": Facade(
        _same("engine.buffer", "BufferFactory", "create_buffer_factory")
    ),
    "concurrentbuffer.info": Facade(_same("engine.buffer", "BufferInfo")),
    "concurrentbuffer.iterator": Facade(
        _same("engine.buffer", "BufferIterator", "buffer_iterator_factory")
    ),
    "concurrentbuffer.producer": Facade(_same("engine.buffer", "Producer")),
    "concurrentbuffer.state": Facade(_same("engine.buffer", "BufferState")),
    "concurrentbuffer.system": Facade(_same("engine.buffer", "BufferSystem")),
    "pynitride": _SHARED,
    "pynitride.core": _SHARED,
    "pynitride.core.machine": Facade(everything_of="engine.machine"),
}


def submodules_of(module: str) -> list[str]:
    """Return the full names of the modules directly below one."""
    return [name for name in FACADES if name.rpartition(".")[0] == module]


def served_roots() -> list[str]:
    """Return the top-level names that are served as a whole or in part."""
    return [name for name in FACADES if "." not in name]
