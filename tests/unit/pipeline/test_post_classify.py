"""Scores become classes; the factory chooses by task."""

import math

import numpy as np
import pytest

from engine.config import PostSettings, Task
from engine.errors import InvalidArgumentError
from engine.pipeline.post import Findings, make_postprocessor
from engine.pipeline.pre import Geometry
from engine.protocol import ClassScore, TensorInfo

OUTPUTS = (TensorInfo("scores", (1, 4), "float32"),)
LABELS = ("ant", "bee", "cat", "dog")


def classify(
    settings: PostSettings, scores: list[float], labels: tuple[str, ...] = LABELS
) -> Findings:
    postprocessor = make_postprocessor(Task.CLASSIFY, settings, OUTPUTS, labels)
    return postprocessor([np.array([scores], np.float32)], Geometry())


def test_classes_above_the_threshold_come_strongest_first() -> None:
    found = classify(PostSettings(threshold=0.125), [0.125, 0.0625, 0.5, 0.25])

    assert found == Findings(
        classes=(
            ClassScore(2, "cat", 0.5),
            ClassScore(3, "dog", 0.25),
            ClassScore(0, "ant", 0.125),
        )
    )


def test_at_most_max_results_classes_come() -> None:
    found = classify(PostSettings(threshold=0.0, max_results=2), [0.125, 0.0625, 0.5, 0.25])

    assert [one.label for one in found.classes] == ["cat", "dog"]


def test_logits_become_probabilities_without_overflow() -> None:
    found = classify(PostSettings(apply_softmax=True), [1000.0, 1000.0 + math.log(3), 0.0, 0.0])

    (best,) = found.classes
    assert best.label == "bee"
    assert best.score == pytest.approx(0.75, rel=1e-4)


def test_the_label_offset_moves_the_labels_and_not_the_index() -> None:
    found = classify(PostSettings(label_offset=1), [0.0, 0.9, 0.0, 0.0])

    assert [(one.index, one.label) for one in found.classes] == [(1, "cat")]


def test_a_class_without_a_label_is_called_by_its_number() -> None:
    found = classify(PostSettings(), [0.0, 0.0, 0.0, 0.9], labels=("ant",))

    assert [one.label for one in found.classes] == ["class 3"]


def test_an_output_that_does_not_exist_is_refused_by_name() -> None:
    settings = PostSettings(outputs={"scores": "logits"})

    with pytest.raises(InvalidArgumentError, match="'logits' for 'scores'; its outputs are scores"):
        make_postprocessor(Task.CLASSIFY, settings, OUTPUTS, LABELS)


def test_a_program_of_plain_tensors_finds_nothing() -> None:
    postprocessor = make_postprocessor(Task.TENSOR, PostSettings(), OUTPUTS, ())

    assert postprocessor([np.ones((1, 4), np.float32)], Geometry()) == Findings()


@pytest.mark.parametrize("task", [task for task in Task if task is not Task.TENSOR])
def test_a_program_without_the_outputs_of_its_task_is_refused(task: Task) -> None:
    with pytest.raises(InvalidArgumentError, match="has no output"):
        make_postprocessor(task, PostSettings(), (), LABELS)
