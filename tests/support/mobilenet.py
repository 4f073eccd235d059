"""A network of MobileNet's shape and cost with random weights, for measuring time."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from engine.dfp import ModelEntry, pack_dfp
from engine.protocol import TensorInfo

# Output channels and stride of each block: a depthwise and a pointwise convolution.
_BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
_BLOCKS += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
INPUT = (1, 3, 224, 224)


class _Network:
    def __init__(self) -> None:
        self.nodes: list[object] = []
        self.weights: list[object] = []
        self._random = np.random.default_rng(7)

    def add(self, kind: str, source: str, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [source], [name], **attributes))
        return name

    def convolve(self, source: str, ins: int, outs: int, size: int, stride: int, group: int) -> str:
        shape = (outs, ins // group, size, size)
        scale = np.sqrt(2.0 / np.prod(shape[1:]))
        values = (self._random.standard_normal(shape) * scale).astype(np.float32)
        weight = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, weight))
        name = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                "Conv",
                [source, weight],
                [name],
                strides=[stride, stride],
                pads=[size // 2] * 4,
                group=group,
            )
        )
        return self.add("Relu", name)


def mobilenet_program() -> bytes:
    """Return a program: a picture of 224 x 224 in, 1024 numbers out."""
    network = _Network()
    tensor, channels = network.convolve("x", 3, 32, 3, 2, 1), 32
    for outs, stride in _BLOCKS:
        tensor = network.convolve(tensor, channels, channels, 3, stride, channels)
        tensor = network.convolve(tensor, channels, outs, 1, 1, 1)
        channels = outs
    tensor = network.add("GlobalAveragePool", tensor)
    network.nodes.append(helper.make_node("Flatten", [tensor], ["y"]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, INPUT)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels])
    model = helper.make_model(
        helper.make_graph(network.nodes, "mobilenet", [x], [y], network.weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    entry = ModelEntry(
        name="mobilenet",
        main="m.onnx",
        inputs=(TensorInfo("x", INPUT, "float32"),),
        outputs=(TensorInfo("y", (1, channels), "float32"),),
    )
    return pack_dfp(name="mobilenet", models=[entry], graphs={"m.onnx": model.SerializeToString()})
