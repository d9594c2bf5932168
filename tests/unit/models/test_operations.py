"""Every operation in the table gives what TensorFlow's reference says, computed here with numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnxruntime
import pytest

from models.conversion.convert import convert_graph
from models.conversion.operations import OPERATIONS, known_operations
from models.conversion.tfjs import AttributeValue, Graph, Node, Tensor

Array = np.ndarray

_DTYPES = {np.dtype(np.float32): "DT_FLOAT", np.dtype(np.int32): "DT_INT32", np.dtype(np.bool_): "DT_BOOL"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One use of an operation: its inputs (arrays are fed, constants stand in the graph) and what must come out."""

    operation: str
    inputs: list[Array] = field(default_factory=list)
    constants: list[Array] = field(default_factory=list)
    constants_first: bool = False
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    expected: list[Array]


def run(case: Case) -> list[Array]:
    """Converts a graph of one node and runs it."""
    fed = {f"input{i}": array for i, array in enumerate(case.inputs)}
    constants = {f"constant{i}": array for i, array in enumerate(case.constants)}
    names = [*constants, *fed] if case.constants_first else [*fed, *constants]
    node = Node(name="result", operation=case.operation, inputs=tuple(names), attributes=case.attributes)
    nodes = {name: Node(name=name, operation="Placeholder", inputs=(), attributes={}) for name in fed}
    nodes |= {name: Node(name=name, operation="Const", inputs=(), attributes={}) for name in constants}
    outputs = {
        f"output{i}": Tensor(
            name="result" if i == 0 else f"result:{i}", dtype=_DTYPES[expected.dtype], shape=(-1,) * expected.ndim
        )
        for i, expected in enumerate(case.expected)
    }
    graph = Graph(
        nodes={**nodes, "result": node},
        weights=constants,
        inputs=tuple(
            Tensor(name=name, dtype=_DTYPES[array.dtype], shape=(-1,) * array.ndim) for name, array in fed.items()
        ),
        outputs=outputs,
    )
    model = convert_graph(graph, outputs={name: name for name in outputs}, name="test")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, fed)


def f32(*values: object) -> Array:
    """Floats."""
    return np.array(values, np.float32)


def i32(*values: object) -> Array:
    """Whole numbers."""
    return np.array(values, np.int32)


_RNG = np.random.default_rng(7)
_PICTURE = _RNG.standard_normal((1, 5, 6, 3)).astype(np.float32)
_TABLE = _RNG.standard_normal((3, 4)).astype(np.float32)
_FLAGS = np.array([True, False, True])


def convolve(
    picture: Array, weights: Array, *, stride: int = 1, pad: tuple[int, int, int, int] = (0, 0, 0, 0), dilation: int = 1
) -> Array:
    """Convolution (N, H, W, in) x (h, w, in, out) by its definition; `pad` is top, bottom, left, right."""
    padded = np.pad(picture, ((0, 0), pad[:2], pad[2:], (0, 0)))
    height, width, _, out_count = weights.shape
    rows = (padded.shape[1] - dilation * (height - 1) - 1) // stride + 1
    columns = (padded.shape[2] - dilation * (width - 1) - 1) // stride + 1
    result = np.zeros((picture.shape[0], rows, columns, out_count), np.float32)
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            window = padded[:, top : top + dilation * height : dilation, left : left + dilation * width : dilation][
                :, :height, :width
            ]
            result[:, row, column] = np.einsum("nhwc,hwco->no", window, weights)
    return result


def depthwise(picture: Array, weights: Array, *, pad: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Array:
    """Every channel by itself: (h, w, in, multiplier)."""
    channels = [
        convolve(picture[..., i : i + 1], weights[:, :, i : i + 1, :], pad=pad) for i in range(picture.shape[-1])
    ]
    return np.concatenate(channels, axis=-1)


def resize_half_pixel(picture: Array, height: int, width: int) -> Array:
    """Bilinear with pixel centres at one half."""

    def weights(size: int, target: int) -> Array:
        position = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, size - 1)
        matrix = np.zeros((target, size), np.float32)
        matrix[np.arange(target), low] += 1 - (position - low)
        matrix[np.arange(target), high] += position - low
        return matrix

    rows, columns = weights(picture.shape[1], height), weights(picture.shape[2], width)
    return np.einsum("rh,nhwc,kw->nrkc", rows, picture, columns).astype(np.float32)


def sigmoid(values: Array) -> Array:
    """Logistic function."""
    return (1 / (1 + np.exp(-values.astype(np.float64)))).astype(np.float32)


def strided(expected: Array, starts: list[int], stops: list[int], steps: list[int], **masks: int) -> Case:
    """A StridedSlice of the picture."""
    return Case(
        operation="StridedSlice",
        inputs=[_PICTURE],
        constants=[i32(*starts), i32(*stops), i32(*steps)],
        attributes={f"{name}_mask": value for name, value in masks.items()},
        expected=[expected],
    )


def binary(operation: str, function: Callable[[Array, Array], Array], *, integer: bool = False) -> Case:
    """An operation of two arrays, one of which is stretched to the other."""
    first = i32([-7, 7, 8], [3, -3, 0]) if integer else f32([-7, 7, 8], [3, -3, 0.5])
    second = i32(2, -2, 3) if integer else f32(2, -2, 0.5)
    return Case(
        operation=operation,
        inputs=[first, second],
        attributes={"T": "DT_INT32" if integer else "DT_FLOAT"},
        expected=[function(first, second)],
    )


_CONV = _RNG.standard_normal((3, 3, 3, 2)).astype(np.float32)
_DEPTHWISE = _RNG.standard_normal((3, 3, 3, 2)).astype(np.float32)
_BIAS = f32(0.5, -4.0)
_CONV_ATTRIBUTES: dict[str, AttributeValue] = {"strides": [1, 1, 1, 1], "dilations": [1, 1, 1, 1], "padding": "VALID"}
_SAME = (1, 1, 1, 1)

CASES: dict[str, Case] = {
    "Abs": Case(operation="Abs", inputs=[_TABLE], expected=[np.abs(_TABLE)]),
    "Add": binary("Add", np.add),
    "AddV2": binary("AddV2", np.add, integer=True),
    "AddN": Case(operation="AddN", inputs=[_TABLE, _TABLE, _TABLE], expected=[_TABLE * 3]),
    "ArgMax": Case(
        operation="ArgMax",
        inputs=[_TABLE],
        constants=[i32(1)],
        attributes={"output_type": "DT_INT32"},
        expected=[_TABLE.argmax(axis=1).astype(np.int32)],
    ),
    "Cast": Case(
        operation="Cast",
        inputs=[f32(-1.7, 0.0, 2.9)],
        attributes={"DstT": "DT_INT32"},
        expected=[i32(-1, 0, 2)],
    ),
    "ConcatV2": Case(
        operation="ConcatV2",
        inputs=[_TABLE, _TABLE],
        constants=[np.array(-1, np.int32)],
        expected=[np.concatenate([_TABLE, _TABLE], axis=-1)],
    ),
    "Const": Case(operation="Identity", constants=[_TABLE], expected=[_TABLE]),
    "Conv2D": Case(
        operation="Conv2D",
        inputs=[_PICTURE],
        constants=[_CONV],
        attributes=_CONV_ATTRIBUTES,
        expected=[convolve(_PICTURE, _CONV)],
    ),
    "Conv2D dilated, same": Case(
        operation="Conv2D",
        inputs=[_PICTURE],
        constants=[_CONV],
        attributes={**_CONV_ATTRIBUTES, "dilations": [1, 2, 2, 1], "padding": "SAME"},
        expected=[convolve(_PICTURE, _CONV, pad=(2, 2, 2, 2), dilation=2)],
    ),
    "Conv2D strided, same": Case(
        operation="Conv2D",
        inputs=[_PICTURE],
        constants=[_CONV],
        attributes={**_CONV_ATTRIBUTES, "strides": [1, 2, 2, 1], "padding": "SAME"},
        # 5 rows need one above and one below, 6 columns one on the right only.
        expected=[convolve(_PICTURE, _CONV, pad=(1, 1, 0, 1), stride=2)],
    ),
    "Conv2D explicit padding": Case(
        operation="Conv2D",
        inputs=[_PICTURE],
        constants=[_CONV],
        attributes={**_CONV_ATTRIBUTES, "padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 3, 0, 0]},
        expected=[convolve(_PICTURE, _CONV, pad=(1, 2, 0, 3))],
    ),
    "DepthwiseConv2dNative": Case(
        operation="DepthwiseConv2dNative",
        inputs=[_PICTURE],
        constants=[_DEPTHWISE],
        attributes={**_CONV_ATTRIBUTES, "padding": "SAME"},
        expected=[depthwise(_PICTURE, _DEPTHWISE, pad=_SAME)],
    ),
    "Equal": binary("Equal", np.equal),
    "Exp": Case(operation="Exp", inputs=[_TABLE], expected=[np.exp(_TABLE)]),
    "ExpandDims": Case(
        operation="ExpandDims", inputs=[_TABLE], constants=[np.array(1, np.int32)], expected=[_TABLE[:, None]]
    ),
    "Fill": Case(operation="Fill", inputs=[i32(2, 3), np.array(4.5, np.float32)], expected=[np.full((2, 3), 4.5, "f")]),
    "FloorDiv": binary("FloorDiv", np.floor_divide, integer=True),
    "FloorDiv of floats": binary("FloorDiv", np.floor_divide),
    "FloorMod": binary("FloorMod", np.mod, integer=True),
    "FusedDepthwiseConv2dNative": Case(
        operation="FusedDepthwiseConv2dNative",
        inputs=[_PICTURE],
        constants=[_DEPTHWISE[..., :1], f32(0.5, -4.0, 1.0)],
        attributes={**_CONV_ATTRIBUTES, "fused_ops": ["BiasAdd", "Relu6"]},
        expected=[np.clip(depthwise(_PICTURE, _DEPTHWISE[..., :1]) + f32(0.5, -4.0, 1.0), 0, 6)],
    ),
    "GatherNd": Case(operation="GatherNd", inputs=[_TABLE, i32([0, 1], [2, 3])], expected=[_TABLE[[0, 2], [1, 3]]]),
    "GatherV2": Case(
        operation="GatherV2",
        inputs=[_TABLE, i32(3, 0)],
        constants=[np.array(1, np.int32)],
        expected=[_TABLE[:, [3, 0]]],
    ),
    "Greater": binary("Greater", np.greater),
    "GreaterEqual": binary("GreaterEqual", np.greater_equal),
    "Identity": Case(operation="Identity", inputs=[_TABLE], expected=[_TABLE]),
    "Less": binary("Less", np.less),
    "LogicalAnd": Case(operation="LogicalAnd", inputs=[_FLAGS, ~_FLAGS], expected=[_FLAGS & ~_FLAGS]),
    "Max": Case(operation="Max", inputs=[_TABLE], constants=[i32(0)], expected=[_TABLE.max(axis=0)]),
    "MaxPool": Case(
        operation="MaxPool",
        inputs=[_PICTURE],
        attributes={"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"},
        expected=[_PICTURE[:, :4].reshape(1, 2, 2, 3, 2, 3).max(axis=(2, 4))],
    ),
    "Maximum": binary("Maximum", np.maximum),
    "Mean": Case(
        operation="Mean",
        inputs=[_PICTURE],
        constants=[i32(1, 2)],
        attributes={"keep_dims": True},
        expected=[_PICTURE.mean(axis=(1, 2), keepdims=True)],
    ),
    "Minimum": binary("Minimum", np.minimum),
    "Mul": binary("Mul", np.multiply),
    "Pack": Case(
        operation="Pack", inputs=[_TABLE, -_TABLE], attributes={"axis": 1}, expected=[np.stack([_TABLE, -_TABLE], 1)]
    ),
    "Pad": Case(
        operation="Pad",
        inputs=[_TABLE],
        constants=[i32([1, 2], [0, 3])],
        expected=[np.pad(_TABLE, ((1, 2), (0, 3)))],
    ),
    "Placeholder": Case(operation="Identity", inputs=[_TABLE], expected=[_TABLE]),
    "Range": Case(
        operation="Range",
        inputs=[np.array(2, np.int32), np.array(9, np.int32), np.array(3, np.int32)],
        expected=[i32(2, 5, 8)],
    ),
    "RealDiv": binary("RealDiv", np.divide),
    "Reciprocal": Case(operation="Reciprocal", inputs=[_TABLE], expected=[1 / _TABLE]),
    "Relu": Case(operation="Relu", inputs=[_TABLE], expected=[np.maximum(_TABLE, 0)]),
    "Relu6": Case(operation="Relu6", inputs=[_TABLE * 9], expected=[np.clip(_TABLE * 9, 0, 6)]),
    "Reshape": Case(operation="Reshape", inputs=[_TABLE], constants=[i32(2, -1)], expected=[_TABLE.reshape(2, -1)]),
    "Reshape computed": Case(operation="Reshape", inputs=[_TABLE, i32(6, 2)], expected=[_TABLE.reshape(6, 2)]),
    "ResizeBilinear": Case(
        operation="ResizeBilinear",
        inputs=[_PICTURE],
        constants=[i32(10, 9)],
        attributes={"half_pixel_centers": True},
        expected=[resize_half_pixel(_PICTURE, 10, 9)],
    ),
    "Select": Case(operation="Select", inputs=[_FLAGS, f32(1, 2, 3), f32(4, 5, 6)], expected=[f32(1, 5, 3)]),
    "Shape": Case(operation="Shape", inputs=[_PICTURE], expected=[i32(1, 5, 6, 3)]),
    "Sigmoid": Case(operation="Sigmoid", inputs=[_TABLE], expected=[sigmoid(_TABLE)]),
    "Size": Case(operation="Size", inputs=[_PICTURE], expected=[np.array(90, np.int32)]),
    "Split": Case(
        operation="Split",
        inputs=[_TABLE],
        constants=[np.array(1, np.int32)],
        constants_first=True,
        attributes={"num_split": 2},
        expected=[_TABLE[:, :2], _TABLE[:, 2:]],
    ),
    "SquaredDifference": binary("SquaredDifference", lambda a, b: (a - b) ** 2),
    "Squeeze": Case(operation="Squeeze", inputs=[_PICTURE], attributes={"squeeze_dims": [0]}, expected=[_PICTURE[0]]),
    "Squeeze all": Case(operation="Squeeze", inputs=[_PICTURE[:, :1]], expected=[_PICTURE[0, 0]]),
    "StridedSlice": strided(_PICTURE[:, 1:4:2], [0, 1], [0, 4], [1, 2], begin=1, end=1),
    "StridedSlice backwards": strided(_PICTURE[:, ::-1], [0, 0], [0, 0], [1, -1], begin=3, end=3),
    "StridedSlice one index": strided(_PICTURE[0, -1], [0, -1], [1, 0], [1, 1], shrink_axis=3),
    "StridedSlice last axis": strided(_PICTURE[..., 1], [0, 1], [0, 2], [1, 1], ellipsis=1, shrink_axis=2),
    "StridedSlice new axis": strided(
        _PICTURE[:, None, 2], [0, 0, 2], [0, 0, 3], [1, 1, 1], begin=1, end=1, new_axis=2, shrink_axis=4
    ),
    "Sub": binary("Sub", np.subtract, integer=True),
    "Sum": Case(operation="Sum", inputs=[_TABLE], constants=[i32(1)], expected=[_TABLE.sum(axis=1)]),
    "Tile": Case(operation="Tile", inputs=[_TABLE], constants=[i32(2, 3)], expected=[np.tile(_TABLE, (2, 3))]),
    "TopKV2": Case(
        operation="TopKV2",
        inputs=[_TABLE],
        constants=[np.array(2, np.int32)],
        expected=[
            -np.sort(-_TABLE, axis=1)[:, :2],
            np.argsort(-_TABLE, axis=1)[:, :2].astype(np.int32),
        ],
    ),
    "Unpack": Case(
        operation="Unpack",
        inputs=[_TABLE],
        attributes={"axis": 0, "num": 3},
        expected=[_TABLE[0], _TABLE[1], _TABLE[2]],
    ),
    "Unpack one": Case(operation="Unpack", inputs=[_TABLE[:1]], attributes={"axis": 0, "num": 1}, expected=[_TABLE[0]]),
    "_FusedConv2D": Case(
        operation="_FusedConv2D",
        inputs=[_PICTURE],
        constants=[_CONV, _BIAS],
        attributes={**_CONV_ATTRIBUTES, "fused_ops": ["BiasAdd", "Relu"]},
        expected=[np.maximum(convolve(_PICTURE, _CONV) + _BIAS, 0)],
    ),
    "_FusedConv2D with slopes": Case(
        operation="_FusedConv2D",
        inputs=[_PICTURE],
        constants=[_CONV, _BIAS, f32(0.1, 0.2)],
        attributes={**_CONV_ATTRIBUTES, "fused_ops": ["BiasAdd", "Prelu"]},
        expected=[(lambda sums: np.where(sums > 0, sums, sums * f32(0.1, 0.2)))(convolve(_PICTURE, _CONV) + _BIAS)],
    ),
}

_TOLERANCE = 1e-5
"""Sums of a few dozen float32 products in another order."""


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_converted_operation_computes_what_the_definition_says(name: str) -> None:
    case = CASES[name]
    for found, expected in zip(run(case), case.expected, strict=True):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE)


def test_every_operation_in_the_table_has_a_case() -> None:
    assert set(known_operations()) == {name.split(" ")[0] for name in CASES} & set(OPERATIONS)


def test_an_unknown_operation_is_named_in_the_error() -> None:
    with pytest.raises(NotImplementedError, match="result is a Fft"):
        run(Case(operation="Fft", inputs=[_TABLE], expected=[_TABLE]))


@pytest.mark.parametrize(
    ("operation", "inputs", "constants", "attributes"),
    [
        ("GatherV2", [_TABLE, i32(0)], [np.array(0, np.int32)], {"batch_dims": 1}),
        ("Conv2D", [_PICTURE], [_CONV], {**_CONV_ATTRIBUTES, "data_format": "NCHW"}),
        (
            "Conv2D",
            [_PICTURE],
            [_CONV],
            {**_CONV_ATTRIBUTES, "padding": "SAME", "dilations": [1, 2, 2, 1], "strides": [1, 2, 2, 1]},
        ),
        ("_FusedConv2D", [_PICTURE], [_CONV, _BIAS], {**_CONV_ATTRIBUTES, "fused_ops": ["BiasAdd", "Swish"]}),
        ("ConcatV2", [_TABLE, _TABLE, i32(0)], [], {}),
    ],
)
def test_a_use_that_is_not_supported_is_refused_instead_of_converted_wrongly(
    operation: str, inputs: list[Array], constants: list[Array], attributes: dict[str, AttributeValue]
) -> None:
    with pytest.raises(NotImplementedError):
        run(Case(operation=operation, inputs=inputs, constants=constants, attributes=attributes, expected=[_TABLE]))
