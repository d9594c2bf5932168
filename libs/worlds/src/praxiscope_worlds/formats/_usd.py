"""OpenUSD as text (.usda), and with a picture as .usdz: Gaussians as `ParticleField3DGaussianSplat`, meshes as `Mesh`.

Text keeps every float32 exactly. Frame: the world's own, y up, metres. Extents and opacities are plain numbers, harmonics stand Gaussian by Gaussian.
Read: what is written here, that is one layer with one such prim and no transforms; other USD files first go through a tool that flattens them.
Source: OpenUSD 26 schema `usdVol` (ParticleField…API), `usdGeom`, `UsdPreviewSurface` specification, and "USDZ File Format Specification".
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

import numpy as np

from praxiscope_worlds._gaussians import SH_C0, SH_COUNTS, GaussianWorld
from praxiscope_worlds._mesh import Mesh
from praxiscope_worlds.formats._arrays import (
    check_writable,
    finish_world,
    log_scales_of,
    logits_of,
    opacities_of,
    scales_of,
)
from praxiscope_worlds.formats._check import Check, FindingCode
from praxiscope_worlds.formats._colors import linear_of, srgb_of
from praxiscope_worlds.formats._meshes import check_writable_mesh, finish_mesh
from praxiscope_worlds.formats._png import encode_png
from praxiscope_worlds.formats._zip import read_zip, write_zip

_HEAD = '#usda 1.0\n(\n    defaultPrim = "world"\n    metersPerUnit = 1\n    upAxis = "Y"\n)\n\n'
_ROWS_A_CHUNK = 16384
_PNG_NAME, _LAYER_NAME = "world.png", "world.usda"
_OPACITY_MARGIN = 1e-6
_SPLAT, _MESH = b"ParticleField3DGaussianSplat", b"Mesh"
_CRATE_MAGIC = b"PXR-USDC"
_FOREIGN = re.compile(rb"xformOp|references\s*=|payload\s*=|subLayers\s*=|inherits\s*=|timeSamples")
_NUMBER = rb"([-+0-9.eE]{1,40})"
# What an array of numbers is made of beside digits.
_PUNCTUATION = bytes.maketrans(b"(),", b"   ")
_NOT_NUMBERS = re.compile(rb"[^-+0-9.eEinfa\s]")
_MATERIAL = """
    def Material "material"
    {
        token outputs:surface.connect = </world/material/surface.outputs:surface>

        def Shader "surface"
        {
            uniform token info:id = "UsdPreviewSurface"
            color3f inputs:diffuseColor.connect = </world/material/picture.outputs:rgb>
            float inputs:roughness = 1
            token outputs:surface
        }

        def Shader "picture"
        {
            uniform token info:id = "UsdUVTexture"
            asset inputs:file = @world.png@
            token inputs:sourceColorSpace = "sRGB"
            float2 inputs:st.connect = </world/material/coordinates.outputs:result>
            float3 outputs:rgb
        }

        def Shader "coordinates"
        {
            uniform token info:id = "UsdPrimvarReader_float2"
            string inputs:varname = "st"
            float2 outputs:result
        }
    }
"""


def write_gaussian_usda(world: GaussianWorld) -> Iterator[bytes]:
    """Writes a world as a text layer."""
    world = check_writable(world)
    yield f'{_HEAD}def {_SPLAT.decode()} "world"\n{{\n'.encode()
    if len(world):
        low, high = _extent(world)
        yield b"    float3[] extent = [" + _tuples(np.stack([low, high])) + b"]\n"
    yield from _array("point3f[] positions", world.means_m)
    yield from _array("quatf[] orientations", world.quaternions_wxyz)
    yield from _array("float3[] scales", scales_of(world.log_scales))
    yield from _array("float[] opacities", opacities_of(world.opacity_logits)[:, None])
    yield from _array("float3[] radiance:sphericalHarmonicsCoefficients", world.sh.reshape(-1, 3))
    yield f"    uniform int radiance:sphericalHarmonicsDegree = {world.sh_degree}\n".encode()
    # Viewers that know no Gaussians draw points of these colours.
    yield from _array(
        "color3f[] primvars:displayColor",
        linear_of(_bytes_of(0.5 + SH_C0 * world.sh[:, 0])).astype(np.float32),
        suffix=' (interpolation = "vertex")',
    )
    yield b"}\n"


def write_mesh_usda(mesh: Mesh) -> Iterator[bytes]:
    """Writes a mesh as a text layer; the texture is lost (`write_mesh_usdz` keeps it)."""
    yield from _mesh_layer(check_writable_mesh(mesh), has_texture=False)


def write_mesh_usdz(mesh: Mesh) -> Iterator[bytes]:
    """Writes a mesh and its texture as an archive."""
    mesh = check_writable_mesh(mesh)
    files = {_LAYER_NAME: b"".join(_mesh_layer(mesh, has_texture=mesh.texture_rgb is not None))}
    if mesh.texture_rgb is not None:
        files[_PNG_NAME] = encode_png(mesh.texture_rgb)
    yield from write_zip(files, is_compressed=False)


def read_gaussian_usda(check: Check, data: memoryview) -> GaussianWorld:
    """Reads a world that `write_gaussian_usda` wrote, or one of the same form."""
    layer = _Layer(check, data, kind=_SPLAT)
    means = layer.array("positions", 3)
    count = len(means)
    check.limit(count, check.limits.max_gaussians, "Gaussians")
    degree = layer.integer("radiance:sphericalHarmonicsDegree", default=3)
    check.need(degree < len(SH_COUNTS), FindingCode.UNSUPPORTED, "sphericalHarmonicsDegree", f"{degree}; at most 3")
    scales, opacities = layer.array("scales", 3), layer.array("opacities", 1)[:, 0]
    quaternions = layer.array("orientations", 4)
    sh = layer.array("radiance:sphericalHarmonicsCoefficients", 3)
    counts = {
        "scales": len(scales),
        "opacities": len(opacities),
        "orientations": len(quaternions),
        "sphericalHarmonicsCoefficients": len(sh) / SH_COUNTS[degree],
    }
    for name, found in counts.items():
        check.need(found == count, FindingCode.INCONSISTENT, name, f"{found:g} for {count} positions")
    with np.errstate(invalid="ignore"):
        check.need(not np.any(scales < 0), FindingCode.OUT_OF_RANGE, "scales", "an extent is negative")
        is_outside = np.any((opacities < 0) | (opacities > 1))
        check.need(not is_outside, FindingCode.OUT_OF_RANGE, "opacities", "one leaves [0, 1]")
        log_scales = log_scales_of(scales * np.float32(layer.metres_a_unit))
        means = means * np.float32(layer.metres_a_unit)
    return finish_world(
        check,
        means=means,
        quaternions=quaternions,
        log_scales=log_scales,
        opacity_logits=logits_of(opacities, margin=_OPACITY_MARGIN),
        sh=sh.reshape(count, SH_COUNTS[degree], 3),
        is_turned=False,
    )


def read_mesh_usda(check: Check, data: memoryview) -> Mesh:
    """Reads a mesh that `write_mesh_usda` wrote, or one of the same form."""
    return _read_mesh(check, data, None)


def read_mesh_usdz(check: Check, data: memoryview) -> Mesh:
    """Reads a mesh that `write_mesh_usdz` wrote, or one of the same form."""
    files = read_zip(check, data)
    name = next(iter(files), "")
    check.need(
        name.endswith(".usda"), FindingCode.UNSUPPORTED, "zip", f"the first file is {name[:60]!r}; a .usda is read"
    )
    texture = check.picture(files[_PNG_NAME], _PNG_NAME) if _PNG_NAME in files else None
    return _read_mesh(check, memoryview(files[name]), texture)


def _read_mesh(check: Check, data: memoryview, texture: np.ndarray | None) -> Mesh:
    layer = _Layer(check, data, kind=_MESH)
    vertices = layer.array("points", 3)
    check.limit(len(vertices), check.limits.max_corners, "corners")
    counts, indices = layer.array("faceVertexCounts", 1)[:, 0], layer.array("faceVertexIndices", 1)[:, 0]
    check.limit(len(counts), 2 * check.limits.max_corners, "faces")
    check.need(bool(np.all(counts == 3)), FindingCode.UNSUPPORTED, "faceVertexCounts", "only triangles are read")
    check.need(
        len(indices) == 3 * len(counts),
        FindingCode.INCONSISTENT,
        "faceVertexIndices",
        f"{len(indices)} for {len(counts)} triangles",
    )
    is_inside = bool(np.all((indices >= 0) & (indices < len(vertices)) & (indices == np.floor(indices))))
    check.need(
        is_inside,
        FindingCode.OUT_OF_RANGE,
        "faceVertexIndices",
        f"a corner that is not there; there are {len(vertices)}",
    )
    colors = uvs = None
    if layer.has("primvars:displayColor"):
        colors = srgb_of(layer.array("primvars:displayColor", 3))
        check.need(
            len(colors) == len(vertices),
            FindingCode.INCONSISTENT,
            "primvars:displayColor",
            f"{len(colors)} for {len(vertices)} corners",
        )
    if texture is not None and layer.has("primvars:st"):
        uvs = layer.array("primvars:st", 2).astype(np.float32)
        check.need(
            len(uvs) == len(vertices),
            FindingCode.INCONSISTENT,
            "primvars:st",
            f"{len(uvs)} for {len(vertices)} corners",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        vertices = vertices * layer.metres_a_unit
    faces = indices.astype(np.int32).reshape(-1, 3)
    return finish_mesh(check, vertices, faces, colors, uvs=uvs, texture=None if uvs is None else texture)


class _Layer:
    """A text layer with one prim of a kind. It is searched, not parsed into a tree, so that no nesting costs anything."""

    def __init__(self, check: Check, data: memoryview, *, kind: bytes) -> None:
        self._check, self._text = check, bytes(data)
        check.need(self._text[:8] != _CRATE_MAGIC, FindingCode.UNSUPPORTED, "byte 0", "binary USD; write it as .usda")
        check.need(
            self._text.startswith(b"#usda 1.0"),
            FindingCode.NOT_THIS_FORMAT,
            "byte 0",
            "it does not begin with `#usda 1.0`",
        )
        foreign = _FOREIGN.search(self._text)
        if foreign is not None:
            check.fail(
                FindingCode.UNSUPPORTED, f"byte {foreign.start()}", f"{foreign[0].decode()!r}; flatten the file first"
            )
        found = list(re.finditer(rb"\bdef " + kind + rb'\s+"', self._text))
        check.need(
            len(found) == 1,
            FindingCode.MISSING,
            "layer",
            f"{len(found)} prims of the type {kind.decode()}; one is read",
        )
        axis = re.search(rb'upAxis\s*=\s*"([A-Z])"', self._text)
        check.need(axis is None or axis[1] == b"Y", FindingCode.UNSUPPORTED, "upAxis", "only y is read")
        metres = re.search(rb"metersPerUnit\s*=\s*" + _NUMBER, self._text)
        try:
            self.metres_a_unit = float(metres[1]) if metres else 0.01  # USD's own default
        except ValueError:
            check.fail(FindingCode.BAD_HEADER, "metersPerUnit", "no number")
        check.need(
            0 < self.metres_a_unit < 1e9, FindingCode.OUT_OF_RANGE, "metersPerUnit", f"it is {self.metres_a_unit:g}"
        )
        self._start = found[0].end()

    def has(self, name: str) -> bool:
        return self._find(name) is not None

    def integer(self, name: str, *, default: int) -> int:
        match = re.compile(rb"\b" + re.escape(name.encode()) + rb"\s*=\s*(\d{1,9})").search(self._text, self._start)
        return int(match[1]) if match else default

    def array(self, name: str, width: int) -> np.ndarray:
        match = self._find(name)
        if match is None:
            self._check.fail(FindingCode.MISSING, "layer", f"no {name}")
        end = self._text.find(b"]", match.end())
        self._check.need(end >= 0, FindingCode.TRUNCATED, name, "the array has no end")
        content = self._text[match.end() : end].translate(_PUNCTUATION)
        if _NOT_NUMBERS.search(content):
            self._check.fail(FindingCode.BAD_HEADER, name, "something in it is no number")
        try:
            # Splitting first would make an object of every number; this reads them where they stand. Where it cannot go on it only warns.
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)
                values = np.fromstring(content, np.float64, sep=" ") if content.strip() else np.zeros(0)
        except (ValueError, DeprecationWarning):
            self._check.fail(FindingCode.BAD_HEADER, name, "something in it is no number")
        self._check.need(
            len(values) % width == 0, FindingCode.INCONSISTENT, name, f"{len(values)} numbers are not rows of {width}"
        )
        with np.errstate(over="ignore"):
            return values.reshape(-1, width).astype(np.float32) if width > 1 else values.reshape(-1, 1)

    def _find(self, name: str) -> re.Match[bytes] | None:
        return re.compile(rb"\s" + re.escape(name.encode()) + rb"\s*=\s*\[").search(self._text, self._start)


def _mesh_layer(mesh: Mesh, *, has_texture: bool) -> Iterator[bytes]:
    yield f'{_HEAD}def Xform "world"\n{{\n    def Mesh "mesh"'.encode()
    yield b' (\n        prepend apiSchemas = ["MaterialBindingAPI"]\n    )' if has_texture else b""
    yield b'\n    {\n    uniform token subdivisionScheme = "none"\n    uniform bool doubleSided = 1\n'
    if len(mesh.vertices_m):
        yield (
            b"    float3[] extent = ["
            + _tuples(np.stack([mesh.vertices_m.min(axis=0), mesh.vertices_m.max(axis=0)]))
            + b"]\n"
        )
    yield from _array("point3f[] points", mesh.vertices_m)
    yield from _array("int[] faceVertexCounts", np.full((len(mesh.faces), 1), 3))
    yield from _array("int[] faceVertexIndices", mesh.faces.reshape(-1, 1))
    if mesh.colors_rgb is not None:
        yield from _array(
            "color3f[] primvars:displayColor",
            linear_of(mesh.colors_rgb).astype(np.float32),
            suffix=' (interpolation = "vertex")',
        )
    if has_texture and mesh.uvs is not None:
        yield from _array("texCoord2f[] primvars:st", mesh.uvs, suffix=' (interpolation = "vertex")')
        yield b"    rel material:binding = </world/material>\n"
    yield b"    }\n" + (_MATERIAL.encode() if has_texture else b"") + b"}\n"


def _extent(world: GaussianWorld) -> tuple[np.ndarray, np.ndarray]:
    reach = 3 * scales_of(world.log_scales).max(axis=1, keepdims=True)
    return (world.means_m - reach).min(axis=0), (world.means_m + reach).max(axis=0)


def _array(declaration: str, values: np.ndarray, *, suffix: str = "") -> Iterator[bytes]:
    yield f"    {declaration} = [".encode()
    for start in range(0, len(values), _ROWS_A_CHUNK):
        yield (b", " if start else b"") + _tuples(values[start : start + _ROWS_A_CHUNK])
    yield f"]{suffix}\n".encode()


def _tuples(values: np.ndarray) -> bytes:
    """Rows in brackets; nine significant digits bring every float32 back."""
    width, number = values.shape[1], "%d" if values.dtype.kind in "iu" else "%.9g"
    row = number if width == 1 else "(" + ", ".join([number] * width) + ")"
    return (", ".join([row] * len(values)) % tuple(values.reshape(-1).tolist())).encode("ascii")


def _bytes_of(shares: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
