"""Triangle meshes in binary .ply: corners, faces, sRGB at corners. Lost: the texture.

Frame: the world's own. Polygons are cut into fans of triangles; text files are not read.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from praxiscope_worlds._mesh import Mesh
from praxiscope_worlds.formats._check import Check, FindingCode
from praxiscope_worlds.formats._meshes import check_writable_mesh, fans_of, finish_mesh
from praxiscope_worlds.formats._ply import (
    PlyElement,
    columns_of,
    element_of,
    read_header,
    rows_of,
)

_MAX_POLYGON = 255
_COLORS = ["red", "green", "blue"]
_INDEX_NAMES = ("vertex_indices", "vertex_index")


def write_mesh_ply(mesh: Mesh) -> Iterator[bytes]:
    """Writes a mesh."""
    mesh = check_writable_mesh(mesh)
    corner = [("position", "<f4", 3)] + ([] if mesh.colors_rgb is None else [("color", "u1", 3)])
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(mesh.vertices_m)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [] if mesh.colors_rgb is None else [f"property uchar {name}" for name in _COLORS]
    lines += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header"]
    yield ("\n".join(lines) + "\n").encode("ascii")
    corners = np.empty(len(mesh.vertices_m), np.dtype(corner))
    corners["position"] = mesh.vertices_m
    if mesh.colors_rgb is not None:
        corners["color"] = mesh.colors_rgb
    yield corners.tobytes()
    faces = np.empty(len(mesh.faces), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
    faces["count"], faces["corners"] = 3, mesh.faces
    yield faces.tobytes()


def read_mesh_ply(check: Check, data: memoryview) -> Mesh:
    """Reads a mesh whose corners come before its faces, as every writer has them."""
    header = read_header(check, data)
    names = [element.name for element in header.elements]
    check.need(
        names[:2] == ["vertex", "face"],
        FindingCode.UNSUPPORTED,
        "header",
        f"elements {', '.join(names)[:60]}; vertex, then face are read",
    )
    element = element_of(check, header, "vertex")
    check.limit(element.count, check.limits.max_corners, "corners")
    rows = rows_of(check, data, header, "vertex")
    found = {item.name: item for item in element.properties}
    missing = [axis for axis in "xyz" if axis not in found]
    check.need(not missing, FindingCode.MISSING, "element vertex", f"no property {', '.join(missing)}")
    colors = None
    if all(name in found and found[name].dtype.endswith("u1") for name in _COLORS):
        colors = np.stack([rows[name] for name in _COLORS], axis=1)
    start = header.body_offset + element.count * element.row_dtype.itemsize
    face = element_of(check, header, "face")
    faces, end = _faces(check, data, face, start)
    if len(header.elements) == 2 and end < len(data):
        check.note(FindingCode.TRAILING_BYTES, f"byte {end}", f"{len(data) - end} bytes follow the last face")
    outside = bool(len(faces)) and (int(faces.min()) < 0 or int(faces.max()) >= len(rows))
    check.need(
        not outside,
        FindingCode.OUT_OF_RANGE,
        "element face",
        f"a face names a corner that is not there; there are {len(rows)}",
    )
    return finish_mesh(check, columns_of(rows, ["x", "y", "z"]), faces.astype(np.int32), colors, uvs=None, texture=None)


def _faces(check: Check, data: memoryview, element: PlyElement, start: int) -> tuple[np.ndarray, int]:
    """Triangles, and where the last face ends."""
    check.limit(element.count, 2 * check.limits.max_corners, "faces")
    item = element.properties[0]
    is_plain = len(element.properties) == 1 and item.length_dtype is not None and item.name in _INDEX_NAMES
    if not is_plain or item.dtype[1] == "f":
        check.fail(FindingCode.UNSUPPORTED, "element face", "one list of corners, vertex_indices, is expected")
    length, index = np.dtype(item.length_dtype), np.dtype(item.dtype)
    check.need(
        start + element.count * length.itemsize <= len(data),
        FindingCode.TRUNCATED,
        "element face",
        f"{element.count} faces do not fit into the file",
    )
    if not element.count:
        return np.zeros((0, 3), np.int64), start
    size = int(np.frombuffer(data, length, count=1, offset=start)[0])
    row = np.dtype([("count", length), ("corners", index, (max(0, min(size, _MAX_POLYGON)),))])
    # Nearly all files hold polygons of one size, which are read at once; others one after another.
    if 3 <= size <= _MAX_POLYGON and start + element.count * row.itemsize <= len(data):
        rows = np.frombuffer(data, row, count=element.count, offset=start)
        if np.all(rows["count"] == size):
            check.limit(element.count * (size - 2), 2 * check.limits.max_corners, "triangles")
            return fans_of(rows["corners"]).astype(np.int64), start + rows.nbytes
    return _mixed_faces(check, data, element.count, start, (length, index))


def _mixed_faces(
    check: Check, data: memoryview, count: int, start: int, types: tuple[np.dtype, np.dtype]
) -> tuple[np.ndarray, int]:
    length, index = types
    triangles, triangle_count, offset = [np.zeros((0, 3), np.int64)], 0, start
    for i_face in range(count):
        where = f"face {i_face}"
        check.need(offset + length.itemsize <= len(data), FindingCode.TRUNCATED, where, "the file ends before it")
        size = int(np.frombuffer(data, length, count=1, offset=offset)[0])
        offset += length.itemsize
        check.need(
            0 <= size <= _MAX_POLYGON, FindingCode.OUT_OF_RANGE, where, f"{size} corners; at most {_MAX_POLYGON}"
        )
        check.need(offset + size * index.itemsize <= len(data), FindingCode.TRUNCATED, where, "the file ends within it")
        if size >= 3:
            corners = np.frombuffer(data, index, count=size, offset=offset).astype(np.int64)
            triangles.append(fans_of(corners[None]))
            triangle_count += size - 2
            check.limit(triangle_count, 2 * check.limits.max_corners, "triangles")
        offset += size * index.itemsize
    return np.concatenate(triangles), offset
