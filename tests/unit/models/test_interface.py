"""A net is given the inputs and outputs that it is asked by, and says the same as before."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from models.conversion.interface import shape_outputs, take_pixels


def net(kind: int) -> onnx.ModelProto:
    """`sum` is what all pixels of an item add up to in each channel, and `all` is every one of them."""
    nodes = [
        helper.make_node("Cast", ["given"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers", "axes"], ["sum"], keepdims=0),
        helper.make_node("Flatten", ["numbers"], ["all"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("given", kind, ["count", 2, 2, 3])],
        [
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["count", 3]),
            helper.make_tensor_value_info("all", TensorProto.FLOAT, ["count", 12]),
        ],
        [helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, name: str, values: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, {name: values})]


IMAGES = np.random.default_rng(5).integers(0, 256, (4, 2, 2, 3), np.uint8)


@pytest.mark.parametrize(("kind", "dtype"), [(TensorProto.FLOAT, np.float32), (TensorProto.INT32, np.int32)])
def test_whole_pixels_go_in_as_they_are(kind: int, dtype: type[np.generic]) -> None:
    expected = run(net(kind), "given", IMAGES.astype(dtype))
    for before, after in zip(expected, run(take_pixels(net(kind), divisor=1), "images", IMAGES), strict=True):
        np.testing.assert_array_equal(after, before)


def test_pixels_are_divided_by_the_net_itself_to_the_last_bit() -> None:
    expected = run(net(TensorProto.FLOAT), "given", IMAGES.astype(np.float32) / np.float32(255))
    found = run(take_pixels(net(TensorProto.FLOAT), divisor=255), "images", IMAGES)
    for before, after in zip(expected, found, strict=True):
        np.testing.assert_array_equal(after, before)


def test_outputs_come_in_the_shape_that_is_asked_for() -> None:
    expected = run(net(TensorProto.FLOAT), "given", IMAGES.astype(np.float32))
    shaped = shape_outputs(net(TensorProto.FLOAT), {"all": [-1, 4, 3]})
    described = {output.name: output for output in shaped.graph.output}
    assert [size.dim_value for size in described["all"].type.tensor_type.shape.dim] == [0, 4, 3]
    found = run(shaped, "given", IMAGES.astype(np.float32))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1].reshape(4, 4, 3))


def test_an_output_that_is_not_there_is_said() -> None:
    with pytest.raises(KeyError, match="ears"):
        shape_outputs(net(TensorProto.FLOAT), {"ears": [-1, 2]})
