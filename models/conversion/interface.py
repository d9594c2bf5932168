"""Gives a converted net the inputs and outputs that it is asked by: pixels as they are go in, and answers come out in the shape that says what they are.

Whoever serves it then needs to know nothing more about it than config.pbtxt says: no scaling, no other names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

INPUT_NAME = "images"


def take_pixels(model: ModelProto, *, divisor: int) -> ModelProto:
    """Has a net take uint8 pixels, which it scales itself.

    Args:
        model: A net with one input; changed in place.
        divisor: What pixels are divided by after they were turned into the net's own type; 1 leaves 0 to 255.

    Returns:
        The net; its input is called `images`.
    """
    graph = model.graph
    (given,) = graph.input
    name, kind = given.name, given.type.tensor_type.elem_type
    turned = name if divisor == 1 else f"{name}/whole"
    first = [helper.make_node("Cast", [INPUT_NAME], [turned], name=f"{name}/cast", to=kind)]
    if divisor != 1:
        graph.initializer.append(numpy_helper.from_array(np.float32(divisor), f"{name}/divisor"))
        first.append(helper.make_node("Div", [turned, f"{name}/divisor"], [name], name=f"{name}/scale"))
    nodes = [*first, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    given.name = INPUT_NAME
    given.type.tensor_type.elem_type = TensorProto.UINT8
    onnx.checker.check_model(model)
    return model


def shape_outputs(model: ModelProto, shapes: Mapping[str, Sequence[int]]) -> ModelProto:
    """Has a net give some of its outputs in another shape.

    Args:
        model: The net; changed in place.
        shapes: By the output's name; -1 is whatever is left.

    Returns:
        The net.

    Raises:
        KeyError: The net has no such output.
    """
    graph = model.graph
    outputs = {output.name: output for output in graph.output}
    for name, shape in shapes.items():
        described = outputs[name]
        flat = f"{name}/flat"
        for node in graph.node:
            for i_output, output in enumerate(node.output):
                if output == name:
                    node.output[i_output] = flat
        graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), f"{name}/shape"))
        graph.node.append(helper.make_node("Reshape", [flat, f"{name}/shape"], [name], name=f"{name}/reshape"))
        sizes = [size if size > 0 else f"{name}_{i_axis}" for i_axis, size in enumerate(shape)]
        described.CopyFrom(helper.make_tensor_value_info(name, described.type.tensor_type.elem_type, sizes))
    onnx.checker.check_model(model)
    return model
