"""The two runners people use."""

from engine.runner.base_runner import BaseRunner

__all__ = ("OrderedRunner", "UnorderedRunner")


class UnorderedRunner(BaseRunner):
    """A runner whose consumer gets results as soon as they are there, whatever their order."""


class OrderedRunner(BaseRunner):
    """A runner whose consumer gets results in the order of the input."""

    _is_ordered = True
