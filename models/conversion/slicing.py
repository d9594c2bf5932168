"""TensorFlow's StridedSlice: Python's slicing with everything in it, packed into five bit masks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.conversion.builder import GraphBuilder
from models.conversion.tfjs import Node

_FAR = 2**31 - 1
"""Beyond every axis that our models have; ONNX clips it to the axis."""


@dataclass
class _Plan:
    """What ONNX must do, axis by axis: slice, then drop axes, then add axes."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    axes: list[int] = field(default_factory=list)
    dropped_axes: list[int] = field(default_factory=list)
    added_positions: list[int] = field(default_factory=list)

    def slice_axis(self, axis: int, start: int, end: int, step: int) -> None:
        """Slices one axis; the whole axis forwards needs nothing."""
        if (start, end, step) != (0, _FAR, 1):
            self.starts.append(start)
            self.ends.append(end)
            self.steps.append(step)
            self.axes.append(axis)


def convert_strided_slice(builder: GraphBuilder, node: Node) -> None:
    """`values[begin:end:step, index, newaxis, ...]` with constant numbers."""
    values, *bounds = node.inputs
    begins, ends, steps = ([int(number) for number in builder.use_weight(name).reshape(-1)] for name in bounds)
    plan = _plan(node, begins, ends, steps)
    if plan.axes:
        numbers = (plan.starts, plan.ends, plan.axes, plan.steps)
        values = builder.add("Slice", [values, *(builder.add_constant(number, np.int64) for number in numbers)])
    if plan.dropped_axes:
        values = builder.add("Squeeze", [values, builder.add_constant(plan.dropped_axes, np.int64)])
    if plan.added_positions:
        values = builder.add("Unsqueeze", [values, builder.add_constant(plan.added_positions, np.int64)])
    builder.add("Identity", [values], [node.name])


def _plan(node: Node, begins: list[int], ends: list[int], steps: list[int]) -> _Plan:
    plan = _Plan()
    axis = 0
    for position in range(len(begins)):
        if _is_set(node, "ellipsis_mask", position):
            if node.attributes.get("new_axis_mask"):
                raise NotImplementedError(f"{node.name} has an ellipsis and a new axis")
            # What follows counts from the last axis.
            axis = -(len(begins) - 1 - position)
            continue
        if _is_set(node, "new_axis_mask", position):
            dropped_before = sum(1 for dropped in plan.dropped_axes if dropped < position)
            plan.added_positions.append(position - dropped_before)
            continue
        if _is_set(node, "shrink_axis_mask", position):
            end = begins[position] + 1 if begins[position] != -1 else _FAR
            plan.slice_axis(axis, begins[position], end, 1)
            plan.dropped_axes.append(axis)
        else:
            is_forward = steps[position] > 0
            start = (0 if is_forward else _FAR) if _is_set(node, "begin_mask", position) else begins[position]
            end = (_FAR if is_forward else -_FAR) if _is_set(node, "end_mask", position) else ends[position]
            plan.slice_axis(axis, start, end, steps[position])
        axis += 1
    return plan


def _is_set(node: Node, mask: str, position: int) -> bool:
    value = node.attributes.get(mask, 0)
    return isinstance(value, int) and bool(value >> position & 1)
