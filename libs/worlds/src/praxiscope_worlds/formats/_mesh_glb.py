"""Triangle meshes in .glb: corners, faces, colours at corners, one texture.

Colours at corners are linear light in glTF; they are kept in 16 bits, so that sRGB bytes come back as they were. Materials are unlit: the colours of a
reconstruction have their light in them. Texture coordinates count from the top in glTF and from the bottom here.
Read: triangles of every node; of several textures the colours are taken to the corners. Left out and told: lines, points, animation, skins.
Source: Khronos, "glTF 2.0 Specification", and KHR_materials_unlit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from praxiscope_worlds._mesh import Mesh
from praxiscope_worlds.formats._check import Check, FindingCode
from praxiscope_worlds.formats._colors import linear_of, srgb_of
from praxiscope_worlds.formats._glb import GlbBuilder, Gltf, PlacedPrimitive
from praxiscope_worlds.formats._meshes import check_writable_mesh, finish_mesh
from praxiscope_worlds.formats._png import encode_png

_TRIANGLES = 4
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP_TO_EDGE = 9729, 9987, 33071


def write_mesh_glb(mesh: Mesh) -> Iterator[bytes]:
    """Writes a mesh as one primitive."""
    mesh = check_writable_mesh(mesh)
    builder = GlbBuilder()
    material: dict[str, Any] = {
        "pbrMetallicRoughness": {"metallicFactor": 0, "roughnessFactor": 1},
        "extensions": {"KHR_materials_unlit": {}},
        "doubleSided": True,
    }
    tree: dict[str, Any] = {"extensionsUsed": ["KHR_materials_unlit"], "scene": 0, "scenes": [{"nodes": []}]}
    if len(mesh.faces):
        attributes = {"POSITION": builder.add_array(mesh.vertices_m, has_bounds=True)}
        if mesh.colors_rgb is not None:
            colors = np.full((len(mesh.vertices_m), 4), 65535, np.uint16)
            colors[:, :3] = np.rint(linear_of(mesh.colors_rgb) * 65535)
            attributes["COLOR_0"] = builder.add_array(colors, is_normalized=True)
        if mesh.uvs is not None and mesh.texture_rgb is not None:
            attributes["TEXCOORD_0"] = builder.add_array(_flipped(mesh.uvs))
            material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
            tree |= {
                "images": [{"mimeType": "image/png", "bufferView": builder.add_bytes(encode_png(mesh.texture_rgb))}],
                "samplers": [
                    {
                        "magFilter": _LINEAR,
                        "minFilter": _LINEAR_MIPMAP_LINEAR,
                        "wrapS": _CLAMP_TO_EDGE,
                        "wrapT": _CLAMP_TO_EDGE,
                    }
                ],
                "textures": [{"source": 0, "sampler": 0}],
            }
        indices = builder.add_array(mesh.faces.astype(np.uint32).reshape(-1), is_index=True)
        primitive = {"attributes": attributes, "indices": indices, "mode": _TRIANGLES, "material": 0}
        tree |= {"scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, "name": "world"}]}
        tree |= {"meshes": [{"primitives": [primitive]}], "materials": [material]}
    yield from builder.chunks(tree)


@dataclass(frozen=True, kw_only=True)
class _Part:
    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None
    uvs: np.ndarray | None
    texture: object


def read_mesh_glb(check: Check, data: memoryview) -> Mesh:
    """Reads the triangles of the scene."""
    gltf = Gltf(check, data)
    parts: list[_Part] = []
    corner_count = face_count = 0
    for placed in gltf.placed_primitives():
        if placed.tree.get("mode", _TRIANGLES) != _TRIANGLES:
            check.note(
                FindingCode.LEFT_OUT, placed.where, f"mode {str(placed.tree['mode'])[:20]}; triangles (4) are read"
            )
            continue
        part = _read_part(check, gltf, placed)
        parts.append(part)
        corner_count, face_count = corner_count + len(part.vertices), face_count + len(part.faces)
        check.limit(corner_count, check.limits.max_corners, "corners")
        check.limit(face_count, 2 * check.limits.max_corners, "faces")
    pictures = _pictures(check, gltf, {part.texture for part in parts if part.texture is not None})
    if len(pictures) == 1 and all(part.texture in pictures for part in parts):
        texture = next(iter(pictures.values()))
        return finish_mesh(check, *_joined(parts), uvs=np.concatenate([_uvs(part) for part in parts]), texture=texture)
    if pictures:
        check.note(
            FindingCode.LEFT_OUT, "textures", f"{len(pictures)} textures; their colours are taken to the corners"
        )
        parts = [_baked(part, pictures) for part in parts]
    return finish_mesh(check, *_joined(parts), uvs=None, texture=None)


def _read_part(check: Check, gltf: Gltf, placed: PlacedPrimitive) -> _Part:
    where = f"{placed.where}.attributes"
    attributes = gltf.object(placed.tree.get("attributes"), where)
    check.need("POSITION" in attributes, FindingCode.MISSING, where, "no POSITION")
    corners = gltf.accessor(attributes["POSITION"], f"{where}.POSITION", widths=(3,))
    check.limit(len(corners), check.limits.max_corners, "corners")
    faces = _faces(check, gltf, placed, len(corners))
    matrix = placed.world_from_local
    with np.errstate(invalid="ignore", over="ignore"):
        vertices = (corners @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    if np.linalg.det(matrix[:3, :3]) < 0:  # a mirror turns faces inside out
        faces = faces[:, ::-1]
    color, uvs, texture = None, None, None
    if "COLOR_0" in attributes:
        color = gltf.accessor(attributes["COLOR_0"], f"{where}.COLOR_0", widths=(3, 4))[:, :3]
        check.need(len(color) == len(vertices), FindingCode.INCONSISTENT, where, "COLOR_0 and POSITION differ in count")
    if "material" in placed.tree:
        material = gltf.item("materials", placed.tree["material"], f"{placed.where}.material")
        surface = gltf.object(material.get("pbrMetallicRoughness", {}), f"{placed.where}.material")
        factor = gltf.numbers(surface.get("baseColorFactor", [1, 1, 1, 1]), 4, "baseColorFactor")[:3]
        if not np.all(factor == 1):
            color = factor * (np.ones((len(vertices), 3)) if color is None else color)
        if "baseColorTexture" in surface and "TEXCOORD_0" in attributes:
            found = gltf.object(surface["baseColorTexture"], "baseColorTexture")
            texture = gltf.item("textures", found.get("index"), "baseColorTexture").get("source")
            uvs = gltf.accessor(attributes["TEXCOORD_0"], f"{where}.TEXCOORD_0", widths=(2,)).astype(np.float32)
            check.need(
                len(uvs) == len(vertices), FindingCode.INCONSISTENT, where, "TEXCOORD_0 and POSITION differ in count"
            )
            uvs = _flipped(uvs)
            gltf.item("images", texture, "textures")
    return _Part(vertices=vertices, faces=faces, colors=color, uvs=uvs, texture=texture)


def _faces(check: Check, gltf: Gltf, placed: PlacedPrimitive, corner_count: int) -> np.ndarray:
    if "indices" not in placed.tree:
        return np.arange(corner_count - corner_count % 3, dtype=np.int32).reshape(-1, 3)
    where = f"{placed.where}.indices"
    indices = gltf.accessor(placed.tree["indices"], where, widths=(1,), is_scaled=False)[:, 0]
    check.limit(len(indices) // 3, 2 * check.limits.max_corners, "faces")
    check.need(indices.dtype.kind == "u", FindingCode.INCONSISTENT, where, "indices must be unsigned integers")
    check.need(
        len(indices) % 3 == 0, FindingCode.INCONSISTENT, where, f"{len(indices)} indices; triangles have three each"
    )
    top = int(indices.max(initial=0))
    check.need(
        not len(indices) or top < corner_count, FindingCode.OUT_OF_RANGE, where, f"corner {top} of {corner_count}"
    )
    return indices.astype(np.int32).reshape(-1, 3)


def _pictures(check: Check, gltf: Gltf, sources: set[Any]) -> dict[Any, np.ndarray]:
    pictures, pixel_count = {}, 0
    for source in sources:
        image, where = gltf.item("images", source, "textures"), f"images[{source}]"
        check.need("bufferView" in image, FindingCode.UNSUPPORTED, where, "the picture is not in the file")
        picture = check.picture(bytes(gltf.view(image["bufferView"], where)[0]), where)
        if picture is not None:
            pictures[source] = picture
            pixel_count += picture.shape[0] * picture.shape[1]
            check.limit(pixel_count, check.limits.max_texture_pixels, "pixels of textures")
    return pictures


def _joined(parts: list[_Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([np.zeros((0, 3), np.float32), *(part.vertices for part in parts)])
    faces = [part.faces + np.int32(start) for part, start in zip(parts, starts, strict=False)]
    colors = None
    if any(part.colors is not None for part in parts):
        white = [np.ones((len(part.vertices), 3)) if part.colors is None else part.colors for part in parts]
        colors = srgb_of(np.concatenate(white))
    return vertices, np.concatenate([np.zeros((0, 3), np.int32), *faces]), colors


def _uvs(part: _Part) -> np.ndarray:
    return np.zeros((len(part.vertices), 2), np.float32) if part.uvs is None else part.uvs


def _baked(part: _Part, pictures: dict[Any, np.ndarray]) -> _Part:
    """A part whose texture is read at its corners, nearest pixel, the picture repeating."""
    if part.texture not in pictures or part.uvs is None:
        return part
    picture = pictures[part.texture]
    height_px, width_px, _ = picture.shape
    shares = np.nan_to_num(part.uvs.astype(np.float64)) % 1
    columns = np.minimum((shares[:, 0] * width_px).astype(np.int64), width_px - 1)
    rows = np.minimum(((1 - shares[:, 1]) * height_px).astype(np.int64), height_px - 1)
    colors = linear_of(picture[rows, columns]) * (1 if part.colors is None else part.colors)
    return _Part(vertices=part.vertices, faces=part.faces, colors=colors, uvs=None, texture=None)


def _flipped(uvs: np.ndarray) -> np.ndarray:
    return np.stack([uvs[:, 0], 1 - uvs[:, 1]], axis=1)
