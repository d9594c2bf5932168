"""Reads a TensorFlow.js graph model: a JSON file with the graph, and binary files with the weights.

Source: the format as written by tfjs-converter 3 and 4 (`model.json`: modelTopology, weightsManifest, signature), read
off the files themselves.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

AttributeValue = int | float | bool | str | list[int] | list[str]

_DTYPES: dict[str, type[np.generic]] = {
    "float32": np.float32,
    "int32": np.int32,
    "bool": np.bool_,
    "uint8": np.uint8,
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation of the graph.

    Attributes:
        name: Name of the node and of its first output.
        operation: TensorFlow's name of the operation.
        inputs: Names of tensors; `node` is a node's first output, `node:1` its second.
        attributes: Plain values; types are TensorFlow's names, as in `DT_FLOAT`.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An input or output of the whole graph.

    Attributes:
        name: Name of the tensor inside the graph.
        dtype: TensorFlow's name, as in `DT_INT32`.
        shape: Sizes; -1 where any size fits.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A whole model.

    Attributes:
        nodes: By name.
        weights: Constants by the name of their node.
        inputs: The graph's inputs.
        outputs: The graph's outputs by the name that the model's signature gives them.
    """

    nodes: Mapping[str, Node]
    weights: Mapping[str, NDArray[np.generic]]
    inputs: tuple[Tensor, ...]
    outputs: Mapping[str, Tensor]


def read_graph(model_json: bytes, read_weights: Callable[[str], bytes]) -> Graph:
    """Reads a model.

    Args:
        model_json: The JSON file.
        read_weights: Gives the bytes of a weights file by the name that the JSON file uses.

    Raises:
        ValueError: The weights files are longer or shorter than the manifest says.
    """
    document = json.loads(model_json)
    nodes = [_read_node(entry) for entry in document["modelTopology"]["node"]]
    placeholders = [entry for entry in document["modelTopology"]["node"] if entry["op"] == "Placeholder"]
    return Graph(
        nodes={node.name: node for node in nodes},
        weights=_read_weights(document["weightsManifest"], read_weights),
        inputs=tuple(_read_placeholder(entry) for entry in placeholders),
        outputs={
            name.split(":")[0]: Tensor(
                name=first_output_name(entry["name"]),
                dtype=entry["dtype"],
                shape=tuple(int(size["size"]) for size in entry["tensorShape"]["dim"]),
            )
            for name, entry in document["signature"]["outputs"].items()
        },
    )


def first_output_name(reference: str) -> str:
    """TensorFlow writes a node's first output as `node` or `node:0`; we always use the former."""
    return reference.removesuffix(":0")


def _read_node(entry: Mapping[str, Any]) -> Node:
    return Node(
        name=entry["name"],
        operation=entry["op"],
        # A leading ^ marks an order of execution, which a graph without side effects does not need.
        inputs=tuple(first_output_name(name) for name in entry.get("input", []) if not name.startswith("^")),
        attributes={
            key: value for key, raw in entry.get("attr", {}).items() if (value := _read_attribute(raw)) is not None
        },
    )


def _read_attribute(raw: Mapping[str, Any]) -> AttributeValue | None:
    """The value of one attribute; None for kinds that no operation of ours uses (shapes, tensors)."""
    match raw:
        case {"i": value}:
            return int(value)
        case {"f": value}:
            return float(value)
        case {"b": value}:
            return bool(value)
        case {"s": value}:
            return _decode_text(value)
        case {"type": value}:
            return str(value)
        case {"list": {"i": values}}:
            return [int(value) for value in values]
        case {"list": {"s": values}}:
            return [_decode_text(value) for value in values]
        case {"list": _}:
            return []
        case _:
            return None


def _decode_text(value: str) -> str:
    return base64.b64decode(value).decode()


def _read_placeholder(entry: Mapping[str, Any]) -> Tensor:
    sizes = entry["attr"]["shape"]["shape"].get("dim", [])
    return Tensor(
        name=entry["name"], dtype=entry["attr"]["dtype"]["type"], shape=tuple(int(size["size"]) for size in sizes)
    )


def _read_weights(
    manifest: list[Mapping[str, Any]], read_weights: Callable[[str], bytes]
) -> dict[str, NDArray[np.generic]]:
    weights: dict[str, NDArray[np.generic]] = {}
    for group in manifest:
        buffer = b"".join(read_weights(path) for path in group["paths"])
        position = 0
        for entry in group["weights"]:
            stored, position = _take(buffer, position, entry)
            weights[entry["name"]] = stored
        if position != len(buffer):
            raise ValueError(f"the manifest describes {position} bytes of weights, but there are {len(buffer)}")
    return weights


def _take(buffer: bytes, position: int, entry: Mapping[str, Any]) -> tuple[NDArray[np.generic], int]:
    """One weight and the position after it; float16 and affine 8 or 16 bit storage become the declared type again."""
    quantization = entry.get("quantization")
    stored_dtype = np.dtype(quantization["dtype"] if quantization else _DTYPES[entry["dtype"]])
    count = math.prod(entry["shape"])
    end = position + count * stored_dtype.itemsize
    if end > len(buffer):
        raise ValueError(f"the weights end at byte {len(buffer)}, before {entry['name']} is complete")
    values = np.frombuffer(buffer, stored_dtype, count, position)
    if quantization and quantization["dtype"] != "float16":
        values = values.astype(np.float32) * np.float32(quantization["scale"]) + np.float32(quantization["min"])
    return values.astype(_DTYPES[entry["dtype"]]).reshape(entry["shape"]), end
