"""Reads DFP files of MemryX of version 6: one MxPack dictionary behind the version."""

from engine.dfp.byte_reader import ByteReader, damaged_at
from engine.dfp.genuine import GenuinePort, GenuineProgram, Hpoc, RangeConvert, ShapeShift
from engine.dfp.genuine_checks import (
    PlacedPort,
    check_ports,
    check_shape,
    generation_name,
    packing_name,
    weight_bytes_of,
)
from engine.dfp.mxpack import Value, decode_value
from engine.dfp.mxpack_fields import Fields

__all__ = ("read_v6",)

_U8, _U32, _U64 = 2**8 - 1, 2**32 - 1, 2**64 - 1
_I32 = 2**31
_AXES_LIMIT = 32


def read_v6(data: bytes, source: str) -> GenuineProgram:
    """Read everything but weights and instructions.

    Parameters
    ----------
    data : the whole file.
    source : what it is called in errors.

    Raises
    ------
    ProgramMalformedError
        When it is cut off or contradicts itself; ``details["offset"]`` says where.
    """
    reader = ByteReader(data, source, begin=8)
    top = Fields(decode_value(reader), "the file", source)
    remarks = []
    if reader.remaining:
        remarks.append(f"{reader.remaining} bytes from byte {reader.offset} on belong to nothing")
    models = top.texts("models")
    inputs = _ports(top, "inport_info", "num_inports")
    outputs = _ports(top, "outport_info", "num_outports")
    check_ports(inputs, outputs, len(models), source)
    simulated = top.table("sim_meta")
    generation = simulated.integer("intgen", 0, _U8)
    hardware = top.binary("hw_dfp")
    hardware_at = top.offset_of("hw_dfp") + 8
    simulator = top.table("sim_dfp") if "sim_dfp" in top else None
    has_simulator = simulator is not None and simulator.truth("enabled", default=False)
    return GenuineProgram(
        version=6,
        sub_version=top.integer("dfp_sub_version", 0, _U8, default=0),
        models=models,
        compiled=top.text("compile_timestamp", ""),
        compiler=top.text("compiler_version", ""),
        compiler_args=_plain_table(top.value("compiler_args")) if "compiler_args" in top else {},
        generation=generation,
        chip_generation=generation_name(generation, simulated.offset_of("intgen"), source),
        num_chips=simulated.integer("num_mpus", 1, _U8),
        towers=simulated.integer("towers", 0, _U32, default=0),
        frequency_mhz=top.integer("freq", 0, _U32) if "freq" in top else None,
        inputs=tuple(port for port, _ in inputs),
        outputs=tuple(port for port, _ in outputs),
        simulator_bytes=len(simulator.binary("data")) if simulator and "data" in simulator else 0,
        hardware_bytes=len(hardware),
        weight_bytes=weight_bytes_of(data, hardware_at, len(hardware), source),
        has_simulator=has_simulator,
        is_1p2_compatible=top.truth("1p2_compatible", default=True),
        uses_multigroup=top.truth("use_multigroup_loadbalance", default=False),
        remarks=tuple(remarks),
    )


def _ports(top: Fields, key: str, count_key: str) -> list[PlacedPort]:
    count = top.integer(count_key, 0, _U8)
    placed = [PlacedPort(_port(fields), fields.offset) for fields in top.tables(key)]
    if len(placed) != count:
        raise damaged_at(
            top.source,
            top.offset_of(key),
            f"{key} describes {len(placed)} ports, but {count_key} is {count}",
        )
    return placed


def _port(fields: Fields) -> GenuinePort:
    number = fields.integer("port", 0, _U8)
    if not fields.truth("active"):
        return GenuinePort(number)
    packing = fields.table("packing_format")
    code = packing.integer("as_int", 0, _U8)
    shape = fields.integers("mxa_shape", 0, _U32)
    check_shape(shape, f"{fields.where}.mxa_shape", fields.offset_of("mxa_shape"), fields.source)
    return GenuinePort(
        port=number,
        is_active=True,
        port_set=fields.integer("port_set", 0, _U8, default=0),
        mpu_id=fields.integer("mpu_id", 0, _U8, default=0),
        model_index=fields.integer("model_index", 0, _U8),
        layer_name=fields.text("layer_name"),
        packing_format=packing.text("name", packing_name(code)),
        packing_code=code,
        mxa_shape=shape,
        range_convert=_range(fields),
        hpoc=_hpoc(fields),
        batch=fields.integer("batch", 0, _U32, default=0),
        raw_dtype=fields.text("raw_dtype", "NA"),
        raw_shape=_raw_shape(fields),
        shape_shift=_shape_shift(fields),
    )


def _range(fields: Fields) -> RangeConvert:
    if "range_convert" not in fields:
        return RangeConvert()
    table = fields.table("range_convert")
    is_enabled = table.truth("enabled", default=False)
    return RangeConvert(is_enabled, table.real("shift", 0.0), table.real("scale", 1.0))


def _hpoc(fields: Fields) -> Hpoc:
    if "hpoc" not in fields:
        return Hpoc()
    table = fields.table("hpoc")
    if not table.truth("enabled", default=False):
        return Hpoc()
    shape = table.integers("shape", 0, _U32)
    check_shape(shape, f"{table.where}.shape", table.offset_of("shape"), table.source)
    return Hpoc(True, shape, table.integers("channels", 0, shape[3] - 1))


def _raw_shape(fields: Fields) -> tuple[int | str, ...]:
    """Return the sizes of a dictionary whose keys are the axes, "0", "1" and so on."""
    if "raw_shape" not in fields:
        return ()
    table = fields.table("raw_shape")
    count = len(table.keys())
    if count > _AXES_LIMIT or set(table.keys()) != {str(axis) for axis in range(count)}:
        raise damaged_at(
            table.source, table.offset, f"{table.where} does not list the axes 0, 1 and so on"
        )
    sizes: list[int | str] = []
    for axis in map(str, range(count)):
        is_text = isinstance(table.value(axis).content, str)
        sizes.append(table.text(axis) if is_text else table.integer(axis, 0, _U32))
    return tuple(sizes)


def _shape_shift(fields: Fields) -> ShapeShift:
    if "shape_shift_info" not in fields:
        return ShapeShift()
    table = fields.table("shape_shift_info")
    operands: list[tuple[int, ...]] = []
    if "folded_opshape" in table:
        for item in table.items("folded_opshape"):
            whole = Fields(Value(1, item.offset, {"shape": item}), table.where, table.source)
            operands.append(whole.integers("shape", -_I32, _I32))
    return ShapeShift(
        table.integers("+", -_I32, _I32),
        table.integers("-", -_I32, _I32),
        table.texts("folded_optype"),
        tuple(operands),
    )


def _plain_table(value: Value) -> dict[str, object]:
    """Return a dictionary of plain values; bytes become their length in words."""
    plain = _plain(value)
    return plain if isinstance(plain, dict) else {"": plain}


def _plain(value: Value) -> object:
    content = value.content
    if isinstance(content, dict):
        return {key: _plain(item) for key, item in content.items()}
    if isinstance(content, list):
        return [_plain(item) for item in content]
    return f"{len(content)} bytes" if isinstance(content, memoryview) else content
