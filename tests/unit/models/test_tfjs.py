"""Reading TensorFlow.js files and ordering their nodes."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from models.conversion.convert import convert_graph, sort_nodes
from models.conversion.tfjs import Node, read_graph


def text(value: str) -> dict[str, str]:
    """TensorFlow keeps texts in base64."""
    return {"s": base64.b64encode(value.encode()).decode()}


def document(weights: list[dict[str, object]], nodes: list[dict[str, object]]) -> bytes:
    """A model file."""
    size = {"dim": [{"size": "-1"}, {"size": "2"}]}
    placeholder = {"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": size}}}
    output = {"name": "y:0", "dtype": "DT_FLOAT", "tensorShape": size}
    return json.dumps(
        {
            "modelTopology": {"node": [placeholder, *nodes]},
            "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
            "signature": {"outputs": {"score:0": output}},
        }
    ).encode()


def plain(name: str, dtype: str, shape: list[int]) -> dict[str, object]:
    return {"name": name, "dtype": dtype, "shape": shape}


def test_weights_keep_their_values_in_every_storage() -> None:
    halves = np.array([0.5, -1.25], np.float16)
    steps = np.array([0, 255], np.uint8)
    whole = np.array([[1, -2]], np.int32)
    weights = [
        {**plain("half", "float32", [2]), "quantization": {"dtype": "float16"}},
        {**plain("affine", "float32", [2]), "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
        plain("whole", "int32", [1, 2]),
    ]
    graph = read_graph(document(weights, []), lambda _: halves.tobytes() + steps.tobytes() + whole.tobytes())
    np.testing.assert_array_equal(graph.weights["half"], halves.astype(np.float32))
    np.testing.assert_array_equal(graph.weights["affine"], np.array([-1.0, 126.5], np.float32))
    np.testing.assert_array_equal(graph.weights["whole"], whole)
    assert {weight.dtype for weight in graph.weights.values()} == {np.dtype(np.float32), np.dtype(np.int32)}


@pytest.mark.parametrize("byte_count", [7, 9])
def test_weights_of_another_length_than_declared_are_refused(byte_count: int) -> None:
    with pytest.raises(ValueError, match="weights"):
        read_graph(document([plain("w", "float32", [2])], []), lambda _: bytes(byte_count))


def test_nodes_keep_their_attributes_and_lose_control_inputs() -> None:
    node = {
        "name": "y",
        "op": "Conv2D",
        "input": ["x:0", "w", "^z"],
        "attr": {
            "padding": text("SAME"),
            "strides": {"list": {"i": ["1", "2"]}},
            "flag": {"b": True},
            "empty": {"list": {}},
        },
    }
    graph = read_graph(document([], [node]), lambda _: b"")
    assert graph.nodes["y"].inputs == ("x", "w")
    assert graph.nodes["y"].attributes == {"padding": "SAME", "strides": [1, 2], "flag": True, "empty": []}
    assert graph.outputs["score"].name == "y"
    assert graph.inputs[0].shape == (-1, 2)


def named(name: str, *inputs: str) -> Node:
    return Node(name=name, operation="Identity", inputs=inputs, attributes={})


def test_nodes_come_after_what_they_need_and_the_unneeded_do_not_come() -> None:
    nodes = {
        node.name: node
        for node in [named("d", "b", "c:1"), named("b", "a"), named("c", "a"), named("a"), named("lost", "a")]
    }
    order = [node.name for node in sort_nodes(nodes, ["d"])]
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order[0] == "a"
    assert order[-1] == "d"


def test_a_chain_of_ten_thousand_nodes_needs_no_deep_recursion() -> None:
    nodes = {"0": named("0")} | {str(i): named(str(i), str(i - 1)) for i in range(1, 10_000)}
    assert len(sort_nodes(nodes, ["9999"])) == 10_000


def test_the_same_graph_gives_the_same_bytes() -> None:
    node = {"name": "y", "op": "Mul", "input": ["x", "w"]}
    constant = {"name": "w", "op": "Const"}
    graph = read_graph(
        document([plain("w", "float32", [2])], [constant, node]), lambda _: np.ones(2, np.float32).tobytes()
    )
    first, second = (
        convert_graph(graph, outputs={"scores": "score"}, name="net").SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second
