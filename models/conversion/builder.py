"""Collects ONNX nodes and constants. Names are counted, so the same graph gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import NodeProto, TensorProto, helper

ONNX_DTYPES: dict[str, int] = {
    "DT_FLOAT": TensorProto.FLOAT,
    "DT_INT32": TensorProto.INT32,
    "DT_INT64": TensorProto.INT64,
    "DT_BOOL": TensorProto.BOOL,
}
"""ONNX's element types by TensorFlow's names."""


class GraphBuilder:
    """The ONNX graph under construction.

    Args:
        weights: The model's constants by name.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.generic]]) -> None:
        """Starts empty."""
        self._weights = weights
        self._count = 0
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[np.generic]] = {}

    def add(
        self,
        operation: str,
        inputs: Sequence[str],
        outputs: Sequence[str] | None = None,
        **attributes: int | str | Sequence[int],
    ) -> str:
        """Adds one ONNX node.

        Args:
            operation: ONNX's name of the operation.
            inputs: Names of its inputs; an empty name leaves an optional one out.
            outputs: Names of its outputs; by default one with a counted name.
            **attributes: ONNX's attributes.

        Returns:
            Name of the first output.
        """
        self._count += 1
        names = [f"{operation}_{self._count}"] if outputs is None else list(outputs)
        self.nodes.append(helper.make_node(operation, inputs, names, name=f"node_{self._count}", **attributes))
        return names[0]

    def add_constant(self, values: ArrayLike, dtype: DTypeLike) -> str:
        """Adds a constant and gives its name."""
        self._count += 1
        name = f"constant_{self._count}"
        self.constants[name] = np.array(values, dtype, order="C")
        return name

    def use_weight(self, name: str) -> NDArray[np.generic]:
        """The values of an input that must be a constant.

        Raises:
            NotImplementedError: It is computed instead.
        """
        if name not in self._weights:
            raise NotImplementedError(f"{name} must be a constant, but the graph computes it")
        return self._weights[name]

    def as_shape(self, name: str) -> str:
        """An input as the vector of int64 that ONNX wants for shapes and counts."""
        if name in self._weights:
            return self.add_constant(self._weights[name].reshape(-1), np.int64)
        return self.add("Reshape", [self.add("Cast", [name], to=TensorProto.INT64), self.add_constant([-1], np.int64)])

    def as_indices(self, name: str) -> str:
        """An input as int64 of its own shape, which ONNX wants for indices."""
        if name in self._weights:
            return self.add_constant(self._weights[name], np.int64)
        return self.add("Cast", [name], to=TensorProto.INT64)

    def channels_first(self, name: str) -> str:
        """A picture from TensorFlow's order (N, H, W, C) to ONNX's (N, C, H, W)."""
        return self.add("Transpose", [name], perm=[0, 3, 1, 2])

    def channels_last(self, name: str, output: str) -> str:
        """A picture from ONNX's order to TensorFlow's."""
        return self.add("Transpose", [name], [output], perm=[0, 2, 3, 1])
