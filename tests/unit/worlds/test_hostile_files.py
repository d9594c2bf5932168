"""Files that lie, are broken, or want to cost much: all end as a typed error, or are read, at a bounded cost."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from praxiscope_common.errors import InvalidInputError
from praxiscope_media import decode_image
from praxiscope_worlds import GaussianWorld, Mesh
from praxiscope_worlds.formats import (
    FORMATS,
    FileLimits,
    FindingCode,
    InvalidWorldFileError,
    UnknownWorldFormatError,
    WorldContent,
    WorldFileTooLargeError,
    detect_format,
    format_named,
    read_world_file,
    validate_world_file,
    write_world_file,
)
from tests.unit.worlds.worlds_made import make_mesh, make_world

# What a small file may cost while it is read: buffers of zlib and of Python, but nothing that its header announces.
_MAX_BYTES = 40 << 20


def _written(name: str) -> bytes:
    content = make_world(300, degree=1) if FORMATS[name].holds is WorldContent.GAUSSIANS else make_mesh()
    return b"".join(write_world_file(content, format_name=name))


def _ply(lines: str, body: bytes = b"") -> bytes:
    return f"ply\nformat binary_little_endian 1.0\n{lines}end_header\n".encode() + body


_GAUSSIAN_PROPERTIES = "".join(
    f"property float {name}\n"
    for name in "x y z f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3".split()
)
_XYZ = "property float x\nproperty float y\nproperty float z\n"
_SEVEN = "".join(f"property float f_rest_{i}\n" for i in range(7))


def _faces(count: int, length: str, body: bytes) -> bytes:
    lines = f"element vertex 1\n{_XYZ}element face {count}\nproperty list {length} int vertex_indices\n"
    return _ply(lines, bytes(12) + body)


def _swapped(name: str, old: str, new: str) -> bytes:
    data = _written(name)
    assert old.encode() in data
    return data.replace(old.encode(), new.encode())


def _glb(tree: object, binary: bytes = b"", *, text: bytes | None = None) -> bytes:
    text = json.dumps(tree).encode() if text is None else text
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _points(**changes: object) -> bytes:
    """A .glb of a triangle, with changes to its accessor and its view."""
    accessor = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", **changes}
    view = {"buffer": 0, "byteLength": 36, **{name: accessor.pop(name) for name in ("byteStride",) if name in accessor}}
    tree = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "bufferViews": [view],
        "accessors": [accessor],
    }
    return _glb(tree, bytes(36))


def _nodes(nodes: list[dict[str, object]]) -> bytes:
    return _glb({"scenes": [{"nodes": [0]}], "nodes": nodes, "meshes": [{"primitives": []}]})


def _zip(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def _spz(count: int, *, body: bytes = b"", version: int = 3, degree: int = 0, bits: int = 12) -> bytes:
    return gzip.compress(b"NGSP" + struct.pack("<IIBBBB", version, count, degree, bits, 0, 0) + body)


_USDA = "#usda 1.0\n(\n    metersPerUnit = 1\n)\n"
# Name of the case, format (None: found out), bytes, what is said.
HOSTILE: list[tuple[str, str | None, Callable[[], bytes], FindingCode]] = [
    ("a billion rows", "ply", lambda: _ply("element vertex 19999999\n" + _GAUSSIAN_PROPERTIES, bytes(56)), FindingCode.TRUNCATED),
    ("a row short", "ply", lambda: _written("ply")[:-1], FindingCode.TRUNCATED),
    ("no end of the header", "ply", lambda: b"ply\nformat binary_little_endian 1.0\n" + b"comment x\n" * 99999, FindingCode.BAD_HEADER),
    ("a count of letters", "ply", lambda: _ply("element vertex many\n" + _GAUSSIAN_PROPERTIES), FindingCode.BAD_HEADER),
    ("a negative count", "ply", lambda: _ply("element vertex -5\n" + _GAUSSIAN_PROPERTIES), FindingCode.BAD_HEADER),
    ("a count of a thousand digits", "ply", lambda: _ply(f"element vertex {'9' * 5000}\n" + _GAUSSIAN_PROPERTIES), FindingCode.BAD_HEADER),
    ("no opacity", "ply", lambda: _ply("element vertex 0\n" + _GAUSSIAN_PROPERTIES.replace("opacity", "o")), FindingCode.MISSING),
    ("the same name twice", "ply", lambda: _ply("element vertex 0\n" + _GAUSSIAN_PROPERTIES + "property float x\n"), FindingCode.BAD_HEADER),
    ("seven harmonics", "ply", lambda: _ply("element vertex 0\n" + _GAUSSIAN_PROPERTIES + _SEVEN), FindingCode.INCONSISTENT),
    ("an element of nothing", "ply", lambda: _ply("element vertex 100000\n"), FindingCode.BAD_HEADER),
    ("text", "ply", lambda: b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n", FindingCode.UNSUPPORTED),
    ("all NaN", "ply", lambda: _ply("element vertex 3\n" + _GAUSSIAN_PROPERTIES, b"\xff" * 3 * 56), FindingCode.NOT_FINITE),
    ("chunks that do not match", "compressed-ply", lambda: _swapped("compressed-ply", "element chunk 2", "element chunk 9"), FindingCode.INCONSISTENT),
    ("a splat short", "splat", lambda: bytes(33), FindingCode.TRUNCATED),
    ("negative extents", "splat", lambda: struct.pack("<6f8B", 0, 0, 0, -1, 1, 1, *range(8)), FindingCode.OUT_OF_RANGE),
    ("no gzip", "spz", lambda: b"\x1f\x8bnonsense", FindingCode.INCONSISTENT),
    ("cut gzip", "spz", lambda: _written("spz")[:-200], FindingCode.TRUNCATED),
    ("more than the header says it is not", "spz", lambda: _spz(19_999_999), FindingCode.TRUNCATED),
    ("version 1", "spz", lambda: _spz(0, version=1), FindingCode.UNSUPPORTED),
    ("version 4", "spz", lambda: b"NGSP" + bytes(40), FindingCode.UNSUPPORTED),
    ("degree 9", "spz", lambda: _spz(1, degree=9), FindingCode.UNSUPPORTED),
    ("200 bits after the point", "spz", lambda: _spz(1, bits=200, body=bytes(20)), FindingCode.BAD_HEADER),
    ("announced bytes that are not there", "glb", lambda: _points()[:-8], FindingCode.TRUNCATED),
    ("a view beyond the file", "glb", lambda: _points(count=4), FindingCode.OUT_OF_RANGE),
    ("10^9 corners", "glb", lambda: _points(count=19_999_999), FindingCode.OUT_OF_RANGE),
    ("a negative count", "glb", lambda: _points(count=-1), FindingCode.BAD_HEADER),
    ("an offset beyond the view", "glb", lambda: _points(byteOffset=1 << 40), FindingCode.OUT_OF_RANGE),
    ("a negative offset", "glb", lambda: _points(byteOffset=-4), FindingCode.BAD_HEADER),
    ("a stride of minus 12", "glb", lambda: _points(byteStride=-12), FindingCode.BAD_HEADER),
    ("a stride that overlaps", "glb", lambda: _points(byteStride=4), FindingCode.OUT_OF_RANGE),
    ("an index of true", "glb", lambda: _points(bufferView=True), FindingCode.OUT_OF_RANGE),
    ("an unknown type", "glb", lambda: _points(type="MAT4"), FindingCode.INCONSISTENT),
    ("a type that is a list", "glb", lambda: _points(type=[]), FindingCode.INCONSISTENT),
    ("sparse", "glb", lambda: _points(sparse={}), FindingCode.UNSUPPORTED),
    ("a node that is its own child", "glb", lambda: _nodes([{"children": [0]}]), FindingCode.INCONSISTENT),
    ("nodes in a circle", "glb", lambda: _nodes([{"children": [1]}, {"children": [2]}, {"children": [0]}]), FindingCode.INCONSISTENT),
    ("nodes that multiply", "glb", lambda: _nodes([{"children": [i + 1, i + 1]} for i in range(60)] + [{}]), FindingCode.INCONSISTENT),
    ("a chain of a thousand nodes", "glb", lambda: _nodes([*({"children": [i + 1]} for i in range(1000)), {}]), FindingCode.OUT_OF_RANGE),
    ("JSON in JSON in JSON", "glb", lambda: _glb(0, text=b"[" * 200_000 + b"]" * 200_000), FindingCode.BAD_HEADER),
    ("JSON of NaN", "glb", lambda: _glb(0, text=b'{"nodes":[NaN]}'), FindingCode.NOT_FINITE),
    ("a number of ten thousand digits", "glb", lambda: _glb(0, text=b'{"nodes":[' + b"9" * 10_000 + b"]}"), FindingCode.BAD_HEADER),
    ("a transform of infinities", "glb", lambda: _glb(0, text=b'{"scenes":[{"nodes":[0]}],"nodes":[{"scale":[1e999,1,1]}]}'), FindingCode.NOT_FINITE),
    ("no UTF-8", "glb", lambda: _glb(0, text=b'{"a":"\xff\xff"}'), FindingCode.BAD_HEADER),
    ("a list at the top", "glb", lambda: _glb([]), FindingCode.BAD_HEADER),
    ("an extension that is required", "glb", lambda: _glb({"extensionsRequired": ["KHR_draco_mesh_compression"]}), FindingCode.UNSUPPORTED),
    ("logarithms of a draft", "glb-gaussians", lambda: _log_scales_glb(), FindingCode.OUT_OF_RANGE),
    ("faces at corners that are not there", "obj", lambda: b"v 0 0 0\nf 1 2 3\n", FindingCode.OUT_OF_RANGE),
    ("faces before all corners", "obj", lambda: b"v 0 0 0\nf -1 -2 -3\n", FindingCode.BAD_HEADER),
    ("no numbers", "obj", lambda: b"v a b c\n", FindingCode.BAD_HEADER),
    ("two numbers", "obj", lambda: b"v 1 2\n", FindingCode.INCONSISTENT),
    ("an index of a hundred digits", "obj", lambda: b"v 0 0 0\nf " + b"9" * 100 + b" 1 1\n", FindingCode.BAD_HEADER),
    ("no text", "obj", lambda: bytes(1000), FindingCode.NOT_THIS_FORMAT),
    ("a line without end", "obj", lambda: b"v " + b"1 " * 2_000_000, FindingCode.OUT_OF_RANGE),
    ("no line of an .obj", "obj", lambda: b"# nothing\n", FindingCode.NOT_THIS_FORMAT),
    ("no .obj in the zip", "obj-zip", lambda: _zip({"a.txt": b""}), FindingCode.INCONSISTENT),
    ("half a zip", "obj-zip", lambda: _zip({"a.obj": b"v 0 0 0\n" * 99})[:60], FindingCode.INCONSISTENT),
    ("faces of a face", "mesh-ply", lambda: _faces(1, "uchar", struct.pack("<B3i", 3, 0, 1, 2)), FindingCode.OUT_OF_RANGE),
    ("a face that leaves the file", "mesh-ply", lambda: _faces(1, "uint", struct.pack("<I", 1 << 31)), FindingCode.OUT_OF_RANGE),
    ("10^9 faces", "mesh-ply", lambda: _faces(29_999_999, "uchar", b""), FindingCode.TRUNCATED),
    ("binary USD", "usda", lambda: b"PXR-USDC" + bytes(80), FindingCode.UNSUPPORTED),
    ("a transform", "usda", lambda: (_USDA + 'def Mesh "a" { double3 xformOp:translate = (1, 2, 3) }').encode(), FindingCode.UNSUPPORTED),
    ("an array without end", "usda", lambda: (_USDA + 'def Mesh "a" { point3f[] points = [(1, 2').encode(), FindingCode.TRUNCATED),
    ("an array of words", "usda", lambda: (_USDA + 'def Mesh "a" { point3f[] points = [(1, x, 3)] }').encode(), FindingCode.BAD_HEADER),
    ("an array of signs", "usda", lambda: (_USDA + 'def Mesh "a" { point3f[] points = [(1, 2-3-4e, --)] }').encode(), FindingCode.BAD_HEADER),
    ("z upwards", "usda", lambda: (_USDA.replace("metersPerUnit = 1", 'upAxis = "Z"') + 'def Mesh "a" { }').encode(), FindingCode.UNSUPPORTED),
    ("counts that differ", "usda-gaussians", lambda: _swapped("usda-gaussians", "HarmonicsDegree = 1", "HarmonicsDegree = 2"), FindingCode.INCONSISTENT),
]  # fmt: skip


def _log_scales_glb() -> bytes:
    world = make_world(3, degree=0)
    data = b"".join(write_world_file(world, format_name="glb-gaussians"))
    scales = np.exp(world.log_scales).astype("<f4").tobytes()
    assert data.count(scales) == 1
    return data.replace(scales, world.log_scales.astype("<f4").tobytes())


@pytest.mark.parametrize(
    ("format_name", "make", "code"), [case[1:] for case in HOSTILE], ids=[f"{case[1]}: {case[0]}" for case in HOSTILE]
)
def test_a_hostile_file_is_refused_for_what_is_wrong(
    format_name: str, make: Callable[[], bytes], code: FindingCode
) -> None:
    data = make()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidWorldFileError) as caught:
            read_world_file(
                data,
                format_name=format_name,
                picture_decoder=lambda encoded, most: decode_image(encoded, max_pixels=most),
            )
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "INVALID_WORLD_FILE"
    assert caught.value.findings[-1].code is code
    assert caught.value.findings[-1].is_fatal
    assert caught.value.metadata["format"] == format_name
    assert peak_bytes < _MAX_BYTES
    assert validate_world_file(data, format_name=format_name)[-1].code is code


def test_a_gzip_bomb_costs_what_its_header_admits_to() -> None:
    # A hundred megabytes of zeros in a hundred kilobytes, for one Gaussian.
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = squeeze.compress(b"NGSP" + struct.pack("<IIBBBB", 3, 1, 0, 12, 0, 0)) + squeeze.compress(bytes(100 << 20))
    data = bomb + squeeze.flush()
    tracemalloc.start()
    try:
        file = read_world_file(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(file.content, GaussianWorld)
    assert len(file.content) == 1
    assert [item.code for item in file.findings] == [FindingCode.TRAILING_BYTES]
    assert peak_bytes < 4 << 20


def test_a_zip_bomb_is_stopped_while_it_unpacks() -> None:
    data = _zip({"a.obj": b"v 0 0 0\n", "b.png": bytes(200 << 20)})
    assert len(data) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(WorldFileTooLargeError):
            read_world_file(data, limits=FileLimits(max_expanded_bytes=8 << 20))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 24 << 20


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (FileLimits(max_gaussians=299), "ply"),
        (FileLimits(max_gaussians=299), "compressed-ply"),
        (FileLimits(max_gaussians=299), "splat"),
        (FileLimits(max_gaussians=299), "spz"),
        (FileLimits(max_gaussians=299), "glb-gaussians"),
        (FileLimits(max_gaussians=299), "usda-gaussians"),
        (FileLimits(max_corners=19), "glb"),
        (FileLimits(max_corners=19), "mesh-ply"),
        (FileLimits(max_corners=19), "obj"),
        (FileLimits(max_corners=19), "usda"),
        (FileLimits(max_file_bytes=500), "usdz"),
        (FileLimits(max_text_bytes=100), "glb"),
    ],
)
def test_more_than_is_allowed_is_refused(limits: FileLimits, name: str) -> None:
    with pytest.raises(WorldFileTooLargeError) as caught:
        read_world_file(_written(name), format_name=name, limits=limits)
    assert caught.value.reason == "WORLD_FILE_TOO_LARGE"


def test_an_open_file_is_not_read_beyond_the_limit() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            assert 0 <= size <= 1001
            self.taken += size
            return bytes(size)

    source = Endless()
    with pytest.raises(WorldFileTooLargeError):
        read_world_file(source, format_name="splat", limits=FileLimits(max_file_bytes=1000))  # pyright: ignore[reportArgumentType]
    assert source.taken == 1001


def test_a_texture_that_is_no_picture_is_refused() -> None:
    data = _written("glb")
    start = data.index(b"\x89PNG")
    broken = data[:start] + b"nonsense" + data[start + 8 :]
    with pytest.raises(InvalidWorldFileError, match="picture"):
        read_world_file(broken, picture_decoder=lambda encoded, most: decode_image(encoded, max_pixels=most))


@pytest.mark.parametrize("data", [b"", b"hello", b"MZ\x90\x00", b"GIF89a"])
def test_an_unknown_file_is_told_so(data: bytes) -> None:
    with pytest.raises(UnknownWorldFormatError):
        detect_format(data, filename="world.bin")


def test_an_unknown_name_is_told_so() -> None:
    with pytest.raises(UnknownWorldFormatError, match="known are ply"):
        format_named("blend")


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("seed", range(3))
def test_broken_files_end_as_typed_errors_or_are_read(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = _written(name)
    limits = FileLimits(
        max_gaussians=100_000, max_corners=100_000, max_expanded_bytes=64 << 20, max_texture_pixels=1 << 22
    )
    for _ in range(60):
        data = bytearray(whole)
        # Headers are where the lies are; half of the damage goes there.
        reach = len(data) if rng.random() < 0.5 else min(len(data), 1500)
        for _ in range(int(rng.integers(1, 8))):
            data[int(rng.integers(reach))] = int(rng.integers(256))
        if rng.random() < 0.3:
            del data[int(rng.integers(len(data))) :]
        if rng.random() < 0.2:
            start = int(rng.integers(len(data) + 1))
            data[start:start] = data[: int(rng.integers(64))]
        try:
            content = read_world_file(
                bytes(data),
                format_name=name,
                limits=limits,
                picture_decoder=lambda encoded, most: decode_image(encoded, max_pixels=most),
            ).content
        except InvalidInputError:
            continue
        assert isinstance(content, GaussianWorld | Mesh)
        numbers = content.means_m if isinstance(content, GaussianWorld) else content.vertices_m
        assert np.isfinite(numbers).all()
