import math
from collections.abc import Callable

import onnx
import pytest
from onnx import TensorProto, helper

from engine.dfp.shapes import fix_shapes, real_inputs, shape_of
from engine.errors import ProgramCompileError

Make = Callable[..., onnx.ModelProto]


def refused(model: onnx.ModelProto, **sizes: tuple[int, ...]) -> str:
    with pytest.raises(ProgramCompileError) as caught:
        fix_shapes(model, sizes, "m.onnx")
    return str(caught.value)


def test_a_symbolic_batch_becomes_one_and_the_output_follows(make_model: Make) -> None:
    fixed = fix_shapes(make_model(("N", 3, 4, 5)), {}, "m.onnx")

    assert shape_of(fixed.graph.input[0]) == (1, 3, 4, 5)
    assert shape_of(fixed.graph.output[0]) == (1, 3, 4, 5)


def test_a_batch_without_a_name_becomes_one(make_model: Make) -> None:
    assert shape_of(fix_shapes(make_model((0, 3)), {}, "m.onnx").graph.input[0]) == (1, 3)


def test_given_sizes_fill_free_axes(make_model: Make) -> None:
    fixed = fix_shapes(make_model(("N", 3, "H", "W")), {"image": (2, 3, 32, 64)}, "m.onnx")

    assert shape_of(fixed.graph.output[0]) == (2, 3, 32, 64)


def test_a_model_of_fixed_shape_stays_as_it_is(make_model: Make) -> None:
    model = make_model((1, 3, 4, 4))

    assert fix_shapes(model, {}, "m.onnx") == make_model((1, 3, 4, 4))


def test_a_missing_size_names_input_axis_and_option(make_model: Make) -> None:
    told = refused(make_model((1, 3, "H", "W")))

    assert "input 'image' has no fixed size on axis 2 (H) and 3 (W)" in told
    assert "--shape image=1,3,SIZE,SIZE" in told


def test_the_only_axis_of_a_vector_is_not_taken_for_a_batch(make_model: Make) -> None:
    assert "axis 0 (N)" in refused(make_model(("N",)))


def test_an_input_of_unknown_rank_asks_for_its_shape(make_model: Make) -> None:
    assert "--shape image=SIZE,SIZE,..." in refused(make_model(None))


def test_an_input_of_unknown_rank_takes_the_given_shape(make_model: Make) -> None:
    fixed = fix_shapes(make_model(None), {"image": (2, 5)}, "m.onnx")

    assert shape_of(fixed.graph.input[0]) == (2, 5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((1, 3, 8), "has 3 axes; give 4 sizes"),
        ((1, 4, 8, 8), "axis 1 is 3 and cannot become 4"),
        ((1, 3, 0, 8), "axis 2 is 0; give 1 or more"),
        ((1, 3, 8, -8), "axis 3 is -8"),
        ((1, 3, 2**20, 2**20), f"more than {2**30} values"),
    ],
)
def test_a_given_shape_that_cannot_be_is_refused(
    make_model: Make, given: tuple[int, ...], words: str
) -> None:
    assert words in refused(make_model(("N", 3, "H", "W")), image=given)


def two_inputs() -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["c"])],
        "adds",
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", "K"]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", "K"]),
        ],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, ["N", "K"])],
    )
    return helper.make_model(graph)


def test_a_symbol_has_the_same_size_everywhere() -> None:
    fixed = fix_shapes(two_inputs(), {"a": (2, 7)}, "m.onnx")

    assert [shape_of(value) for value in fixed.graph.input] == [(2, 7), (2, 7)]


def test_two_sizes_for_one_symbol_are_refused() -> None:
    assert "cannot become 8" in refused(two_inputs(), a=(2, 7), b=(2, 8))


def test_weights_that_are_listed_as_inputs_need_no_size(make_model: Make) -> None:
    model = make_model((1, 3))
    model.graph.input.append(helper.make_tensor_value_info("one", TensorProto.FLOAT, ["X"]))

    assert [value.name for value in real_inputs(fix_shapes(model, {}, "m.onnx"))] == ["image"]


def test_a_shape_within_the_limit_is_taken(make_model: Make) -> None:
    fixed = fix_shapes(make_model(("N", "K")), {"image": (1, 2**20)}, "m.onnx")

    assert math.prod(shape_of(fixed.graph.input[0])) == 2**20  # type: ignore[arg-type]  # all fixed
