"""Convolutions and pooling: TensorFlow has the channels last, ONNX first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.conversion.builder import GraphBuilder
from models.conversion.tfjs import Node

_ACTIVATIONS = {"Relu": "Relu", "Elu": "Elu", "Sigmoid": "Sigmoid"}


@dataclass(frozen=True, kw_only=True)
class _Window:
    """Where a window slides.

    Attributes:
        strides: Step along height and width.
        dilations: Distance of its samples along height and width.
        padding: ONNX's attributes for the padding.
    """

    strides: list[int]
    dilations: list[int]
    padding: dict[str, str | list[int]]


def convert_convolution(builder: GraphBuilder, node: Node) -> None:
    """Plain and depthwise convolutions, with a bias and an activation fused in or not.

    TensorFlow's weights are (height, width, in, out), depthwise (height, width, in, multiplier); ONNX wants (out, in
    per group, height, width).
    """
    picture, weights_name, *fused_inputs = node.inputs
    weights = builder.use_weight(weights_name)
    height, width, channel_count, last_count = weights.shape
    is_depthwise = "Depthwise" in node.operation
    onnx_weights = (
        weights.transpose(2, 3, 0, 1).reshape(channel_count * last_count, 1, height, width)
        if is_depthwise
        else weights.transpose(3, 2, 0, 1)
    )
    inputs = [builder.channels_first(picture), builder.add_constant(onnx_weights, np.float32)]
    fused = [str(name) for name in _list(node, "fused_ops")]
    if fused[:1] == ["BiasAdd"]:
        inputs.append(builder.add_constant(builder.use_weight(fused_inputs.pop(0)).reshape(-1), np.float32))
        fused = fused[1:]
    window = _window(node, kernel=(height, width))
    result = builder.add(
        "Conv",
        inputs,
        strides=window.strides,
        dilations=window.dilations,
        kernel_shape=[height, width],
        group=channel_count if is_depthwise else 1,
        **window.padding,
    )
    for activation in fused:
        result = _activate(builder, activation, result, fused_inputs)
    builder.channels_last(result, node.name)


def convert_max_pool(builder: GraphBuilder, node: Node) -> None:
    """The largest value under a sliding window."""
    kernel = [int(size) for size in _list(node, "ksize")[1:3]]
    window = _window(node, kernel=(kernel[0], kernel[1]))
    pooled = builder.add(
        "MaxPool",
        [builder.channels_first(node.inputs[0])],
        kernel_shape=kernel,
        strides=window.strides,
        **window.padding,
    )
    builder.channels_last(pooled, node.name)


def _window(node: Node, *, kernel: tuple[int, int]) -> _Window:
    if node.attributes.get("data_format", "NHWC") != "NHWC":
        raise NotImplementedError(f"{node.name} has its channels first")
    strides = [int(step) for step in _list(node, "strides")[1:3]]
    dilations = [int(step) for step in _list(node, "dilations")[1:3]] or [1, 1]
    padding = node.attributes["padding"]
    if padding == "EXPLICIT":
        amounts = [int(amount) for amount in _list(node, "explicit_paddings")]
        return _Window(
            strides=strides,
            dilations=dilations,
            padding={"pads": [amounts[2], amounts[4], amounts[3], amounts[5]]},
        )
    if padding == "SAME" and dilations != [1, 1]:
        # ONNX Runtime's automatic padding forgets the dilation; without a stride the amounts do not depend on the
        # picture.
        if strides != [1, 1]:
            raise NotImplementedError(f"{node.name} is dilated and strided")
        reach = [step * (size - 1) for step, size in zip(dilations, kernel, strict=True)]
        before = [amount // 2 for amount in reach]
        after = [amount - amount // 2 for amount in reach]
        return _Window(strides=strides, dilations=dilations, padding={"pads": [*before, *after]})
    automatic = "SAME_UPPER" if padding == "SAME" else "VALID"
    return _Window(strides=strides, dilations=dilations, padding={"auto_pad": automatic})


def _activate(builder: GraphBuilder, activation: str, name: str, fused_inputs: list[str]) -> str:
    if activation == "Relu6":
        return builder.add("Clip", [name, *(builder.add_constant(limit, np.float32) for limit in (0, 6))])
    if activation == "Prelu":
        slopes = builder.use_weight(fused_inputs.pop(0)).reshape(-1, 1, 1)
        return builder.add("PRelu", [name, builder.add_constant(slopes, np.float32)])
    if activation not in _ACTIVATIONS:
        raise NotImplementedError(f"activation {activation}")
    return builder.add(_ACTIVATIONS[activation], [name])


def _list(node: Node, key: str) -> list[int] | list[str]:
    value = node.attributes.get(key, [])
    if not isinstance(value, list):
        raise TypeError(f"attribute {key} of {node.name} must be a list, but is {value!r}")
    return value
