"""How each TensorFlow operation is said in ONNX: one table of small functions.

Every function adds the ONNX nodes for one TensorFlow node; the result carries the node's name. Meaning of the
operations: tensorflow.org's raw_ops reference and ONNX's operator reference, opset 17. Each entry has a test against a
numpy definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from onnx import TensorProto

from models.conversion.builder import ONNX_DTYPES, GraphBuilder
from models.conversion.convolution import convert_convolution, convert_max_pool
from models.conversion.slicing import convert_strided_slice
from models.conversion.tfjs import Node

Conversion = Callable[[GraphBuilder, Node], None]


def _same(operation: str) -> Conversion:
    """For operations that ONNX has under another name and otherwise alike."""

    def convert(builder: GraphBuilder, node: Node) -> None:
        builder.add(operation, node.inputs, [node.name])

    return convert


def _axis(builder: GraphBuilder, name: str) -> int:
    return int(builder.use_weight(name).reshape(-1)[0])


def _axes(builder: GraphBuilder, name: str) -> list[int]:
    return [int(axis) for axis in builder.use_weight(name).reshape(-1)]


def _outputs(node: Node, count: int) -> list[str]:
    return [node.name, *(f"{node.name}:{i_output}" for i_output in range(1, count))]


def _integer(node: Node, key: str, default: int) -> int:
    value = node.attributes.get(key, default)
    if not isinstance(value, int):
        raise TypeError(f"attribute {key} of {node.name} must be a number, but is {value!r}")
    return value


def _onnx_dtype(node: Node, key: str, default: str) -> int:
    return ONNX_DTYPES[str(node.attributes.get(key, default))]


def _convert_cast(builder: GraphBuilder, node: Node) -> None:
    builder.add("Cast", node.inputs, [node.name], to=_onnx_dtype(node, "DstT", ""))


def _convert_relu6(builder: GraphBuilder, node: Node) -> None:
    limits = [builder.add_constant(limit, np.float32) for limit in (0, 6)]
    builder.add("Clip", [node.inputs[0], *limits], [node.name])


def _convert_squared_difference(builder: GraphBuilder, node: Node) -> None:
    difference = builder.add("Sub", node.inputs)
    builder.add("Mul", [difference, difference], [node.name])


def _convert_floor_division(builder: GraphBuilder, node: Node) -> None:
    """ONNX divides whole numbers towards zero, TensorFlow towards minus infinity; so the rest is taken off first."""
    if node.attributes.get("T") == "DT_INT32":
        dividend, divisor = node.inputs
        multiple = builder.add("Sub", [dividend, builder.add("Mod", node.inputs)])
        builder.add("Div", [multiple, divisor], [node.name])
    else:
        builder.add("Floor", [builder.add("Div", node.inputs)], [node.name])


def _convert_reduction(operation: str) -> Conversion:
    def convert(builder: GraphBuilder, node: Node) -> None:
        builder.add(
            operation,
            [node.inputs[0]],
            [node.name],
            axes=_axes(builder, node.inputs[1]),
            keepdims=_integer(node, "keep_dims", 0),
        )

    return convert


def _convert_sum(builder: GraphBuilder, node: Node) -> None:
    """The only reduction whose axes are an input in opset 17."""
    values, axes = node.inputs
    builder.add("ReduceSum", [values, builder.as_shape(axes)], [node.name], keepdims=_integer(node, "keep_dims", 0))


def _convert_arg_max(builder: GraphBuilder, node: Node) -> None:
    values, axis = node.inputs
    index = builder.add("ArgMax", [values], axis=_axis(builder, axis), keepdims=0)
    builder.add("Cast", [index], [node.name], to=_onnx_dtype(node, "output_type", "DT_INT64"))


def _convert_top_k(builder: GraphBuilder, node: Node) -> None:
    values, count = node.inputs
    indices = f"{node.name}/int64"
    builder.add("TopK", [values, builder.as_shape(count)], [node.name, indices], sorted=1)
    builder.add("Cast", [indices], [f"{node.name}:1"], to=TensorProto.INT32)


def _convert_shape(operation: str) -> Conversion:
    def convert(builder: GraphBuilder, node: Node) -> None:
        builder.add(
            "Cast", [builder.add(operation, node.inputs)], [node.name], to=_onnx_dtype(node, "out_type", "DT_INT32")
        )

    return convert


def _convert_reshape(builder: GraphBuilder, node: Node) -> None:
    values, shape = node.inputs
    builder.add("Reshape", [values, builder.as_shape(shape)], [node.name])


def _convert_squeeze(builder: GraphBuilder, node: Node) -> None:
    axes = node.attributes.get("squeeze_dims")
    inputs = [*node.inputs, builder.add_constant(axes, np.int64)] if isinstance(axes, list) and axes else node.inputs
    builder.add("Squeeze", inputs, [node.name])


def _convert_expand_dims(builder: GraphBuilder, node: Node) -> None:
    values, axis = node.inputs
    builder.add("Unsqueeze", [values, builder.add_constant([_axis(builder, axis)], np.int64)], [node.name])


def _convert_tile(builder: GraphBuilder, node: Node) -> None:
    values, repeats = node.inputs
    builder.add("Tile", [values, builder.as_shape(repeats)], [node.name])


def _convert_fill(builder: GraphBuilder, node: Node) -> None:
    shape, value = node.inputs
    builder.add("Expand", [value, builder.as_shape(shape)], [node.name])


def _convert_pack(builder: GraphBuilder, node: Node) -> None:
    axis = _integer(node, "axis", 0)
    axes = builder.add_constant([axis], np.int64)
    builder.add("Concat", [builder.add("Unsqueeze", [name, axes]) for name in node.inputs], [node.name], axis=axis)


def _convert_unpack(builder: GraphBuilder, node: Node) -> None:
    axis, count = _integer(node, "axis", 0), _integer(node, "num", 0)
    slices = [f"{node.name}/slice{i_output}" for i_output in range(count)]
    if count > 1:
        builder.add("Split", node.inputs, slices, axis=axis)
    else:
        slices = list(node.inputs)  # a Split into one part is not allowed
    axes = builder.add_constant([axis], np.int64)
    for part, output in zip(slices, _outputs(node, count), strict=True):
        builder.add("Squeeze", [part, axes], [output])


def _convert_split(builder: GraphBuilder, node: Node) -> None:
    axis, values = node.inputs
    count = _integer(node, "num_split", 0)
    builder.add("Split", [values], _outputs(node, count), axis=_axis(builder, axis))


def _convert_concat(builder: GraphBuilder, node: Node) -> None:
    *parts, axis = node.inputs
    builder.add("Concat", parts, [node.name], axis=_axis(builder, axis))


def _convert_gather(builder: GraphBuilder, node: Node) -> None:
    values, indices, axis = node.inputs
    if _integer(node, "batch_dims", 0) != 0:
        raise NotImplementedError(f"{node.name} gathers with batch dimensions")
    builder.add("Gather", [values, indices], [node.name], axis=_axis(builder, axis))


def _convert_gather_nd(builder: GraphBuilder, node: Node) -> None:
    values, indices = node.inputs
    builder.add("GatherND", [values, builder.as_indices(indices)], [node.name])


def _convert_pad(builder: GraphBuilder, node: Node) -> None:
    values, amounts = node.inputs
    # TensorFlow has (before, after) per axis, ONNX all befores and then all afters.
    before_then_after = builder.use_weight(amounts).T.reshape(-1)
    builder.add("Pad", [values, builder.add_constant(before_then_after, np.int64)], [node.name])


def _convert_resize(builder: GraphBuilder, node: Node) -> None:
    values, size = node.inputs
    mode = (
        "align_corners"
        if node.attributes.get("align_corners")
        else "half_pixel"
        if node.attributes.get("half_pixel_centers")
        else "asymmetric"
    )
    picture = builder.channels_first(values)
    start, stop = (builder.add_constant([position], np.int64) for position in (0, 2))
    batch_and_channels = builder.add("Slice", [builder.add("Shape", [picture]), start, stop])
    sizes = builder.add("Concat", [batch_and_channels, builder.as_shape(size)], axis=0)
    resized = builder.add("Resize", [picture, "", "", sizes], mode="linear", coordinate_transformation_mode=mode)
    builder.channels_last(resized, node.name)


def _ignore(builder: GraphBuilder, node: Node) -> None:
    """Constants and inputs are there before the first operation."""


OPERATIONS: Mapping[str, Conversion] = {
    "Abs": _same("Abs"),
    "Add": _same("Add"),
    "AddN": _same("Sum"),
    "AddV2": _same("Add"),
    "ArgMax": _convert_arg_max,
    "Cast": _convert_cast,
    "ConcatV2": _convert_concat,
    "Const": _ignore,
    "Conv2D": convert_convolution,
    "DepthwiseConv2dNative": convert_convolution,
    "Equal": _same("Equal"),
    "Exp": _same("Exp"),
    "ExpandDims": _convert_expand_dims,
    "Fill": _convert_fill,
    "FloorDiv": _convert_floor_division,
    "FloorMod": _same("Mod"),
    "FusedDepthwiseConv2dNative": convert_convolution,
    "GatherNd": _convert_gather_nd,
    "GatherV2": _convert_gather,
    "Greater": _same("Greater"),
    "GreaterEqual": _same("GreaterOrEqual"),
    "Identity": _same("Identity"),
    "Less": _same("Less"),
    "LogicalAnd": _same("And"),
    "Max": _convert_reduction("ReduceMax"),
    "MaxPool": convert_max_pool,
    "Maximum": _same("Max"),
    "Mean": _convert_reduction("ReduceMean"),
    "Minimum": _same("Min"),
    "Mul": _same("Mul"),
    "Pack": _convert_pack,
    "Pad": _convert_pad,
    "Placeholder": _ignore,
    "Range": _same("Range"),
    "RealDiv": _same("Div"),
    "Reciprocal": _same("Reciprocal"),
    "Relu": _same("Relu"),
    "Relu6": _convert_relu6,
    "Reshape": _convert_reshape,
    "ResizeBilinear": _convert_resize,
    "Select": _same("Where"),
    "Shape": _convert_shape("Shape"),
    "Sigmoid": _same("Sigmoid"),
    "Size": _convert_shape("Size"),
    "Split": _convert_split,
    "SquaredDifference": _convert_squared_difference,
    "Squeeze": _convert_squeeze,
    "StridedSlice": convert_strided_slice,
    "Sub": _same("Sub"),
    "Sum": _convert_sum,
    "Tile": _convert_tile,
    "TopKV2": _convert_top_k,
    "Unpack": _convert_unpack,
    "_FusedConv2D": convert_convolution,
}
"""TensorFlow's operations that we can say in ONNX."""


def convert_node(builder: GraphBuilder, node: Node) -> None:
    """Adds the ONNX nodes for one TensorFlow node.

    Raises:
        NotImplementedError: The operation, or the way it is used, is not in the table.
    """
    if node.operation not in OPERATIONS:
        raise NotImplementedError(f"{node.name} is a {node.operation}, which is not in the table of operations")
    OPERATIONS[node.operation](builder, node)


def known_operations() -> Sequence[str]:
    """Names in the table."""
    return tuple(OPERATIONS)
