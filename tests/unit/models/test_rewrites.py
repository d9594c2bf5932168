"""Rewritten graphs say what they said before."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.conversion.rewrites import simplify


def model_of(nodes: list[onnx.NodeProto], shape: list[int | str], **constants: np.ndarray) -> onnx.ModelProto:
    """A graph with one input `x` and one output `y`."""
    return helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
            [numpy_helper.from_array(values, name) for name, values in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def run(model: onnx.ModelProto, picture: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": picture})[0])


def framed_convolution(*, auto_pad: str = "VALID", frame_value: float = 0.0) -> onnx.ModelProto:
    """A frame of 1, 2, 3 and 4 pixels around a picture with the channels last, and a convolution."""
    generator = np.random.default_rng(3)
    return model_of(
        [
            helper.make_node("Pad", ["x", "frame", "value"], ["framed"]),
            helper.make_node("Transpose", ["framed"], ["turned"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["turned", "weights"], ["y"], strides=[2, 2], auto_pad=auto_pad),
        ],
        [1, 12, 9, 3],
        frame=np.array([0, 1, 2, 0, 0, 3, 4, 0], np.int64),
        value=np.array(frame_value, np.float32),
        weights=generator.normal(size=(5, 3, 3, 3)).astype(np.float32),
    )


def operations(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def test_a_frame_of_zeros_becomes_the_convolutions_own() -> None:
    before = run(framed_convolution(), picture(1, 12, 9, 3))
    model = simplify(framed_convolution())
    assert operations(model) == ["Transpose", "Conv"]
    np.testing.assert_array_equal(run(model, picture(1, 12, 9, 3)), before)


@pytest.mark.parametrize("model", [framed_convolution(auto_pad="SAME_UPPER"), framed_convolution(frame_value=1.0)])
def test_another_frame_is_left_as_it_is(model: onnx.ModelProto) -> None:
    before = run(model, picture(1, 12, 9, 3))
    assert operations(simplify(model)) == ["Pad", "Transpose", "Conv"]
    np.testing.assert_array_equal(run(model, picture(1, 12, 9, 3)), before)


def test_a_frame_that_somebody_else_needs_stays() -> None:
    model = framed_convolution()
    model.graph.node.append(helper.make_node("ReduceSum", ["framed"], ["sum"], keepdims=1))
    model.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None] * 4))
    assert "Pad" in operations(simplify(model))


@pytest.mark.parametrize(
    ("values", "shape", "expected"),
    [
        ([2.0, 2.0, 2.0], [1, "height", "width", 3], []),
        ([2.0, 2.5, 2.0], [1, "height", "width", 3], [1, 1, 1, 3]),  # not one number
        ([2.0, 2.0, 2.0], [1, "height", "width", 1], [1, 1, 1, 3]),  # the constant makes three channels of one
        ([2.0, 2.0, 2.0], [1, "height", "width", "channels"], [1, 1, 1, 3]),  # perhaps it does
    ],
)
def test_a_constant_that_is_one_number_becomes_that_number_where_shapes_stay(
    values: list[float], shape: list[int | str], expected: list[int]
) -> None:
    nodes = [helper.make_node("Mul", ["x", "factor"], ["y"])]
    factor = np.array(values, np.float32).reshape(1, 1, 1, 3)
    channel_count = shape[-1] if isinstance(shape[-1], int) else 3
    before = run(model_of(nodes, shape, factor=factor), picture(1, 4, 5, channel_count))
    model = simplify(model_of(nodes, shape, factor=factor))
    assert [list(constant.dims) for constant in model.graph.initializer] == [expected]
    np.testing.assert_array_equal(run(model, picture(1, 4, 5, channel_count)), before)


def test_what_nothing_needs_is_dropped() -> None:
    nodes = [helper.make_node("Neg", ["x"], ["unused"]), helper.make_node("Abs", ["x"], ["y"])]
    assert operations(simplify(model_of(nodes, [1, 2, 2, 1]))) == ["Abs"]
