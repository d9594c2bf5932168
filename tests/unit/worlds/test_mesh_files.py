"""Files of meshes: round trips, layouts, what is left out."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pytest

from praxiscope_worlds import InvalidWorldError, Mesh
from praxiscope_worlds.formats import FORMATS, FindingCode, WorldContent, read_world_file, write_world_file
from tests.unit.worlds.worlds_made import decode, make_mesh, make_world

MESH_FORMATS = [name for name, item in FORMATS.items() if item.holds is WorldContent.MESH]
KEEPS_TEXTURE = {"glb", "obj-zip", "usdz"}


def write(mesh: Mesh, name: str) -> bytes:
    return b"".join(write_world_file(mesh, format_name=name))


def read(data: bytes, name: str) -> Mesh:
    content = read_world_file(data, filename=f"mesh{FORMATS[name].extension}", picture_decoder=decode).content
    assert isinstance(content, Mesh)
    return content


@pytest.mark.parametrize("has_texture", [True, False])
@pytest.mark.parametrize("has_colors", [True, False])
@pytest.mark.parametrize("name", MESH_FORMATS)
def test_a_mesh_comes_back(name: str, has_colors: bool, has_texture: bool) -> None:
    mesh = make_mesh(has_colors=has_colors, has_texture=has_texture)
    found = read(write(mesh, name), name)
    # Seven digits of text in .obj; every bit in the others.
    assert np.abs(found.vertices_m - mesh.vertices_m).max() <= (5e-7 if name.startswith("obj") else 0)
    assert np.array_equal(found.faces, mesh.faces)
    assert (found.colors_rgb is None) == (not has_colors)
    assert found.colors_rgb is None or np.array_equal(found.colors_rgb, mesh.colors_rgb)  # pyright: ignore[reportArgumentType]
    assert (found.texture_rgb is not None) == (has_texture and name in KEEPS_TEXTURE)
    if found.texture_rgb is not None and found.uvs is not None and mesh.uvs is not None:
        assert np.array_equal(found.texture_rgb, mesh.texture_rgb)  # pyright: ignore[reportArgumentType]
        assert np.abs(found.uvs - mesh.uvs).max() < 1e-6


@pytest.mark.parametrize("name", MESH_FORMATS)
def test_a_mesh_without_faces_is_written(name: str) -> None:
    none = Mesh(vertices_m=np.zeros((0, 3), np.float32), faces=np.zeros((0, 3), np.int32))
    data = write(none, name)
    if not name.startswith("obj"):  # an .obj of no line is no .obj
        assert len(read(data, name).faces) == 0


@pytest.mark.parametrize("name", MESH_FORMATS)
def test_what_is_no_number_is_not_written(name: str) -> None:
    mesh = make_mesh()
    mesh.vertices_m[3, 0] = np.nan
    with pytest.raises(InvalidWorldError, match="vertices_m"):
        write(mesh, name)


@pytest.mark.parametrize("name", ["glb", "ply"])
def test_content_of_the_wrong_kind_is_refused(name: str) -> None:
    content = make_world(2, degree=0) if name == "glb" else make_mesh()
    with pytest.raises(InvalidWorldError, match="holds"):
        write_world_file(content, format_name=name)


def test_without_a_decoder_the_texture_is_left_out_and_told() -> None:
    file = read_world_file(write(make_mesh(), "glb"))
    assert isinstance(file.content, Mesh)
    assert file.content.texture_rgb is None
    assert file.content.colors_rgb is not None
    assert [item.code for item in file.findings] == [FindingCode.LEFT_OUT]


def _glb(tree: dict[str, object], binary: bytes) -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _triangle(nodes: list[dict[str, object]]) -> bytes:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()
    tree = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "buffers": [{"byteLength": len(corners)}],
        "bufferViews": [{"buffer": 0, "byteLength": len(corners)}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
    }
    return _glb(tree, corners)


def test_nodes_move_turn_and_mirror_their_meshes() -> None:
    half = 2**-0.5
    nodes: list[dict[str, object]] = [
        {"translation": [0, 0, 5], "children": [1, 2]},
        {"mesh": 0, "rotation": [0, 0, half, half], "scale": [2, 2, 2]},  # a quarter turn about z
        {"mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]},  # a mirror
    ]
    mesh = read(_triangle(nodes), "glb")
    assert mesh.vertices_m[:3] == pytest.approx(np.array([[0, 0, 5], [0, 2, 5], [-2, 0, 5]]), abs=1e-6)
    assert mesh.vertices_m[3:] == pytest.approx(np.array([[0, 0, 5], [-1, 0, 5], [0, 1, 5]]), abs=1e-6)
    normals = [np.cross(*(mesh.vertices_m[face[1:]] - mesh.vertices_m[face[0]])) for face in mesh.faces]
    assert all(normal[2] > 0 for normal in normals)  # still counter-clockwise from the same side


def test_colours_of_materials_and_quads_of_obj_are_read() -> None:
    text = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf 1//1 2//1 3//1 4//1\nf -4 -3 -2\n"
    mesh = read(text, "obj")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]


def test_corners_with_several_texture_coordinates_are_split() -> None:
    target = io.BytesIO()
    picture = zipfile.ZipFile(io.BytesIO(write(make_mesh(), "obj-zip"))).read("world.png")
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(
            "in/a.obj",
            "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\nf 1/1 2/1 3/1\nf 1/2 3/1 4/1\n",
        )
        archive.writestr("in/a.mtl", "newmtl a\nmap_Kd p.png\n")
        archive.writestr("in/p.png", picture)
    mesh = read(target.getvalue(), "obj-zip")
    assert len(mesh.vertices_m) == 5
    assert mesh.uvs is not None
    found = {(tuple(mesh.vertices_m[i].tolist()), tuple(mesh.uvs[i].tolist())) for i in mesh.faces.reshape(-1)}
    assert ((0, 0, 0), (0, 0)) in found
    assert ((0, 0, 0), (1, 1)) in found


def test_polygons_of_ply_become_fans() -> None:
    header = (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 5\nproperty float x\nproperty float y\nproperty float z\n"
        b"element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    )
    corners = np.arange(15, dtype="<f4").tobytes()
    faces = struct.pack("<B4i", 4, 0, 1, 2, 3) + struct.pack("<B3i", 3, 2, 3, 4)
    assert read(header + corners + faces, "mesh-ply").faces.tolist() == [[0, 1, 2], [0, 2, 3], [2, 3, 4]]


def test_files_in_usdz_begin_at_multiples_of_64() -> None:
    data = write(make_mesh(), "usdz")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        assert [entry.filename for entry in entries] == ["world.usda", "world.png"]
        for entry in entries:
            assert entry.compress_type == zipfile.ZIP_STORED
            name, extra = struct.unpack("<HH", data[entry.header_offset + 26 : entry.header_offset + 30])
            assert (entry.header_offset + 30 + name + extra) % 64 == 0
