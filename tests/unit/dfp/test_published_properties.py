"""Every property of the published `Dfp`, for files of both formats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.dfp import Dfp, compile_models
from tests.support.genuine_files import v5_file, v6_file
from tests.support.networks import classifier

INPUT_KEYS = {
    "active",
    "set",
    "mxa_id",
    "model_index",
    "layer_name",
    "data_type",
    "data_range_enabled",
    "data_range_shift",
    "data_range_scale",
    "packing_format",
    "shape",
    "raw_shape",
    "raw_dtype",
    "batch",
    "shape_shift_info",
}
OUTPUT_KEYS = INPUT_KEYS - {"data_range_enabled", "data_range_shift", "data_range_scale"}
OUTPUT_KEYS |= {"hpoc_enabled", "hpoc_list", "hpoc_fm_shape"}


MADE: dict[str, Callable[[], bytes]] = {
    "v5": v5_file,
    "v6.0": lambda: v6_file(dfp_sub_version=0),
    "v6.1": v6_file,
    "ours": lambda: compile_models([classifier()]).data,
}


@pytest.mark.parametrize("kind", list(MADE))
@pytest.mark.usefixtures("untried")
def test_every_published_property_is_there_and_of_its_type(kind: str) -> None:
    dfp = Dfp(MADE[kind]())

    assert dfp.version == ("5" if kind == "v5" else "6")
    assert dfp.sub_version == (1 if kind in ("v6.1", "ours") else 0)
    assert dfp.num_inports >= len(dfp.input_shapes) == 1
    assert dfp.num_outports >= len(dfp.output_shapes) == len(dfp.output_names) >= 1
    assert all(isinstance(shape, list) and len(shape) == 4 for shape in dfp.input_shapes)
    assert all(isinstance(name, str) for name in dfp.output_names)
    assert isinstance(dfp.num_chips, int)
    assert isinstance(dfp.chip_gen, str)
    assert dfp.model_names
    for ports, keys in ((dfp.input_ports, INPUT_KEYS), (dfp.output_ports, OUTPUT_KEYS)):
        active = {number: table for number, table in ports.items() if table["active"]}
        assert active
        assert all(
            isinstance(number, int) and keys <= table.keys() for number, table in active.items()
        )
    assert dfp._dfp_bytes.read() == dfp.data
    assert dfp._metadata


@pytest.mark.parametrize("kind", list(MADE))
@pytest.mark.usefixtures("untried")
def test_writing_a_program_gives_its_bytes_and_its_name(kind: str, tmp_path: Path) -> None:
    data = MADE[kind]()
    target: Any = tmp_path / "copy.dfp"

    assert Dfp(data).write(target) == target
    assert target.read_bytes() == data
    assert Dfp(str(target)).input_ports == Dfp(data).input_ports
