"""Serves the published modules to ``import``."""

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from engine.compat.lookup import check_home, look_up, public_names
from engine.compat.names import FACADES, served_roots, submodules_of
from engine.errors import WrongStateError

__all__ = ("ENVIRONMENT", "SITE", "VendorNames", "install", "is_installed", "remove")

ENVIRONMENT = "PENSTOCK_COMPAT"
"""Holds the environment (``sys.prefix``) whose child interpreters serve the names as well."""

SITE = Path(__file__).parent / "site"
"""Folder whose ``sitecustomize`` installs the names in child interpreters."""

_ORIGIN = "served by Penstock"


class VendorNames(MetaPathFinder, Loader):
    """Finds and loads the published modules; each is an empty module that looks names up."""

    serves_vendor_names = True  # by which the mx3 plugin knows it, that needs the vendor's own

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a published module comes from; None for all other modules.

        Raises
        ------
        ModuleNotFoundError
            When it is below a module that is served, but is not served itself.
        """
        facade = FACADES.get(fullname)
        if facade is None:
            _refuse_below_served(fullname)
            return None
        if facade.is_shared and PathFinder.find_spec(fullname, path) is not None:
            return None
        is_package = bool(submodules_of(fullname))
        return ModuleSpec(fullname, self, origin=_ORIGIN, is_package=is_package)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave the making of the module to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its names; each is looked up when it is first asked for.

        Raises
        ------
        ImportError
            When the engine's package behind the module is not in this installation.
        """
        fullname = module.__name__
        check_home(fullname)

        def get(name: str) -> object:
            if name.startswith("__") and name not in FACADES[fullname].constants:
                if name == "__all__":
                    return public_names(fullname)
                raise AttributeError(f"module {fullname!r} has no {name}")
            found = look_up(fullname, name)
            setattr(module, name, found)
            return found

        module.__doc__ = f"{fullname}, served by Penstock."
        vars(module)["__getattr__"] = get
        vars(module)["__dir__"] = lambda: sorted({*vars(module), *public_names(fullname)})


def install(*, for_children: bool = True) -> None:
    """Serve the published modules in this process. Safe to call twice.

    Parameters
    ----------
    for_children : child interpreters serve them as well.

    Raises
    ------
    WrongStateError
        When one of the original packages was imported before.
    """
    if not is_installed():
        _refuse_imported_before()
        sys.meta_path.insert(0, VendorNames())
    if for_children:
        os.environ[ENVIRONMENT] = sys.prefix
        rest = _python_path_without_site()
        os.environ["PYTHONPATH"] = os.pathsep.join([str(SITE), *rest])


def is_installed() -> bool:
    """Whether this process serves the published modules."""
    return any(isinstance(finder, VendorNames) for finder in sys.meta_path)


def remove() -> None:
    """Stop serving the published modules, here and in later child interpreters."""
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, VendorNames)]
    for name, module in list(sys.modules.items()):
        if isinstance(getattr(module, "__loader__", None), VendorNames):
            del sys.modules[name]
    if os.environ.pop(ENVIRONMENT, None) is not None:
        rest = os.pathsep.join(_python_path_without_site())
        if rest:
            os.environ["PYTHONPATH"] = rest
        else:
            os.environ.pop("PYTHONPATH", None)


def _python_path_without_site() -> list[str]:
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [entry for entry in given if entry and entry != str(SITE)]


def _refuse_imported_before() -> None:
    for root in served_roots():
        if root in sys.modules and not FACADES[root].is_shared:
            raise WrongStateError(
                f"{root} was imported before Penstock serves that name; "
                "put 'import engine.compat.install' above all other imports",
                module=root,
            )


def _refuse_below_served(fullname: str) -> None:
    parent = fullname.rpartition(".")[0]
    facade = FACADES.get(parent)
    if facade is None or facade.is_shared:
        return
    module = sys.modules.get(parent)
    if module is None or not isinstance(getattr(module, "__loader__", None), VendorNames):
        return
    below = ", ".join(submodules_of(parent)) or "nothing"
    raise ModuleNotFoundError(
        f"Penstock serves {parent} without {fullname}; below it there is {below}", name=fullname
    )
