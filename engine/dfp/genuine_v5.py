"""Reads DFP files of MemryX of version 5: fields one behind the other."""

import msgspec

from engine.dfp.byte_reader import ByteReader, damaged_at
from engine.dfp.genuine import GenuinePort, GenuineProgram, Hpoc, RangeConvert
from engine.dfp.genuine_checks import (
    PlacedPort,
    check_ports,
    check_shape,
    generation_name,
    packing_name,
    weight_bytes_of,
)

__all__ = ("read_v5",)

_BODY = 16
_ACTIVE = 0x80


def read_v5(data: bytes, source: str) -> GenuineProgram:
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
    size = ByteReader(data, source, begin=8)
    body_bytes = size.integer("u64", "the size of the first part")
    size.take(body_bytes, "the first part")
    hardware_bytes = size.integer("u64", "the size of the hardware part")
    hardware_at = size.offset
    size.take(hardware_bytes, "the hardware part")
    reader = ByteReader(data, source, begin=_BODY, end=_BODY + body_bytes)
    compiled = _short_text(reader, "the date")
    models = _models(reader)
    compiler = _short_text(reader, "the compiler's version")
    arguments = reader.text(reader.integer("u32", "a length"), "the compiler's arguments")
    chip_at = reader.offset
    chip = reader.integer("u8", "the hardware generation")
    chips = reader.integer("u8", "the number of chips")
    frequency = reader.integer("u16", "the clock")
    input_count = reader.integer("u8", "the number of input ports")
    output_count = reader.integer("u8", "the number of output ports")
    inputs = [_port(reader, is_input=True) for _ in range(input_count)]
    outputs = [_port(reader, is_input=False) for _ in range(output_count)]
    check_ports(inputs, outputs, len(models), source)
    return GenuineProgram(
        version=5,
        sub_version=0,
        models=models,
        compiled=compiled,
        compiler=compiler,
        compiler_args=_arguments(arguments),
        generation=chip & 15,
        chip_generation=generation_name(chip & 15, chip_at, source),
        num_chips=chips,
        towers=chip >> 4,
        frequency_mhz=frequency,
        inputs=tuple(port for port, _ in inputs),
        outputs=tuple(port for port, _ in outputs),
        simulator_bytes=reader.remaining,
        hardware_bytes=hardware_bytes,
        weight_bytes=weight_bytes_of(data, hardware_at, hardware_bytes, source),
        has_simulator=reader.remaining > 0,
        remarks=_remarks(size),
    )


def _models(reader: ByteReader) -> tuple[str, ...]:
    at = reader.offset
    total = reader.integer("u32", "the size of the models' names")
    if total > reader.remaining:
        raise damaged_at(
            reader.source, at, f"the models' names take {total} bytes, more than are left"
        )
    count = reader.integer("u8", "the number of models")
    return tuple(
        reader.text(reader.integer("u16", "a length"), "a model's name") for _ in range(count)
    )


def _port(reader: ByteReader, *, is_input: bool) -> PlacedPort:
    at = reader.offset
    head = reader.integer("u8", "a port")
    if not head & _ACTIVE:
        return PlacedPort(GenuinePort(head), at)
    port_set = reader.integer("u8", "a port's set")
    mpu = reader.integer("u8", "a port's chip")
    model = reader.integer("u8", "a port's model")
    layer = reader.text(reader.integer("u16", "a length"), "a port's name")
    code = reader.integer("u8", "a port's format")
    scaling = _range(reader) if is_input else RangeConvert()
    shape = _shape(reader, "a port's shape")
    hpoc = Hpoc() if is_input else _hpoc(reader)
    port = GenuinePort(
        port=head & ~_ACTIVE,
        is_active=True,
        port_set=port_set,
        mpu_id=mpu,
        model_index=model,
        layer_name=layer,
        packing_format=packing_name(code),
        packing_code=code,
        mxa_shape=shape,
        range_convert=scaling,
        hpoc=hpoc,
    )
    return PlacedPort(port, at)


def _range(reader: ByteReader) -> RangeConvert:
    is_enabled = bool(reader.integer("u8", "a port's scaling"))
    return RangeConvert(is_enabled, reader.real("a shift"), reader.real("a scale"))


def _shape(reader: ByteReader, what: str) -> tuple[int, ...]:
    at = reader.offset
    sizes = [reader.integer("u16", what) for _ in range(3)]
    shape = (*sizes, reader.integer("u32", what))
    check_shape(shape, what, at, reader.source)
    return shape


def _hpoc(reader: ByteReader) -> Hpoc:
    if not reader.integer("u8", "a port's extra channels"):
        return Hpoc()
    shape = _shape(reader, "the shape with extra channels")
    at = reader.offset
    count = reader.integer("u16", "the number of extra channels")
    channels = tuple(reader.integer("u16", "an extra channel") for _ in range(count))
    if any(channel >= shape[3] for channel in channels):
        raise damaged_at(
            reader.source, at, f"an extra channel is {max(channels)}, there are {shape[3]}"
        )
    return Hpoc(True, shape, channels)


def _short_text(reader: ByteReader, what: str) -> str:
    return reader.text(reader.integer("u8", "a length"), what)


def _arguments(text: str) -> dict[str, object]:
    """Return the compiler's arguments; text that is no JSON object is kept as it is."""
    try:
        return msgspec.json.decode(text, type=dict[str, object]) if text else {}
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return {"text": text}


def _remarks(reader: ByteReader) -> tuple[str, ...]:
    if not reader.remaining:
        return ()
    return (f"{reader.remaining} bytes from byte {reader.offset} on belong to nothing",)
