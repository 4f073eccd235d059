import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.dfp import Dfp, describe, packed_bytes
from engine.dfp.genuine import GenuineProgram
from engine.errors import ProgramIncompatibleError, ProgramMalformedError
from tests.support.genuine_files import (
    hardware,
    packed,
    port,
    raw,
    two_model_file,
    v5_file,
    v5_port,
    v6_file,
)


def opened(data: bytes) -> GenuineProgram:
    genuine = Dfp(data).genuine
    assert genuine is not None
    return genuine


def refused(data: bytes) -> ProgramMalformedError:
    with pytest.raises(ProgramMalformedError) as caught:
        Dfp(data)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.details["offset"], int)
    return caught.value


def test_a_version_6_file_says_everything_about_itself() -> None:
    genuine = opened(v6_file())

    assert (genuine.version, genuine.sub_version) == (6, 1)
    assert genuine.models == ("/models/mobilenet.onnx",)
    assert (genuine.compiled, genuine.compiler) == ("2025-10-31 12:00:00", "2.1.0")
    assert genuine.compiler_args["num_chips"] == 4
    assert (genuine.generation, genuine.chip_generation, genuine.num_chips) == (4, "Cascade+", 4)
    assert (genuine.frequency_mhz, genuine.towers) == (600, 8)
    assert (genuine.weight_bytes, genuine.hardware_bytes) == (8, len(hardware()))
    assert (genuine.simulator_bytes, genuine.has_simulator) == (9, True)
    assert genuine.remarks == ()


def test_a_port_of_version_6_1_knows_the_models_own_shape() -> None:
    folded = raw("N", 3, 8, 8, folded_optype=["transpose"], folded_opshape=[[0, 2, 3, 1]])
    (found,) = opened(
        v6_file(inport_info=[port(0, "x", (8, 8, 1, 3), mpu_id=2, port_set=1, **folded)])
    ).inputs

    assert (found.port, found.layer_name, found.mxa_shape) == (0, "x", (8, 8, 1, 3))
    assert (found.mpu_id, found.port_set, found.packing_format) == (2, 1, "bf16")
    assert (found.raw_shape, found.raw_dtype, found.batch) == (("N", 3, 8, 8), "float32", 1)
    assert (found.shape_shift.operations, found.shape_shift.squeezed) == (("transpose",), (0,))
    assert found.shape_shift.operands == ((0, 2, 3, 1),)


def test_a_version_6_0_file_has_device_shapes_only() -> None:
    genuine = opened(
        v6_file(
            dfp_sub_version=None,
            inport_info=[port(0, "x", (8, 8, 1, 3))],
            outport_info=[port(0, "y", (300, 1, 1, 70000))],
        )
    )

    assert (genuine.sub_version, genuine.is_1p2_compatible) == (0, True)
    assert (genuine.inputs[0].raw_shape, genuine.inputs[0].raw_dtype) == ((), "NA")
    assert genuine.outputs[0].mxa_shape == (300, 1, 1, 70000)


def test_a_version_5_file_says_everything_about_itself() -> None:
    genuine = opened(v5_file())

    assert (genuine.version, genuine.sub_version) == (5, 0)
    assert genuine.models == ("models/mobilenet.h5",)
    assert (genuine.compiled, genuine.compiler) == ("2024-09-01", "1.0.0")
    assert genuine.compiler_args == {"num_chips": 4}
    assert (genuine.chip_generation, genuine.towers, genuine.num_chips) == ("Cascade+", 8, 4)
    assert [(p.port, p.is_active) for p in genuine.inputs] == [(0, True), (1, False)]
    assert (genuine.inputs[0].dtype, genuine.inputs[0].mpu_id) == ("uint8", 1)
    assert (genuine.outputs[0].packing_format, genuine.outputs[0].dtype) == ("bf16", "float32")
    assert (genuine.simulator_bytes, genuine.weight_bytes) == (9, 8)


def test_arguments_that_are_no_json_are_kept_as_text() -> None:
    assert opened(v5_file(arguments="-c 4 --autocrop")).compiler_args == {"text": "-c 4 --autocrop"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": None}, "model 0, but the file has 0"),
        ({"sim_meta": None}, "the file has no 'sim_meta'"),
        ({"hw_dfp": None}, "the file has no 'hw_dfp'"),
        ({"hw_dfp": "text"}, "hw_dfp is a text, not bytes"),
        ({"hw_dfp": b"\xff\xff\xff\xff."}, "the weights takes 4294967295 bytes"),
        ({"num_inports": 2}, "inport_info describes 1 ports, but num_inports is 2"),
        ({"num_outports": 0}, "outport_info describes 1 ports, but num_outports is 0"),
        ({"sim_meta": {"intgen": 9, "num_mpus": 4}}, "no hardware generation 9"),
        ({"sim_meta": {"intgen": 4, "num_mpus": 0}}, "num_mpus is 0, it can be 1 to 255"),
        ({"inport_info": 5}, "inport_info is a whole number, not a list"),
        ({"inport_info": [1], "num_inports": 1}, "inport_info[0] is a whole number, not a dict"),
        ({"dfp_sub_version": -1}, "dfp_sub_version is -1"),
        ({"freq": "fast"}, "freq is a text, not a whole number"),
        ({"1p2_compatible": 7}, "1p2_compatible is a whole number, not a truth value"),
        ({"compile_timestamp": 1}, "compile_timestamp is a whole number, not a text"),
    ],
)
def test_a_wrong_field_is_refused_with_its_byte(changes: dict[str, Any], words: str) -> None:
    error = refused(v6_file(**changes))

    assert words in str(error)
    assert f"at byte {error.details['offset']}:" in str(error)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mxa_shape": [1, 2, 3]}, "1 x 2 x 3, which no tensor has"),
        ({"mxa_shape": [1, 0, 1, 3]}, "1 x 0 x 1 x 3"),
        ({"mxa_shape": [65536, 65536, 65536, 65536]}, "which no tensor has"),
        ({"mxa_shape": ["8"]}, "mxa_shape is a text, not a whole number"),
        ({"model_index": 3}, "belongs to model 3, but the file has 1"),
        ({"port": 300}, "port is 300, it can be 0 to 255"),
        ({"active": "yes"}, "active is a text"),
        ({"packing_format": {}}, "has no 'as_int'"),
        ({"raw_shape": {"0": 1, "2": 3}}, "does not list the axes"),
        ({"shape_shift_info": {"+": [1.5]}}, "is a number, not a whole number"),
    ],
)
def test_a_wrong_port_is_refused_with_its_byte(changes: dict[str, Any], words: str) -> None:
    wrong = port(0, "x", (8, 8, 1, 3)) | changes

    assert words in str(refused(v6_file(inport_info=[wrong])))


def test_an_offset_points_at_the_wrong_byte() -> None:
    data = v6_file(sim_meta={"intgen": 9, "num_mpus": 4})

    offset = refused(data).details["offset"]

    assert isinstance(offset, int)
    assert data[offset] == 9


def test_a_port_number_that_is_used_twice_is_refused() -> None:
    twice = [port(0, "a", (1, 1, 1, 2)), port(0, "b", (1, 1, 1, 2))]

    assert "output port 0 is there twice" in str(refused(v6_file(outport_info=twice)))


def test_a_model_without_outputs_is_refused() -> None:
    inputs = [port(0, "a", (1, 1, 1, 2)), port(1, "b", (1, 1, 1, 2), model_index=1)]
    data = v6_file(models=["a", "b"], inport_info=inputs)

    assert "model 1 has no active output port" in str(refused(data))


def test_extra_channels_beyond_the_shape_are_refused() -> None:
    good = port(
        0, "y", (1, 1, 1, 2), hpoc={"enabled": True, "shape": [1, 1, 1, 4], "channels": [1, 3]}
    )
    bad = good | {"hpoc": {"enabled": True, "shape": [1, 1, 1, 4], "channels": [4]}}

    assert opened(v6_file(outport_info=[good])).outputs[0].hpoc.channels == (1, 3)
    assert "channels is 4, it can be 0 to 3" in str(refused(v6_file(outport_info=[bad])))


@pytest.mark.parametrize("data", [v6_file(), v5_file()])
def test_every_truncation_is_refused(data: bytes) -> None:
    for length in range(10, len(data), 3):
        refused(data[:length])


def test_bytes_behind_the_end_are_remarked() -> None:
    for data in (v6_file(), v5_file()):
        assert opened(data + b"more").remarks == (
            f"4 bytes from byte {len(data)} on belong to nothing",
        )


def test_a_version_5_port_with_an_impossible_shape_is_refused() -> None:
    ports = [v5_port(0, "x", (0, 1, 1, 3), 4, is_input=True)]

    assert "0 x 1 x 1 x 3" in str(refused(v5_file(inputs=ports)))


@pytest.mark.parametrize(
    ("name", "shape", "size_bytes"),
    [
        ("fp32", (2, 3, 1, 5), 120),
        ("bf16", (1, 1, 1, 5), 12),
        ("gbf80", (2, 3, 1, 9), 120),
        ("gbf80_row", (2, 3, 1, 1), 64),
        ("gbf80", (1, 3, 1, 1), 32),
        ("yuv422", (2, 2, 1, 2), None),
    ],
)
def test_a_frame_has_a_known_size_on_the_link(
    name: str, shape: tuple[int, ...], size_bytes: int | None
) -> None:
    given = port(0, "x", shape, packing_format={"name": name, "as_int": 0})

    assert packed_bytes(opened(v6_file(inport_info=[given])).inputs[0]) == size_bytes


def test_the_published_properties_tell_the_same_as_the_file() -> None:
    dfp = Dfp(two_model_file())

    assert (dfp.version, dfp.sub_version, dfp.num_chips, dfp.chip_gen) == ("6", 1, 4, "Cascade+")
    assert (dfp.num_inports, dfp.num_outports) == (3, 3)
    assert dfp.input_shapes == [[4, 4, 1, 3], [1, 1, 1, 5]]
    assert dfp.output_names == ["late", "early", "other"]
    assert dfp.input_ports[1] == {"active": False}
    first = dfp.input_ports[0]
    assert (first["layer_name"], first["model_index"], first["raw_shape"]) == (
        "wide",
        1,
        [1, 3, 4, 4],
    )
    assert dfp.input_ports[2]["raw_shape"] == [1, 5]
    assert (first["data_range_enabled"], dfp.output_ports[0]["hpoc_enabled"]) == (False, False)
    assert dfp.model_names == ("a.onnx", "b.onnx")
    assert dfp.input_tensors[2].shape == (0, 5)


@pytest.mark.parametrize("use", [lambda d: d.graph(), lambda d: d.models, lambda d: d.manifest])
def test_executing_a_genuine_file_says_what_it_needs(use: Any, tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.dfp"
    path.write_bytes(v6_file())

    with pytest.raises(ProgramIncompatibleError) as caught:
        use(Dfp(path))

    told = str(caught.value)
    for words in ("version 6 for MemryX hardware", "'/models/mobilenet.onnx'", "--for", str(path)):
        assert words in told


def test_clients_are_shown_a_genuine_file_with_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.dfp"
    path.write_bytes(v6_file())

    state = describe(Dfp(path))

    assert (state.name, state.compiler) == ("mobilenet", "MemryX 2.1.0")
    assert state.problem == Dfp(path).needs
    assert [tensor.name for tensor in state.inputs] == ["image"]


def test_a_genuine_file_is_written_as_it_was_read(tmp_path: Path) -> None:
    data = v6_file()

    assert Dfp(data).write(str(tmp_path / "copy.dfp")) == str(tmp_path / "copy.dfp")

    assert (tmp_path / "copy.dfp").read_bytes() == data


def test_the_metadata_can_be_written_as_json() -> None:
    for data in (v6_file(), v5_file(), two_model_file()):
        text = msgspec.json.encode(Dfp(data).genuine)
        assert json.loads(text)["models"] == list(Dfp(data).model_names)


def test_a_binary_compiler_argument_is_told_by_its_length() -> None:
    found = opened(v6_file(compiler_args={"a": b"123", "b": [{"c": 0.5}]}))

    assert found.compiler_args == {"a": "3 bytes", "b": [{"c": 0.5}]}


def test_what_is_no_dictionary_behind_the_version_is_no_dfp() -> None:
    with pytest.raises(ProgramMalformedError, match="is not a DFP"):
        Dfp((6).to_bytes(8, "little") + packed([1, 2]))
