"""Which features of a camera change with which, by the XML in which it describes itself."""

from collections.abc import Mapping
from xml.etree import ElementTree

__all__ = ("affected_features",)

_NAMES_NO_FEATURE = ("pFeature", "pPort", "pEventID")


def affected_features(description: bytes) -> Mapping[str, frozenset[str]]:
    """Return, by name, the nodes whose value, limits or access may change with each node.

    Parameters
    ----------
    description : the XML; nothing is known of one that cannot be read.
    """
    try:
        # in the driver's own process, from a camera that was given control over it anyway
        root = ElementTree.fromstring(description)  # noqa: S314
    except ElementTree.ParseError:
        return {}
    changes: dict[str, set[str]] = {}
    for node in root.iter():
        name = node.get("Name")
        for part in node if name else ():
            tag, text = part.tag.rpartition("}")[2], (part.text or "").strip()
            if not name or not text or not tag.startswith("p") or tag in _NAMES_NO_FEATURE:
                continue
            cause, effect = (name, text) if tag == "pSelected" else (text, name)
            changes.setdefault(cause, set()).add(effect)
            if tag == "pValue":  # what sets a node sets the node behind it
                changes.setdefault(name, set()).add(text)
    return {name: _reachable(name, changes) for name in changes}


def _reachable(name: str, changes: Mapping[str, set[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for effect in changes.get(waiting.pop(), ()):
            if effect not in found:
                found.add(effect)
                waiting.append(effect)
    return frozenset(found - {name})
