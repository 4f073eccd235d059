"""The hooks on their way to machines that do not have the user's files."""

import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.errors import InvalidArgumentError
from engine.runner._ray_codec import Parts, cloudpickle, parts_of
from engine.runner._worker import Hooks

__all__ = ("by_value", "by_value_no_more", "packed_cfg", "packed_hooks")

_INSTALLED = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))
_HOOKS = ("producer_init", "producer_work", "producer_end")


def by_value(hooks: type[Hooks]) -> list[ModuleType]:
    """Let the modules of the user's classes travel with what is sent, unless they are installed.

    Returns the modules that did not before, for `by_value_no_more`.
    """
    names = {kind.__module__ for kind in hooks.__mro__}
    found = [sys.modules[name] for name in names if name in sys.modules]
    known = cloudpickle.list_registry_pickle_by_value()
    added = [m for m in found if _is_the_users(m) and m.__name__ not in known]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    return added


def by_value_no_more(modules: list[ModuleType]) -> None:
    """Undo `by_value`."""
    for module in modules:
        if module.__name__ in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.unregister_pickle_by_value(module)


def packed_hooks(hooks: type[Hooks]) -> Parts:
    """Return the three hooks of the workers, pickled; those of the consumer stay here.

    Raises
    ------
    InvalidArgumentError : one of them uses something that cannot be pickled.
    """
    return _packed(tuple(getattr(hooks, name) for name in _HOOKS), hooks.__qualname__)


def packed_cfg(cfg: Any) -> Parts:  # noqa: ANN401 - any object may be a configuration
    """Return the configuration, pickled.

    Raises
    ------
    InvalidArgumentError : something in it cannot be pickled.
    """
    return _packed(cfg, "the configuration")


def _packed(value: Any, what: str) -> Parts:  # noqa: ANN401 - any object
    try:
        return parts_of(value)
    except Exception as error:
        raise InvalidArgumentError(
            f"{what} cannot be sent to the cluster: {error}; "
            "make in producer_init what cannot be pickled"
        ) from error


def _is_the_users(module: ModuleType) -> bool:
    """Whether other machines may not have the module: it is neither ours nor installed."""
    name, file = module.__name__, getattr(module, "__file__", None)
    if name.partition(".")[0] == "engine" or name == "__main__" or file is None:
        return False  # the pickler takes what is in __main__ by value in any case
    return not any(Path(file).is_relative_to(folder) for folder in _INSTALLED)
