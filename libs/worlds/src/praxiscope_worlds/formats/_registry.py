"""The formats of worlds in one table, and what is done with any of them: tell, read, check, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import BinaryIO

from praxiscope_worlds._errors import InvalidWorldError
from praxiscope_worlds._gaussians import GaussianWorld
from praxiscope_worlds._mesh import Mesh
from praxiscope_worlds.formats._check import (
    Check,
    FileLimits,
    Finding,
    InvalidWorldFileError,
    PictureDecoder,
    UnknownWorldFormatError,
)
from praxiscope_worlds.formats._compressed_ply import read_compressed_ply, write_compressed_ply
from praxiscope_worlds.formats._gaussian_glb import EXTENSION, read_gaussian_glb, write_gaussian_glb
from praxiscope_worlds.formats._gaussian_ply import read_gaussian_ply, write_gaussian_ply
from praxiscope_worlds.formats._glb import GLB_MAGIC, json_of
from praxiscope_worlds.formats._mesh_glb import read_mesh_glb, write_mesh_glb
from praxiscope_worlds.formats._mesh_ply import read_mesh_ply, write_mesh_ply
from praxiscope_worlds.formats._obj import read_obj, read_obj_zip, write_obj, write_obj_zip
from praxiscope_worlds.formats._splat import read_splat, write_splat
from praxiscope_worlds.formats._spz import read_spz, write_spz
from praxiscope_worlds.formats._usd import (
    read_gaussian_usda,
    read_mesh_usda,
    read_mesh_usdz,
    write_gaussian_usda,
    write_mesh_usda,
    write_mesh_usdz,
)

# A look at a file's beginning: enough for the header of a .ply and the first prim of a layer.
_HEAD_BYTES = 64 << 10
_ZIP_MAGIC = b"PK\x03\x04"


class WorldContent(StrEnum):
    """What a file holds."""

    GAUSSIANS = "gaussians"
    MESH = "mesh"


@dataclass(frozen=True, kw_only=True)
class WorldFormat:
    """One format.

    Attributes:
        name: What it is called here and in requests.
        title: What people call it.
        media_type: For HTTP; where no registered one exists, a private one of the kind that viewers use.
        extension: Ending of a file's name, with its dot.
        holds: Gaussians or a mesh.
        loses: What of a world does not survive; empty where all does.
        reader: Reads a checked file.
        writer: Yields a file piece by piece.
    """

    name: str
    title: str
    media_type: str
    extension: str
    holds: WorldContent
    loses: str
    reader: Callable[[Check, memoryview], GaussianWorld | Mesh]
    writer: Callable[..., Iterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class WorldFile:
    """What was read.

    Attributes:
        format: Of the file.
        content: Gaussians or a mesh, in the world's frame.
        findings: What was wrong or left out, and was no reason to refuse the file.
    """

    format: WorldFormat
    content: GaussianWorld | Mesh
    findings: tuple[Finding, ...]


_GAUSSIANS, _MESH = WorldContent.GAUSSIANS, WorldContent.MESH
_TABLE = (
    ("ply", "3DGS .ply", "application/x-3dgs-ply", ".ply", _GAUSSIANS, "", read_gaussian_ply, write_gaussian_ply),
    (
        "compressed-ply",
        "compressed .ply (PlayCanvas)",
        "application/x-3dgs-compressed-ply",
        ".compressed.ply",
        _GAUSSIANS,
        "precision (8 to 11 bits a number within 256 neighbours), the order",
        read_compressed_ply,
        write_compressed_ply,
    ),
    (
        "splat",
        ".splat",
        "application/x-splat",
        ".splat",
        _GAUSSIANS,
        "harmonics above degree 0; colours, opacities and rotations to 8 bits",
        read_splat,
        write_splat,
    ),
    (
        "spz",
        ".spz (Niantic, version 3)",
        "application/x-spz",
        ".spz",
        _GAUSSIANS,
        "precision (centres to 1/4096, extents to 3 %, colours to 8 bits, harmonics to 5 and 4 bits)",
        read_spz,
        write_spz,
    ),
    (
        "glb-gaussians",
        "glTF with KHR_gaussian_splatting",
        "model/gltf-binary",
        ".glb",
        _GAUSSIANS,
        "",
        read_gaussian_glb,
        write_gaussian_glb,
    ),
    (
        "usda-gaussians",
        "USD ParticleField3DGaussianSplat",
        "model/vnd.usda",
        ".usda",
        _GAUSSIANS,
        "",
        read_gaussian_usda,
        write_gaussian_usda,
    ),
    ("glb", "glTF", "model/gltf-binary", ".glb", _MESH, "", read_mesh_glb, write_mesh_glb),
    ("mesh-ply", "mesh .ply", "application/x-ply", ".ply", _MESH, "the texture", read_mesh_ply, write_mesh_ply),
    ("obj", "Wavefront .obj", "model/obj", ".obj", _MESH, "the texture", read_obj, write_obj),
    (
        "obj-zip",
        "Wavefront .obj with material and picture",
        "application/zip",
        ".obj.zip",
        _MESH,
        "",
        read_obj_zip,
        write_obj_zip,
    ),
    ("usda", "USD mesh", "model/vnd.usda", ".usda", _MESH, "the texture", read_mesh_usda, write_mesh_usda),
    ("usdz", "USDZ mesh", "model/vnd.usdz+zip", ".usdz", _MESH, "", read_mesh_usdz, write_mesh_usdz),
)
FORMATS: Mapping[str, WorldFormat] = MappingProxyType(
    {
        name: WorldFormat(
            name=name,
            title=title,
            media_type=media_type,
            extension=extension,
            holds=holds,
            loses=loses,
            reader=reader,
            writer=writer,
        )
        for name, title, media_type, extension, holds, loses, reader, writer in _TABLE
    }
)
"""Every format by its name."""


def detect_format(data: bytes | memoryview, *, filename: str = "") -> WorldFormat:
    """Tells a file's format by its first bytes, and by its name where those say nothing.

    Args:
        data: The file, or as much of its beginning as holds its header (of a .glb: the JSON).
        filename: Its name; only `.splat` and `.obj` need it.

    Raises:
        UnknownWorldFormatError: It is none of `FORMATS`.
    """
    view = memoryview(data)
    head = bytes(view[:_HEAD_BYTES])
    if head[:4] in {b"ply\n", b"ply\r"}:
        header = head.partition(b"end_header")[0]
        is_packed, is_gaussian = b"packed_position" in header, b"f_dc_0" in header
        return FORMATS["compressed-ply" if is_packed else "ply" if is_gaussian else "mesh-ply"]
    if head[:2] == b"\x1f\x8b" or head[:4] == b"NGSP":
        return FORMATS["spz"]
    if head[:4] == GLB_MAGIC:
        is_gaussian = f'"{EXTENSION}"'.encode() in json_of(view, max_bytes=FileLimits().max_text_bytes)
        return FORMATS["glb-gaussians" if is_gaussian else "glb"]
    if head[:5] == b"#usda":
        return FORMATS["usda-gaussians" if b"ParticleField3DGaussianSplat" in head else "usda"]
    if head[:4] == _ZIP_MAGIC:
        is_usd = head[30:].split(b"\0", 1)[0][:255].find(b".usd") >= 0 or filename.lower().endswith(".usdz")
        return FORMATS["usdz" if is_usd else "obj-zip"]
    for name in ("splat", "obj"):
        if filename.lower().endswith(FORMATS[name].extension):
            return FORMATS[name]
    raise UnknownWorldFormatError(
        f"no format begins like this or is named like {filename[-60:]!r}; known are {', '.join(FORMATS)}",
        metadata={"filename": filename[-200:]},
    )


def format_named(name: str) -> WorldFormat:
    """The format of a name.

    Raises:
        UnknownWorldFormatError: There is none.
    """
    if name not in FORMATS:
        raise UnknownWorldFormatError(
            f"no format is called {name[:60]!r}; known are {', '.join(FORMATS)}", metadata={"name": name[:200]}
        )
    return FORMATS[name]


def read_world_file(
    source: bytes | memoryview | BinaryIO,
    *,
    format_name: str | None = None,
    filename: str = "",
    limits: FileLimits | None = None,
    picture_decoder: PictureDecoder | None = None,
) -> WorldFile:
    """Reads a world and turns it into the world's frame.

    Args:
        source: The file's bytes, or the file open for reading; not more than the limit is read of it.
        format_name: One of `FORMATS`; found out where it is None.
        filename: Helps to find it out.
        limits: What the file may cost.
        picture_decoder: For textures; without one they are left out, and a finding says so.

    Raises:
        InvalidWorldFileError: The file is not what the format says.
        WorldFileTooLargeError: It holds more than is allowed.
        UnknownWorldFormatError: The format is not known.
    """
    limits = limits or FileLimits()
    data = _bytes_of(source, limits)
    found = format_named(format_name) if format_name is not None else detect_format(data, filename=filename)
    check = Check(found.name, limits, picture_decoder=picture_decoder)
    content = found.reader(check, data)
    return WorldFile(format=found, content=content, findings=check.findings)


def validate_world_file(
    source: bytes | memoryview | BinaryIO,
    *,
    format_name: str | None = None,
    filename: str = "",
    limits: FileLimits | None = None,
    picture_decoder: PictureDecoder | None = None,
) -> tuple[Finding, ...]:
    """Says everything that is wrong with a file; empty where nothing is. It is what the reader finds, so the two never differ.

    Args:
        source: As for `read_world_file`.
        format_name: Likewise.
        filename: Likewise.
        limits: Likewise.
        picture_decoder: Likewise.

    Raises:
        WorldFileTooLargeError: It holds more than is allowed, so that it was not looked through.
        UnknownWorldFormatError: The format is not known.
    """
    try:
        return read_world_file(
            source, format_name=format_name, filename=filename, limits=limits, picture_decoder=picture_decoder
        ).findings
    except InvalidWorldFileError as error:
        return error.findings


def write_world_file(content: GaussianWorld | Mesh, *, format_name: str) -> Iterator[bytes]:
    """Yields a file piece by piece; equal worlds give equal bytes.

    Raises:
        UnknownWorldFormatError: The format is not known.
        InvalidWorldError: The format does not hold such content, or numbers are not finite.
    """
    found = format_named(format_name)
    is_held = isinstance(content, GaussianWorld if found.holds is WorldContent.GAUSSIANS else Mesh)
    if not is_held:
        raise InvalidWorldError(f"{found.title} holds {found.holds.value}; this is a {type(content).__name__}.")
    return found.writer(content)


def _bytes_of(source: bytes | memoryview | BinaryIO, limits: FileLimits) -> memoryview:
    data = source if isinstance(source, bytes | bytearray | memoryview) else source.read(limits.max_file_bytes + 1)
    Check("world", limits).limit(len(data), limits.max_file_bytes, "bytes or more")
    return memoryview(data).cast("B")
