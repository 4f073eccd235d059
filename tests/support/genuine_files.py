"""Writes DFP files of MemryX as far as their format is known, to test the inspector with."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

KEY_BYTES = 64


class Raw:
    """A value whose type and content are given as bytes."""

    def __init__(self, kind: int, content: bytes) -> None:
        self.kind, self.content = kind, content


class Array(list[Any]):
    """A list that is written as an array."""


def packed(value: Any) -> bytes:
    """Return a value with its type byte."""
    return bytes([_kind(value)]) + _content(value)


def _kind(value: Any) -> int:
    if isinstance(value, Raw):
        return value.kind
    if isinstance(value, bool):
        return 0x70
    if isinstance(value, int):
        return _integer(value)[0]
    for kind, code in ((Mapping, 0x01), (Array, 0xA2), (list, 0x02), (bytes, 0x03), (float, 0x50)):
        if isinstance(value, kind):
            return code
    return 0x60 if value.isascii() else 0x61


def _content(value: Any) -> bytes:
    if isinstance(value, Raw):
        return value.content
    if isinstance(value, int):
        return _integer(int(value))[1]
    if isinstance(value, float):
        return struct.pack("<f", value)
    if isinstance(value, bytes):
        return struct.pack("<Q", len(value)) + value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        entries = [key.encode().ljust(KEY_BYTES, b"\0") + packed(v) for key, v in value.items()]
        return struct.pack("<I", len(entries)) + b"".join(entries)
    return _list(value)


def _text(value: str) -> bytes:
    if value.isascii():
        return struct.pack("<I", len(value) + 1) + value.encode() + b"\0"
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _integer(value: int, least: int = 0, most: int = 0) -> tuple[int, bytes]:
    """Write a number in the smallest width that holds it (and the limits of its list)."""
    low, high = min(value, least), max(value, most)
    for code, layout, bits in ((0x10, "b", 8), (0x20, "h", 16), (0x30, "i", 32), (0x40, "q", 64)):
        if low < 0 and low >= -(2 ** (bits - 1)) and high < 2 ** (bits - 1):
            return code + 1, struct.pack(f"<{layout}", value)
        if low >= 0 and high < 2**bits:
            return code, struct.pack(f"<{layout.upper()}", value)
    raise ValueError(value)


def _list(values: Sequence[Any]) -> bytes:
    if not values:
        return struct.pack("<BI", 0, 0)
    if isinstance(values[0], int) and not isinstance(values[0], bool):
        items = [_integer(value, min(values), max(values)) for value in values]
        return struct.pack("<BI", items[0][0], len(items)) + b"".join(item[1] for item in items)
    return struct.pack("<BI", _kind(values[0]), len(values)) + b"".join(map(_content, values))


def hardware(weights: bytes = b"weights!", registers: bytes = b"regs") -> bytes:
    """Return the closed part: weights and registers."""
    return (
        struct.pack("<I", len(weights))
        + weights
        + struct.pack("<BI", 1, len(registers))
        + registers
    )


def port(number: int, name: str, shape: Sequence[int], **more: Any) -> dict[str, Any]:
    """Return an active port as a version 6 file describes it."""
    return {
        "port": number,
        "active": True,
        "port_set": 0,
        "mpu_id": 0,
        "model_index": 0,
        "layer_name": name,
        "packing_format": {"name": "bf16", "as_int": 4},
        "mxa_shape": list(shape),
    } | more


def raw(*sizes: int | str, dtype: str = "float32", **shift: Any) -> dict[str, Any]:
    """Return what version 6.1 adds to a port."""
    info = {"+": [], "-": [0], "folded_optype": [], "folded_opshape": []} | shift
    shape = {str(axis): size for axis, size in enumerate(sizes)}
    return {"batch": 1, "raw_dtype": dtype, "raw_shape": shape, "shape_shift_info": info}


def v6_fields(**changes: Any) -> dict[str, Any]:
    """Return the fields of a classifier; a change of None takes a field away."""
    inputs = changes.pop(
        "inport_info",
        [
            port(
                0,
                "image",
                (224, 224, 1, 3),
                **raw(1, 3, 224, 224),
                range_convert={"enabled": False},
            )
        ],
    )
    outputs = changes.pop(
        "outport_info",
        [port(0, "scores", (1, 1, 1, 1000), **raw(1, 1000), hpoc={"enabled": False})],
    )
    fields: dict[str, Any] = {
        "models": ["/models/mobilenet.onnx"],
        "compile_timestamp": "2025-10-31 12:00:00",
        "compiler_version": "2.1.0",
        "compiler_args": {"num_chips": 4, "autocrop": True, "inputs": "", "effort": "normal"},
        "dfp_sub_version": 1,
        "use_multigroup_loadbalance": False,
        "freq": 600,
        "num_inports": len(inputs) if isinstance(inputs, list) else 1,
        "num_outports": len(outputs),
        "sim_meta": {"intgen": 4, "num_mpus": 4, "towers": 8},
        "sim_dfp": {"enabled": True, "data": b"simulator"},
        "hw_dfp": hardware(),
        "inport_info": inputs,
        "outport_info": outputs,
    }
    return {key: value for key, value in (fields | changes).items() if value is not None}


def v6_file(**changes: Any) -> bytes:
    """Return a version 6 file; keywords replace top-level fields."""
    return struct.pack("<Q", 6) + packed(v6_fields(**changes))


def two_model_file() -> bytes:
    """Return a version 6.1 file with two models whose ports are interleaved and named anew."""
    return v6_file(
        models=["a.onnx", "b.onnx"],
        inport_info=[
            port(0, "wide", (4, 4, 1, 3), model_index=1, **raw(1, 3, 4, 4)),
            {"port": 1, "active": False},
            port(2, "flat", (1, 1, 1, 5), **raw("N", 5)),
        ],
        outport_info=[
            port(0, "late", (1, 1, 1, 7), **raw(1, 7)),
            port(1, "early", (4, 4, 1, 3), model_index=1, **raw(1, 3, 4, 4)),
            port(3, "other", (1, 1, 1, 5), **raw(1, 5)),
        ],
    )


def v5_port(number: int, name: str, shape: Sequence[int], code: int, *, is_input: bool) -> bytes:
    """Return an active port as a version 5 file describes it."""
    text = name.encode()
    head = struct.pack("<BBBBH", 0x80 | number, 0, 1, 0, len(text)) + text + bytes([code])
    scaling = struct.pack("<Bff", 0, 0.0, 1.0) if is_input else b""
    end = b"" if is_input else struct.pack("<B", 0)
    return head + scaling + struct.pack("<HHHI", *shape) + end


def v5_file(
    *,
    inputs: Sequence[bytes] | None = None,
    outputs: Sequence[bytes] | None = None,
    chip: int = 0x84,
    arguments: str = '{"num_chips": 4}',
    models: Sequence[str] = ("models/mobilenet.h5",),
    tail: bytes = b"simulator",
) -> bytes:
    """Return a version 5 file of a classifier that takes bytes."""
    if inputs is None:
        inputs = [v5_port(0, "image", (224, 224, 1, 3), 2, is_input=True), b"\x01"]
    if outputs is None:
        outputs = [v5_port(0, "scores", (1, 1, 1, 1000), 4, is_input=False)]
    names = [name.encode() for name in models]
    body = b"".join(
        [
            b"\x0a2024-09-01",
            struct.pack("<IB", sum(map(len, names)), len(names)),
            *(struct.pack("<H", len(name)) + name for name in names),
            b"\x051.0.0",
            struct.pack("<I", len(arguments)) + arguments.encode(),
            struct.pack("<BBH", chip, 4, 600),
            struct.pack("<BB", len(inputs), len(outputs)),
            *inputs,
            *outputs,
            tail,
        ]
    )
    closed = hardware()
    return struct.pack("<QQ", 5, len(body)) + body + struct.pack("<Q", len(closed)) + closed
