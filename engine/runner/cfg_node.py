"""A dictionary whose entries are attributes too: what the hooks of a runner get as ``cfg``."""

from collections.abc import Mapping
from typing import Any, Self

from engine.errors import WrongStateError

__all__ = ("CfgNode", "as_cfg")


class CfgNode(dict[str, Any]):
    """A dictionary with its entries as attributes; dictionaries inside become nodes as well.

    Parameters
    ----------
    init_dict : first entries; copied, its inner dictionaries too, other values are shared.
    """

    def __init__(self, init_dict: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        for key, value in (init_dict or {}).items():
            self[key] = value

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the user's values
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this configuration has no entry {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - the user's values
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(f"this configuration has no entry {name!r}")
        del self[name]

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401 - the user's values
        self._check_open(key)
        super().__setitem__(key, CfgNode(value) if type(value) is dict else value)

    def __delitem__(self, key: str) -> None:
        self._check_open(key)
        super().__delitem__(key)

    def __repr__(self) -> str:
        return f"CfgNode({super().__repr__()})"

    @property
    def is_frozen(self) -> bool:
        """Whether entries may not be changed now."""
        return bool(self.__dict__.get("_is_frozen", False))

    def freeze(self, frozen: bool = True) -> None:
        """Forbid (or allow again) to change entries, here and in the nodes inside."""
        self.__dict__["_is_frozen"] = frozen
        for value in self.values():
            if isinstance(value, CfgNode):
                value.freeze(frozen)

    def copy(self) -> Self:
        """Return a copy that may be changed; nodes inside are copied too, other values shared."""
        node = type(self)()
        for key, value in self.items():
            node[key] = value.copy() if isinstance(value, CfgNode) else value
        return node

    def merge(self, cfg: Mapping[str, Any]) -> None:
        """Take over the entries of another configuration, node by node."""
        for key, value in cfg.items():
            mine = self.get(key)
            if isinstance(mine, CfgNode) and isinstance(value, Mapping):
                mine.merge(value)
            else:
                self[key] = value

    def _check_open(self, key: str) -> None:
        if self.is_frozen:
            raise WrongStateError(
                f"entry {key!r} cannot be changed: the configuration is frozen; "
                "call freeze(False), or change a copy"
            )


def as_cfg(cfg: Any) -> Any:  # noqa: ANN401 - any object may be a configuration
    """Return what the hooks get for the user's `cfg`: a node for a dictionary, else the object."""
    if cfg is None or type(cfg) is dict:
        return CfgNode(cfg)
    return cfg.copy() if isinstance(cfg, CfgNode) else cfg
