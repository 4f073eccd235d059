"""The network of the spectral demo: training in plain NumPy, and export to ONNX."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from spectral_scene import CONTEXT, LABELS

__all__ = ("Network", "export", "probabilities", "train")

Floats = NDArray[np.float32]

HIDDEN = (128, 64)
EPOCHS = 200
BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
NOISE = 0.05
DROPOUT = 0.4
SMOOTHING = 0.2
"""Part of the target that is spread over all classes: keeps the network from being too sure."""


@dataclass(frozen=True)
class Network:
    """A fitted network: features are standardized, then one matrix and offset per layer."""

    mean: Floats
    scale: Floats
    weights: tuple[Floats, ...]
    offsets: tuple[Floats, ...]


def train(features: Floats, classes: NDArray[np.intp], *, seed: int) -> Network:
    """Fit the network with AdamW, noise on the inputs and dropout.

    Parameters
    ----------
    features : ndarray, shape (n, features), float32
    classes : ndarray, shape (n,), 1 to 16.
    seed : decides everything that is random.
    """
    random = np.random.default_rng(seed)
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = (1 / features.std(axis=0, dtype=np.float64)).astype(np.float32)
    inputs = (features - mean) * scale
    sizes = (inputs.shape[1], *HIDDEN, len(LABELS) - 1)
    weights = [
        random.normal(0, np.sqrt(2 / rows), (rows, columns)).astype(np.float32)
        for rows, columns in pairwise(sizes)
    ]
    offsets = [np.zeros(columns, np.float32) for columns in sizes[1:]]
    adam = _Adam([*weights, *offsets], decayed=len(weights))
    batches = len(inputs) // BATCH
    for epoch in range(EPOCHS):
        order = random.permutation(len(inputs))[: batches * BATCH].reshape(batches, BATCH)
        for step, batch in enumerate(order, epoch * batches):
            noise = random.standard_normal((BATCH, inputs.shape[1]), dtype=np.float32)
            noisy = inputs[batch] + np.float32(NOISE) * noise
            gradients = _gradients(weights, offsets, noisy, classes[batch] - 1, random)
            progress = step / (EPOCHS * batches)
            adam.step(gradients, LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * progress)))
    return Network(mean, scale, tuple(weights), tuple(offsets))


def _gradients(
    weights: list[Floats],
    offsets: list[Floats],
    inputs: Floats,
    targets: NDArray[np.intp],
    random: np.random.Generator,
) -> list[Floats]:
    """Return the gradients of the mean cross-entropy, for all weights, then all offsets."""
    layers: list[Floats] = [inputs]
    gates: list[Floats] = []
    for weight, offset in zip(weights[:-1], offsets[:-1], strict=True):
        raw = layers[-1] @ weight + offset
        is_kept = random.random(raw.shape, dtype=np.float32) >= DROPOUT
        gates.append(((raw > 0) & is_kept).astype(np.float32) / np.float32(1 - DROPOUT))
        layers.append(raw * gates[-1])
    error = _softmax(layers[-1] @ weights[-1] + offsets[-1])
    error -= np.float32(SMOOTHING / error.shape[1])
    error[np.arange(len(targets)), targets] -= np.float32(1 - SMOOTHING)
    error /= len(targets)
    by_weight, by_offset = [], []
    for index in reversed(range(len(weights))):
        by_weight.append(layers[index].T @ error)
        by_offset.append(error.sum(axis=0))
        if index:
            error = (error @ weights[index].T) * gates[index - 1]
    return [*reversed(by_weight), *reversed(by_offset)]


class _Adam:
    """Adam with decoupled weight decay for the first `decayed` arrays; changes them in place."""

    def __init__(self, arrays: list[Floats], *, decayed: int) -> None:
        self._arrays = arrays
        self._decayed = decayed
        self._first = [np.zeros_like(array) for array in arrays]
        self._second = [np.zeros_like(array) for array in arrays]
        self._count = 0

    def step(self, gradients: list[Floats], rate: float) -> None:
        self._count += 1
        first_share, second_share = 1 - 0.9**self._count, 1 - 0.999**self._count
        for index, gradient in enumerate(gradients):
            array, first, second = self._arrays[index], self._first[index], self._second[index]
            first += np.float32(0.1) * (gradient - first)
            second += np.float32(0.001) * (gradient**2 - second)
            change = (first / first_share) / (np.sqrt(second / second_share) + 1e-8)
            if index < self._decayed:
                change = change + WEIGHT_DECAY * array
            array -= np.float32(rate) * change.astype(np.float32)


def probabilities(network: Network, features: Floats) -> Floats:
    """Return the probability of every class, shape (..., 17); that of class 0 is 0."""
    values = (features - network.mean) * network.scale
    for weight, offset in zip(network.weights[:-1], network.offsets[:-1], strict=True):
        values = np.maximum(values @ weight + offset, 0)
    found = _softmax(values @ network.weights[-1] + network.offsets[-1])
    return np.concatenate([np.zeros_like(found[..., :1]), found], axis=-1)


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def export(network: Network, *, pixels: int, bands: int) -> onnx.ModelProto:
    """Write the network as ONNX: "line" (1, pixels, bands) raw values in, "scores" out.

    Scores have shape (1, pixels, 17). Features and standardization are inside the graph.
    """
    width = 2 * CONTEXT + 1
    constants: dict[str, NDArray[Any]] = {
        "mean": network.mean,
        "scale": network.scale,
        "before_first_class": np.array([0, 0, 1, 0, 0, 0], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["line"], ["bands_first"], perm=[0, 2, 1]),
        helper.make_node(
            "AveragePool",
            ["bands_first"],
            ["averaged"],
            kernel_shape=[width],
            pads=[CONTEXT, CONTEXT],
            count_include_pad=0,
        ),
        helper.make_node("Transpose", ["averaged"], ["around"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["line", "around"], ["features"], axis=2),
        helper.make_node("Sub", ["features", "mean"], ["centered"]),
        helper.make_node("Mul", ["centered", "scale"], ["layer_0"]),
    ]
    last = len(network.weights) - 1
    for index, (weight, offset) in enumerate(zip(network.weights, network.offsets, strict=True)):
        constants |= {f"weight_{index}": weight, f"offset_{index}": offset}
        nodes += [
            helper.make_node("MatMul", [f"layer_{index}", f"weight_{index}"], [f"raw_{index}"]),
            helper.make_node("Add", [f"raw_{index}", f"offset_{index}"], [f"sum_{index}"]),
        ]
        if index < last:
            nodes.append(helper.make_node("Relu", [f"sum_{index}"], [f"layer_{index + 1}"]))
    nodes += [
        helper.make_node("Softmax", [f"sum_{last}"], ["found"], axis=-1),
        helper.make_node("Pad", ["found", "before_first_class"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "indian_pines",
        [helper.make_tensor_value_info("line", TensorProto.FLOAT, [1, pixels, bands])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, pixels, len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"labels": "\n".join(LABELS)})
    onnx.checker.check_model(model, full_check=True)
    return model
