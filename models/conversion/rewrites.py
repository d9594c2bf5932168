"""Says the same with less work: rewrites of a converted graph, made where they are known to change nothing that matters.

Each is written for what our models do and passes by what it does not know. The first two give the same numbers bit by
bit; the third says by how much it does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_CHANNELS_FIRST = [0, 3, 1, 2]


def simplify(model: ModelProto) -> ModelProto:
    """Applies all rewrites and drops what nothing needs any more. The same model gives the same bytes."""
    graph = model.graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    nodes = list(graph.node)
    nodes = fold_paddings(nodes, constants)
    nodes = spread_one_number(nodes, constants, _known_shapes(model))
    nodes = separate_peaks(nodes, constants)
    nodes = _keep_needed(nodes, [output.name for output in graph.output])
    used = {name for node in nodes for name in node.input}
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(values, name) for name, values in constants.items() if name in used
    )
    onnx.checker.check_model(model)
    return model


def fold_paddings(nodes: Sequence[NodeProto], constants: Mapping[str, NDArray[np.generic]]) -> list[NodeProto]:
    """A picture that is framed with zeros and then convolved without padding: the convolution frames it itself.

    In one pass over the picture instead of three; ONNX Runtime's blocked layout need not be left for it either.
    """
    makers = {output: node for node in nodes for output in node.output}
    use_counts = Counter(name for node in nodes for name in node.input)
    folded: list[NodeProto] = []
    for node in nodes:
        transpose = makers.get(node.input[0]) if node.op_type == "Conv" else None
        pad = makers.get(transpose.input[0]) if transpose is not None and transpose.op_type == "Transpose" else None
        amounts = _zero_frame(pad, constants) if pad is not None else None
        if transpose is None or pad is None or amounts is None or use_counts[pad.output[0]] != 1:
            folded.append(node)
            continue
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if attributes.get("auto_pad") != b"VALID" or _permutation(transpose) != _CHANNELS_FIRST:
            folded.append(node)
            continue
        del attributes["auto_pad"]
        turned = f"{transpose.output[0]}/unframed"
        folded.append(
            helper.make_node("Transpose", [pad.input[0]], [turned], name=f"{node.name}/turn", perm=_CHANNELS_FIRST)
        )
        folded.append(
            helper.make_node(
                "Conv", [turned, *node.input[1:]], list(node.output), name=node.name, **attributes, pads=amounts
            )
        )
    return folded


def spread_one_number(
    nodes: Sequence[NodeProto],
    constants: dict[str, NDArray[np.generic]],
    shapes: Mapping[str, Sequence[int | str]],
) -> list[NodeProto]:
    """A constant that is the same number everywhere becomes that number: runtimes have a fast way for it.

    With one value a channel and the channels last, ONNX Runtime works in strides of three numbers.
    """
    spread: list[NodeProto] = []
    for node in nodes:
        i_constant = next((i for i, name in enumerate(node.input) if name in constants), None)
        if node.op_type in {"Add", "Sub", "Mul", "Div"} and len(node.input) == 2 and i_constant is not None:
            name, other = node.input[i_constant], node.input[1 - i_constant]
            values = constants[name]
            if (
                values.ndim
                and values.size
                and (values == values.flat[0]).all()
                and _leaves_shape(values, shapes.get(other))
            ):
                number = f"{name}/number"
                constants[number] = values.reshape(-1)[0].reshape(())
                node = _with_input(node, i_constant, number)
        spread.append(node)
    return spread


def separate_peaks(nodes: Sequence[NodeProto], constants: dict[str, NDArray[np.generic]]) -> list[NodeProto]:
    """MoveNet's choice of each person's keypoints, without a number for every pixel, person and keypoint but one.

    The net looks, for person p and keypoint k, for the pixel where

        heat[k, y, x] * exp(-((y - y_pk)^2 + (x - x_pk)^2) / s) * [the pixel is in p's box]

    is largest. Both the bell and the box are a factor of y times a factor of x, so exponentials are taken along two
    edges instead of everywhere, and the largest value over all persons, which is the keypoint's score, is looked up at
    the 102 pixels chosen instead of being made for all. Scores differ in the last bits (measured: at most 3e-7), and a
    keypoint only where two pixels are equal to these bits.

    The graph is MoveNet's when it has the names that its authors gave; any other graph is left as it is.
    """
    root = "StatefulPartitionedCall"
    y_axis, x_axis = f"{root}/meshgrid/Reshape_3", f"{root}/range_1"
    names = {output for node in nodes for output in node.output}
    replaced = (f"{root}/ArgMax", f"{root}/Reshape_20")
    if not {y_axis, x_axis, f"{root}/mul_9", f"{root}/Squeeze_2", f"{root}/mul_6", *replaced} <= names:
        return list(nodes)
    build = _Builder(constants)
    heat = build.add("Unsqueeze", [build.add("Transpose", [f"{root}/Squeeze_2"], perm=[2, 0, 1]), build.integers(0)])
    factors = [
        # Place of the keypoint, the axis, edges of the box (from, to), and the shape: the axis last but one, or last.
        (f"{root}/add_6", y_axis, f"{root}/split", f"{root}/split:2", [1, 1, -1, 1]),
        (f"{root}/add_7", x_axis, f"{root}/split:1", f"{root}/split:3", [1, 1, 1, -1]),
    ]
    weights = [_axis_factor(build, root, *factor) for factor in factors]
    bell = build.add("Mul", weights)
    values = build.add("Mul", [heat, bell])  # [6, 17, H, W]
    flat = build.add("Reshape", [values, build.integers(6, 17, -1)])
    place = build.add("ArgMax", [flat], axis=2, keepdims=0)
    chosen = build.add("Reshape", [place, build.integers(-1)])
    build.add("Cast", [chosen], [replaced[0]], to=TensorProto.INT32)
    # The same pixel looked up in every person's values: [6, 17, 6], the last being the person who chose it.
    per_keypoint = build.add("Unsqueeze", [build.add("Transpose", [place], perm=[1, 0]), build.integers(0)])
    everybody = build.add("Expand", [per_keypoint, build.integers(6, 17, 6)])
    looked_up = build.add("GatherElements", [flat, everybody], axis=2)
    best = build.add("ReduceMax", [looked_up], axes=[0], keepdims=0)  # [17, 6]
    score = build.add("Transpose", [best], perm=[1, 0])
    build.add("Reshape", [score, build.integers(1, 6, 17)], [replaced[1]])
    kept = [node for node in nodes if not set(node.output) & set(replaced)]
    needed = {
        f"{root}/Squeeze_2",
        y_axis,
        x_axis,
        f"{root}/mul_6",
        *(part for factor in factors for part in factor[:4] if isinstance(part, str)),
    }
    last = max(i for i, node in enumerate(kept) if set(node.output) & needed)
    # The width of the picture was read off the values that are no longer made; the heat has it as well.
    moved = [
        _with_input(node, 0, f"{root}/Squeeze_2")
        if node.op_type == "Shape" and node.input[0] == f"{root}/mul_9"
        else node
        for node in kept
    ]
    return [*moved[: last + 1], *build.nodes, *moved[last + 1 :]]


def _axis_factor(build: _Builder, root: str, place: str, axis: str, start: str, end: str, shape: Sequence[int]) -> str:
    """The bell along one axis where the box is, 0 elsewhere; [6, 17, H, 1] or [6, 17, 1, W]."""
    along = build.add("Reshape", [axis, build.integers(*shape)])
    centre = build.add("Reshape", [place, build.integers(6, 17, 1, 1)])
    difference = build.add("Sub", [along, centre])
    exponent = build.add("Neg", [build.add("Div", [build.add("Mul", [difference, difference]), f"{root}/mul_6"])])
    from_here = build.add("GreaterOrEqual", [along, build.add("Reshape", [start, build.integers(6, 1, 1, 1)])])
    to_there = build.add("Less", [along, build.add("Reshape", [end, build.integers(6, 1, 1, 1)])])
    inside = build.add("Cast", [build.add("And", [from_here, to_there])], to=TensorProto.FLOAT)
    return build.add("Mul", [build.add("Exp", [exponent]), inside])


class _Builder:
    """Collects nodes with counted names of their own.

    Args:
        constants: Where constants go.
    """

    def __init__(self, constants: dict[str, NDArray[np.generic]]) -> None:
        self._constants = constants
        self.nodes: list[NodeProto] = []

    def add(
        self,
        operation: str,
        inputs: Sequence[str],
        outputs: Sequence[str] | None = None,
        **attributes: int | Sequence[int],
    ) -> str:
        """Adds a node; returns the name of its first output."""
        names = [f"rewritten_{len(self.nodes)}"] if outputs is None else list(outputs)
        self.nodes.append(helper.make_node(operation, inputs, names, name=f"rewrite_{len(self.nodes)}", **attributes))
        return names[0]

    def integers(self, *values: int) -> str:
        """Adds a constant vector, once; returns its name."""
        name = "rewritten_integers_" + "_".join(str(value) for value in values)
        self._constants[name] = np.array(values, np.int64)
        return name


def _known_shapes(model: ModelProto) -> dict[str, list[int | str]]:
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: [size.dim_value or size.dim_param for size in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }


def _leaves_shape(values: NDArray[np.generic], shape: Sequence[int | str] | None) -> bool:
    """Whether an operand of this shape comes out in its own shape, whatever is not known of it."""
    if shape is None or len(shape) < values.ndim:
        return False
    return all(size in (1, known) for size, known in zip(values.shape[::-1], list(shape)[::-1], strict=False))


def _zero_frame(node: NodeProto, constants: Mapping[str, NDArray[np.generic]]) -> list[int] | None:
    """ONNX's `pads` of a convolution for a frame of zeros around (N, H, W, C); None when it is not one."""
    mode = next((helper.get_attribute_value(item) for item in node.attribute if item.name == "mode"), b"constant")
    is_zero = len(node.input) < 3 or not node.input[2] or not np.any(constants.get(node.input[2], np.ones(1)))
    if node.op_type != "Pad" or mode != b"constant" or not is_zero or node.input[1] not in constants:
        return None
    before, after = constants[node.input[1]].reshape(2, 4).tolist()
    if before[0] or before[3] or after[0] or after[3]:
        return None
    return [before[1], before[2], after[1], after[2]]


def _permutation(node: NodeProto) -> list[int]:
    return [int(axis) for item in node.attribute if item.name == "perm" for axis in item.ints]


def _with_input(node: NodeProto, i_input: int, name: str) -> NodeProto:
    changed = NodeProto()
    changed.CopyFrom(node)
    changed.input[i_input] = name
    return changed


def _keep_needed(nodes: Sequence[NodeProto], outputs: Sequence[str]) -> list[NodeProto]:
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]
