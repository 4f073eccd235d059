"""Runs when a child interpreter of a script starts, and serves the published modules there too.

Python imports the first ``sitecustomize`` it finds, so this one hands on to the next.
"""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ()

_HERE = str(Path(__file__).parent)
_ROOT = str(Path(__file__).parents[3])
# The engine's own processes that need the vendors' packages themselves, or no names at all.
_OWN = ("engine.plugins.", "engine.manager", "engine.service", "engine.drivers.", "engine.dfp.")


def _is_wanted() -> bool:
    """Tell whether this interpreter is of the script's environment and no process of ours."""
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1 :][:1] if "-m" in sys.orig_argv else []
    return os.environ.get("PENSTOCK_COMPAT") == sys.prefix and not (
        module and module[0].startswith(_OWN)
    )


def _serve_names() -> None:
    sys.path.insert(0, _ROOT)  # whatever folder called engine lies in the working folder
    try:
        importlib.import_module("engine.compat.install")
    except ImportError:
        return  # an interpreter without what the engine needs; the script's imports will say so
    finally:
        sys.path.remove(_ROOT)


def _hand_on() -> None:
    spec = PathFinder.find_spec("sitecustomize", [one for one in sys.path if one != _HERE])
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


if _is_wanted():
    _serve_names()
_hand_on()
