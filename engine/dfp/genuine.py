"""What is known of a DFP file of MemryX, which shares the suffix but not the format."""

import math
import struct

import msgspec

__all__ = (
    "GENERATIONS",
    "GenuinePort",
    "GenuineProgram",
    "Hpoc",
    "RangeConvert",
    "ShapeShift",
    "genuine_version",
    "packed_bytes",
)

GENERATIONS = {2: "Barton", 3: "Cascade", 4: "Cascade+", 5: "Detroit"}
"""Names of the hardware generations; MX3 is the fourth."""

_VERSION = struct.Struct("<Q")
_DICT = 1

Shape = tuple[int, ...]


class RangeConvert(msgspec.Struct, frozen=True):
    """How the hardware scales bytes that come in: ``(value + shift) * scale``."""

    is_enabled: bool = False
    shift: float = 0.0
    scale: float = 1.0


class Hpoc(msgspec.Struct, frozen=True):
    """High-precision output channels: the shape with them, and which channels are fillers."""

    is_enabled: bool = False
    shape: Shape = ()
    channels: tuple[int, ...] = ()


class ShapeShift(msgspec.Struct, frozen=True):
    """How the model's own shape becomes the port's.

    Attributes
    ----------
    inserted, squeezed : axes to add and to take away.
    operations : "reshape" or "transpose" that were taken out of the model, in order.
    operands : shape or order of axes of each operation.
    """

    inserted: tuple[int, ...] = ()
    squeezed: tuple[int, ...] = ()
    operations: tuple[str, ...] = ()
    operands: tuple[tuple[int, ...], ...] = ()


class GenuinePort(msgspec.Struct, frozen=True):
    """A port through which one tensor goes in or out.

    Attributes
    ----------
    port : its number within its direction.
    is_active : an inactive port has nothing but its number.
    port_set, mpu_id : the flow it belongs to and the chip that owns it.
    model_index : the model that it belongs to.
    layer_name : name of the tensor.
    packing_format, packing_code : how values are packed on the link, by name and by number.
    mxa_shape : height, width, depth, channels.
    raw_shape : the model's own shape, names of free axes as text; empty before version 6.1.
    raw_dtype, batch : the model's own value type and batch; "NA" and 0 when the file says nothing.
    """

    port: int
    is_active: bool = False
    port_set: int = 0
    mpu_id: int = 0
    model_index: int = 0
    layer_name: str = ""
    packing_format: str = ""
    packing_code: int = 0
    mxa_shape: Shape = ()
    range_convert: RangeConvert = RangeConvert()
    hpoc: Hpoc = Hpoc()
    batch: int = 0
    raw_dtype: str = "NA"
    raw_shape: tuple[int | str, ...] = ()
    shape_shift: ShapeShift = ShapeShift()

    @property
    def dtype(self) -> str:
        """What an array for this port holds: bytes for unscaled pictures, else float32."""
        is_picture = self.packing_format == "rgb888" and not self.range_convert.is_enabled
        return "uint8" if is_picture else "float32"


class GenuineProgram(msgspec.Struct, frozen=True):
    """The metadata of a DFP file of MemryX; weights and instructions stay closed.

    Attributes
    ----------
    version, sub_version : 5 or 6, and 1 for files that hold the models' own shapes.
    models : what each model was compiled from, mostly a path.
    compiled, compiler, compiler_args : when, by which version, with which arguments.
    generation, chip_generation : number and name of the hardware.
    num_chips, towers : how many chips it needs, and towers per chip.
    frequency_mhz : target clock; None when the file says nothing.
    inputs, outputs : all ports, inactive ones included.
    simulator_bytes, hardware_bytes, weight_bytes : sizes of the closed parts.
    has_simulator : whether the file can be simulated.
    is_1p2_compatible, uses_multigroup : flags of the format.
    remarks : oddities that do no harm, each a sentence.
    """

    version: int
    sub_version: int
    models: tuple[str, ...]
    compiled: str
    compiler: str
    compiler_args: dict[str, object]
    generation: int
    chip_generation: str
    num_chips: int
    towers: int
    frequency_mhz: int | None
    inputs: tuple[GenuinePort, ...]
    outputs: tuple[GenuinePort, ...]
    simulator_bytes: int
    hardware_bytes: int
    weight_bytes: int
    has_simulator: bool
    is_1p2_compatible: bool = True
    uses_multigroup: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def active_inputs(self) -> tuple[GenuinePort, ...]:
        """The input ports that carry something, by number."""
        return _active(self.inputs)

    @property
    def active_outputs(self) -> tuple[GenuinePort, ...]:
        """The output ports that carry something, by number."""
        return _active(self.outputs)


def genuine_version(data: bytes) -> int | None:
    """Return the format version (5 or 6) when the bytes begin like a DFP of MemryX, else None.

    Such a file begins with its version as 64-bit little-endian number; version 6 goes on with the
    type byte of a dictionary.
    """
    if len(data) <= _VERSION.size:
        return None
    version = int(_VERSION.unpack_from(data)[0])
    if version == 5 or (version == 6 and data[_VERSION.size] == _DICT):
        return version
    return None


def packed_bytes(port: GenuinePort) -> int | None:
    """Return how many bytes one frame of a port takes on the link; None for other formats."""
    height, width, depth, channels = port.hpoc.shape if port.hpoc.is_enabled else port.mxa_shape
    values = height * width * depth * channels
    blocks = width * depth * math.ceil(channels / 8) * 10
    sizes = {
        "fp32": 4 * values,
        "bf16": 2 * (values + values % 2),
        "gbf80": _padded(height * blocks),
        "gbf80_row": height * _padded(blocks),
    }
    return sizes.get(port.packing_format.replace("gbfloat80", "gbf80"))


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // 4) * 4


def _active(ports: tuple[GenuinePort, ...]) -> tuple[GenuinePort, ...]:
    return tuple(sorted((p for p in ports if p.is_active), key=lambda port: port.port))
