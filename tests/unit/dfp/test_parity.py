from typing import Any

import numpy as np
import pytest

from engine.dfp import OutputParity, Parity
from engine.dfp.comparison import compare_frames


def compared(found: Any, wanted: Any) -> Parity:
    return compare_frames(["y"], [[np.asarray(found)]], [[np.asarray(wanted)]], "onnxruntime")


def only(found: Any, wanted: Any) -> OutputParity:
    (output,) = compared(found, wanted).outputs
    return output


def test_equal_outputs_agree() -> None:
    values = np.random.default_rng(0).random((1, 10))

    assert only(values, values) == OutputParity("y", 0.0, 1.0, 1.0)


def test_a_difference_is_measured() -> None:
    output = only([[3.0, 4.0]], [[4.0, 3.0]])

    assert output.max_difference == 1.0
    assert output.cosine == pytest.approx(24 / 25)
    assert output.top1 == 0.0


def test_the_worst_frame_counts_for_the_cosine_and_all_for_top_1() -> None:
    frames = [[np.array([1.0, 0.0])], [np.array([0.0, 1.0])]]
    wanted = [[np.array([1.0, 0.0])], [np.array([1.0, 0.0])]]

    parity = compare_frames(["y"], frames, wanted, "onnxruntime")

    assert (parity.outputs[0].cosine, parity.outputs[0].top1) == (0.0, 0.5)
    assert (parity.frames, parity.max_magnitude) == (2, 1.0)


def test_rounding_beside_nothing_is_no_disagreement() -> None:
    assert only([1e-9, -1e-9], [0.0, 0.0]).cosine == 1.0


def test_something_where_nothing_should_be_is_a_disagreement() -> None:
    assert only([1.0, 1.0], [0.0, 0.0]).cosine == 0.0


def test_scores_of_a_map_lie_along_its_second_axis() -> None:
    found = np.zeros((1, 2, 2, 2))
    wanted = found.copy()
    found[0, 1, 0, 0] = wanted[0, 1, 0, 0] = 1.0
    wanted[0, 1, 1, 1] = 1.0

    assert only(found, wanted).top1 == 0.75


def test_whole_numbers_are_counted_where_they_are_equal() -> None:
    assert only([1, 2, 3, 4], [1, 2, 3, 5]) == OutputParity("y", 1.0, None, 0.75)


def test_a_value_that_is_no_number_is_far_from_one_that_is() -> None:
    output = only([np.nan, np.inf], [1.0, 1.0])

    assert output.max_difference > 1e30
    assert output.cosine is not None
    assert output.cosine < 0.8


def test_an_original_without_finite_numbers_cannot_be_compared_with() -> None:
    assert str(compared([1.0], [np.nan])) == "not checked: an output is not a finite number"


def test_different_shapes_cannot_be_compared() -> None:
    assert "the shapes (1,) and (2,) of 'y' differ" in str(compared([1.0], [1.0, 2.0]))


def test_an_output_without_values_agrees() -> None:
    assert only(np.zeros((0, 4)), np.zeros((0, 4))) == OutputParity("y", 0.0, 1.0, None)


def test_the_output_farthest_below_the_limit_is_the_worst() -> None:
    outputs = tuple(OutputParity(n, 0.0, c) for n, c in (("a", 0.9), ("b", 0.5), ("c", None)))
    parity = Parity(0.0, 0.0, "", outputs)

    assert parity.worst(0.8) is outputs[1]
    assert parity.worst(0.4) is None


def test_an_output_says_how_it_did() -> None:
    told = str(OutputParity("y", 0.001, 0.99999, 0.995))

    assert told == "cosine 0.99999, differs by at most 0.001, top-1 agrees in 99.5%"
