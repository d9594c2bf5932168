"""The .glb container of glTF 2.0: JSON that describes, bytes that it describes.

Read: one file that holds all, scenes with nodes and their transforms, accessors without sparse parts. Not read: buffers and pictures by address.
Source: Khronos, "glTF 2.0 Specification", sections 3.6 (accessors), 3.5 (nodes) and 4.4 (GLB).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from praxiscope_worlds.formats._check import Check, FindingCode

GLB_MAGIC = b"glTF"
_HEADER = struct.Struct("<4sII")
_CHUNK = struct.Struct("<II")
_JSON, _BIN = 0x4E4F534A, 0x004E4942
COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_COMPONENT_CODES = {np.dtype(name): code for code, name in COMPONENTS.items()}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TYPES = {width: name for name, width in WIDTHS.items()}
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_MAX_NODES = 100_000
_MAX_DEPTH = 256


class GlbBuilder:
    """Collects arrays and yields the file."""

    def __init__(self) -> None:
        """Starts empty."""
        self._pieces: list[bytes] = []
        self._size = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add_bytes(self, content: bytes, **properties: object) -> int:
        """Adds a buffer view and returns its index."""
        self.views.append({"buffer": 0, "byteOffset": self._size, "byteLength": len(content), **properties})
        padding = -len(content) % 4
        self._pieces += [content, b"\0" * padding]
        self._size += len(content) + padding
        return len(self.views) - 1

    def add_array(
        self, values: np.ndarray, *, is_normalized: bool = False, has_bounds: bool = False, is_index: bool = False
    ) -> int:
        """Adds an accessor, [count] or [count, width], and returns its index."""
        target = _ELEMENT_ARRAY_BUFFER if is_index else _ARRAY_BUFFER
        accessor: dict[str, Any] = {
            "bufferView": self.add_bytes(np.ascontiguousarray(values).tobytes(), target=target),
            "componentType": _COMPONENT_CODES[values.dtype.newbyteorder("<")],
            "count": len(values),
            "type": _TYPES[1 if values.ndim == 1 else values.shape[1]],
        }
        if is_normalized:
            accessor["normalized"] = True
        if has_bounds:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def chunks(self, tree: dict[str, Any]) -> Iterator[bytes]:
        """The file; `tree` is the JSON without buffers, views and accessors."""
        tree = {
            "asset": {"version": "2.0", "generator": "Praxiscope"},
            **tree,
            "buffers": [{"byteLength": self._size}],
            "bufferViews": self.views,
            "accessors": self.accessors,
        }
        text = json.dumps(tree, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        total = _HEADER.size + 2 * _CHUNK.size + len(text) + self._size
        yield _HEADER.pack(GLB_MAGIC, 2, total) + _CHUNK.pack(len(text), _JSON) + text + _CHUNK.pack(self._size, _BIN)
        yield from (piece for piece in self._pieces if piece)


@dataclass(frozen=True, kw_only=True)
class PlacedPrimitive:
    """One primitive where a node puts it.

    Attributes:
        tree: Its JSON.
        where: Its JSON path.
        world_from_local: Affine transform, [4, 4].
    """

    tree: dict[str, Any]
    where: str
    world_from_local: np.ndarray


class Gltf:
    """A .glb file that is open for reading; every index and offset is checked before it is followed."""

    def __init__(self, check: Check, data: memoryview) -> None:
        """Reads the JSON; the arrays are read when asked for."""
        self._check = check
        text, self._binary = _chunks_of(check, data)
        self._tree = _parsed(check, text)
        for extension in self._tree.get("extensionsRequired") or ():
            check.need(
                extension in ("KHR_gaussian_splatting", "KHR_materials_unlit"),
                FindingCode.UNSUPPORTED,
                "extensionsRequired",
                f"{str(extension)[:60]!r} is not known here",
            )

    def items(self, name: str) -> Sequence[dict[str, Any]]:
        """One of the top-level lists."""
        return self.objects(self._tree.get(name, []), name)

    def objects(self, value: object, where: str) -> Sequence[dict[str, Any]]:
        """A list of JSON objects."""
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._check.fail(FindingCode.BAD_HEADER, where, "a list of objects is expected")
        return value

    def object(self, value: object, where: str) -> dict[str, Any]:
        """A JSON object."""
        if not isinstance(value, dict):
            self._check.fail(FindingCode.BAD_HEADER, where, "an object is expected")
        return value

    def item(self, name: str, index: object, where: str) -> dict[str, Any]:
        """What an index names."""
        items = self.items(name)
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(items):
            self._check.fail(
                FindingCode.OUT_OF_RANGE, where, f"there is no {name}[{str(index)[:20]}]; there are {len(items)}"
            )
        return items[index]

    def number(self, tree: dict[str, Any], name: str, where: str, *, default: int | None = None) -> int:
        """A count or an offset."""
        value = tree.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._check.fail(FindingCode.BAD_HEADER, f"{where}.{name}", f"a count is expected, is {str(value)[:20]}")
        return value

    def numbers(self, value: object, length: int, where: str) -> np.ndarray:
        """A list of finite numbers."""
        items = value if isinstance(value, list) else []
        is_numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in items)
        if len(items) != length or not is_numbers:
            self._check.fail(FindingCode.BAD_HEADER, where, f"a list of {length} numbers is expected")
        try:
            numbers = np.array(items, np.float64)
        except OverflowError:
            numbers = np.full(length, np.inf)
        self._check.need(bool(np.isfinite(numbers).all()), FindingCode.NOT_FINITE, where, "a number is not finite")
        return numbers

    def view(self, index: object, where: str) -> tuple[memoryview, int]:
        """The bytes of a buffer view, and its stride or 0."""
        tree = self.item("bufferViews", index, where)
        where = f"bufferViews[{index}]"
        self._check.need(
            tree.get("buffer") == 0, FindingCode.UNSUPPORTED, where, "only buffer 0, the file's own, is read"
        )
        offset = self.number(tree, "byteOffset", where, default=0)
        length = self.number(tree, "byteLength", where)
        self._check.need(
            offset + length <= len(self._binary),
            FindingCode.OUT_OF_RANGE,
            where,
            f"it ends at byte {offset + length} of {len(self._binary)}",
        )
        stride = self.number(tree, "byteStride", where, default=0)
        self._check.need(stride <= 252, FindingCode.OUT_OF_RANGE, where, f"a stride of {stride} bytes; at most 252")
        return self._binary[offset : offset + length], stride

    def accessor(self, index: object, where: str, *, widths: Sequence[int], is_scaled: bool = True) -> np.ndarray:
        """The numbers of an accessor, [count, width]; a view into the file where they are neither scaled nor apart.

        Args:
            index: Which.
            where: Who asks, for messages.
            widths: Numbers a row that are allowed.
            is_scaled: Normalised integers become floats.
        """
        tree = self.item("accessors", index, where)
        where = f"accessors[{index}]"
        self._check.need("sparse" not in tree, FindingCode.UNSUPPORTED, where, "sparse accessors are not read")
        kind, code = tree.get("type"), tree.get("componentType")
        width = WIDTHS.get(kind, 0) if isinstance(kind, str) else 0
        self._check.need(
            width in widths,
            FindingCode.INCONSISTENT,
            where,
            f"type {str(kind)[:20]}; {' or '.join(map(str, widths))} numbers fit",
        )
        if not isinstance(code, int) or code not in COMPONENTS:
            self._check.fail(FindingCode.BAD_HEADER, where, f"no component type {str(code)[:20]}")
        dtype = np.dtype(COMPONENTS[code])
        count = self.number(tree, "count", where)
        content, stride = self.view(tree.get("bufferView"), f"{where}.bufferView")
        offset = self.number(tree, "byteOffset", where, default=0)
        row = width * dtype.itemsize
        step = stride or row
        self._check.need(step >= row, FindingCode.OUT_OF_RANGE, where, f"a stride of {step} bytes for rows of {row}")
        end = offset + (step * (count - 1) + row if count else 0)
        self._check.need(
            end <= len(content),
            FindingCode.OUT_OF_RANGE,
            where,
            f"{count} rows end at byte {end} of the view's {len(content)}",
        )
        values = (
            np.ndarray((count, width), dtype, buffer=content, offset=offset, strides=(step, dtype.itemsize))
            if count
            else np.empty((0, width), dtype)
        )
        if tree.get("normalized") is True and is_scaled and dtype.kind != "f":
            top = np.iinfo(dtype).max
            return np.maximum(values.astype(np.float32) / np.float32(top), -1)
        return values

    def placed_primitives(self) -> Iterator[PlacedPrimitive]:
        """Every primitive of the scene, where its nodes put it. A node that is reached twice, round a circle or not, is refused."""
        nodes, seen = self.items("nodes"), set()
        scenes = self.items("scenes")
        if not scenes:
            stack = [(i_node, np.eye(4), 0) for i_node in self._roots(nodes)]
        else:
            scene = self.item("scenes", self._tree.get("scene", 0), "scene")
            stack = [(i_node, np.eye(4), 0) for i_node in self._indices(scene.get("nodes", []), "scene.nodes")]
        stack.reverse()
        while stack:
            i_node, world_from_parent, depth = stack.pop()
            node, where = self.item("nodes", i_node, "nodes"), f"nodes[{i_node}]"
            self._check.need(i_node not in seen, FindingCode.INCONSISTENT, where, "two nodes, or a circle, lead to it")
            self._check.need(
                depth < _MAX_DEPTH and len(seen) < _MAX_NODES,
                FindingCode.OUT_OF_RANGE,
                where,
                "too many nodes, or too deep",
            )
            seen.add(i_node)
            world_from_node = world_from_parent @ self._transform(node, where)
            if "mesh" in node:
                mesh = self.item("meshes", node["mesh"], f"{where}.mesh")
                path = f"meshes[{node['mesh']}].primitives"
                for i_primitive, primitive in enumerate(self.objects(mesh.get("primitives", []), path)):
                    yield PlacedPrimitive(
                        tree=primitive, where=f"{path}[{i_primitive}]", world_from_local=world_from_node
                    )
            children = self._indices(node.get("children", []), f"{where}.children")
            stack += [(child, world_from_node, depth + 1) for child in reversed(children)]

    def _roots(self, nodes: Sequence[dict[str, Any]]) -> list[int]:
        children = {
            child
            for i_node, node in enumerate(nodes)
            for child in self._indices(node.get("children", []), f"nodes[{i_node}].children")
        }
        return [i_node for i_node in range(len(nodes)) if i_node not in children]

    def _indices(self, value: object, where: str) -> list[int]:
        if not isinstance(value, list) or not all(
            isinstance(item, int) and not isinstance(item, bool) for item in value
        ):
            self._check.fail(FindingCode.BAD_HEADER, where, "a list of indices is expected")
        return value

    def _transform(self, node: dict[str, Any], where: str) -> np.ndarray:
        if "matrix" in node:
            return self.numbers(node["matrix"], 16, f"{where}.matrix").reshape(4, 4).T
        matrix = np.eye(4)
        if "rotation" in node:
            x, y, z, w = self.numbers(node["rotation"], 4, f"{where}.rotation")
            norm = x * x + y * y + z * z + w * w
            self._check.need(norm > 0, FindingCode.OUT_OF_RANGE, f"{where}.rotation", "a quaternion of zeros")
            matrix[:3, :3] = [
                [1 - 2 * (y * y + z * z) / norm, 2 * (x * y - w * z) / norm, 2 * (x * z + w * y) / norm],
                [2 * (x * y + w * z) / norm, 1 - 2 * (x * x + z * z) / norm, 2 * (y * z - w * x) / norm],
                [2 * (x * z - w * y) / norm, 2 * (y * z + w * x) / norm, 1 - 2 * (x * x + y * y) / norm],
            ]
        if "scale" in node:
            matrix[:3, :3] *= self.numbers(node["scale"], 3, f"{where}.scale")
        if "translation" in node:
            matrix[:3, 3] = self.numbers(node["translation"], 3, f"{where}.translation")
        return matrix


def json_of(data: memoryview, *, max_bytes: int) -> bytes:
    """The JSON's text as far as a look at a file needs it; empty where there is none."""
    if len(data) < _HEADER.size + _CHUNK.size or bytes(data[:4]) != GLB_MAGIC:
        return b""
    length, kind = _CHUNK.unpack_from(data, _HEADER.size)
    start = _HEADER.size + _CHUNK.size
    return bytes(data[start : start + min(length, max_bytes)]) if kind == _JSON else b""


def _chunks_of(check: Check, data: memoryview) -> tuple[bytes, memoryview]:
    check.need(
        bytes(data[:4]) == GLB_MAGIC, FindingCode.NOT_THIS_FORMAT, "byte 0", "the file does not begin with `glTF`"
    )
    check.need(len(data) >= _HEADER.size + _CHUNK.size, FindingCode.TRUNCATED, "byte 12", "no first chunk")
    _, version, total = _HEADER.unpack_from(data, 0)
    check.need(version == 2, FindingCode.UNSUPPORTED, "byte 4", f"version {version}; 2 is read")
    check.need(
        total <= len(data), FindingCode.TRUNCATED, "byte 8", f"{total} bytes are announced, {len(data)} are there"
    )
    if total < len(data):
        check.note(FindingCode.TRAILING_BYTES, f"byte {total}", f"{len(data) - total} bytes follow the end")
    found: dict[int, memoryview] = {}
    offset = _HEADER.size
    while offset + _CHUNK.size <= total:
        length, kind = _CHUNK.unpack_from(data, offset)
        start = offset + _CHUNK.size
        check.need(
            start + length <= total,
            FindingCode.OUT_OF_RANGE,
            f"byte {offset}",
            f"a chunk of {length} bytes leaves the file",
        )
        found.setdefault(kind, data[start : start + length])
        offset = start + length
    if _JSON not in found:
        check.fail(FindingCode.MISSING, f"byte {_HEADER.size}", "no JSON chunk")
    check.limit(len(found[_JSON]), check.limits.max_text_bytes, "bytes of JSON")
    return bytes(found[_JSON]), found.get(_BIN, memoryview(b""))


def _parsed(check: Check, text: bytes) -> dict[str, Any]:
    def refuse(word: str) -> float:
        check.fail(FindingCode.NOT_FINITE, "JSON", f"{word} is no JSON number")

    try:
        tree = json.loads(text, parse_constant=refuse)
    except RecursionError:
        check.fail(FindingCode.BAD_HEADER, "JSON", "it is nested too deeply")
    except ValueError as error:  # broken UTF-8, broken JSON, a number of thousands of digits
        check.fail(FindingCode.BAD_HEADER, "JSON", f"it cannot be parsed: {str(error)[:120]}")
    if not isinstance(tree, dict):
        check.fail(FindingCode.BAD_HEADER, "JSON", "it is no object")
    return tree
