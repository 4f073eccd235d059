"""Errors of MemryX's tools that nothing in the engine stands for; scripts catch them by name."""

from engine.errors import EngineError

__all__ = ("OperatorError", "ResourceError", "SimulatorError")


class OperatorError(EngineError):
    """The compiler does not know an operator of the model; `op_name` says which."""

    code = "memryx_operator"

    @property
    def op_name(self) -> str:
        """Name of the operator, empty when nobody said."""
        return str(self.details.get("op_name", ""))


class ResourceError(EngineError):
    """The model needs more of a device than there is."""

    code = "memryx_resource"


class SimulatorError(EngineError):
    """A simulated device failed."""

    code = "memryx_simulator"
