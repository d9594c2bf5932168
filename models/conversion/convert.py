"""From a TensorFlow.js graph to an ONNX model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx
from onnx import ValueInfoProto, helper, numpy_helper

from models.conversion.builder import ONNX_DTYPES, GraphBuilder
from models.conversion.operations import convert_node
from models.conversion.tfjs import Graph, Node, Tensor

OPSET = 17
_IR_VERSION = 8
"""The oldest that knows the opset, so that old runtimes read it."""


def convert_graph(graph: Graph, *, outputs: Mapping[str, str], name: str) -> onnx.ModelProto:
    """Converts the part of a graph that the wanted outputs need. The same graph gives the same bytes.

    Args:
        graph: The model.
        outputs: Names of the graph's outputs, as its signature has them, by the names that they get in ONNX. What only
            other outputs need is left out.
        name: Name of the ONNX graph.

    Raises:
        NotImplementedError: An operation is not in the table.
        KeyError: The graph has no such output.
    """
    tensors = {onnx_name: graph.outputs[signature_name] for onnx_name, signature_name in outputs.items()}
    builder = GraphBuilder(graph.weights)
    for node in sort_nodes(graph.nodes, (tensor.name for tensor in tensors.values())):
        convert_node(builder, node)
    for onnx_name, tensor in tensors.items():
        if onnx_name != tensor.name:
            builder.add("Identity", [tensor.name], [onnx_name])
    used = {input_name for node in builder.nodes for input_name in node.input}
    constants = {key: value for key, value in graph.weights.items() if key in used} | builder.constants
    model = helper.make_model(
        helper.make_graph(
            builder.nodes,
            name,
            [_describe(tensor.name, tensor) for tensor in graph.inputs],
            [_describe(onnx_name, tensor) for onnx_name, tensor in tensors.items()],
            [numpy_helper.from_array(value, key) for key, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="praxiscope",
    )
    onnx.checker.check_model(model)
    return model


def sort_nodes(nodes: Mapping[str, Node], wanted: Iterable[str]) -> list[Node]:
    """The nodes that the wanted tensors need, each after the nodes it needs itself.

    Args:
        nodes: By name.
        wanted: Names of tensors.
    """
    ordered: dict[str, Node] = {}
    pending = [(node_name(tensor), False) for tensor in reversed(list(wanted))]
    while pending:
        name, is_ready = pending.pop()
        if name in ordered:
            continue
        if is_ready:
            ordered[name] = nodes[name]
        else:
            pending.append((name, True))
            pending.extend((node_name(tensor), False) for tensor in reversed(nodes[name].inputs))
    return list(ordered.values())


def node_name(tensor: str) -> str:
    """The node that a tensor comes out of."""
    return tensor.split(":")[0]


def _describe(name: str, tensor: Tensor) -> ValueInfoProto:
    shape = [size if size > 0 else f"{name}_{i_axis}" for i_axis, size in enumerate(tensor.shape)]
    return helper.make_tensor_value_info(name, ONNX_DTYPES[tensor.dtype], shape)
