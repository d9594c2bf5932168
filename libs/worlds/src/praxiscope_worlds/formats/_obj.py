"""Triangle meshes in Wavefront .obj, alone (corners, faces, colours at corners) or in a .zip with their .mtl and picture.

Text: seven decimals of a corner are kept. Frame: the world's own; texture coordinates count from the bottom, as here.
Read: `v` with or without colours, `vt`, `f` with polygons and negative indices; of materials the first `map_Kd`. Normals, groups and lines are passed over.
Source: the format's description in P. Bourke, "Object Files (.obj)"; colours after the corner are a custom that MeshLab and others share.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

import numpy as np

from praxiscope_worlds._mesh import Mesh
from praxiscope_worlds.formats._check import Check, FindingCode
from praxiscope_worlds.formats._meshes import check_writable_mesh, fans_of, finish_mesh
from praxiscope_worlds.formats._png import encode_png
from praxiscope_worlds.formats._text import rows_of_text
from praxiscope_worlds.formats._zip import read_zip, write_zip

_MATERIAL = "world"
_MTL_NAME, _OBJ_NAME, _PNG_NAME = "world.mtl", "world.obj", "world.png"
_ROWS_A_CHUNK = 65536
# Lines are taken apart a block at a time, so that text does not stand in memory as a million small objects.
_BLOCK_BYTES = 1 << 20
_MAX_LINE_BYTES = 1 << 16
_MAX_POLYGON = 255


def write_obj(mesh: Mesh) -> Iterator[bytes]:
    """Writes corners, faces and colours; the texture is lost (`write_obj_zip` keeps it)."""
    yield from _obj_text(check_writable_mesh(mesh), has_texture=False)


def write_obj_zip(mesh: Mesh) -> Iterator[bytes]:
    """Writes a zip of .obj, .mtl and, where there is a texture, .png."""
    mesh = check_writable_mesh(mesh)
    has_texture = mesh.texture_rgb is not None
    lines = [f"newmtl {_MATERIAL}", "Ka 1 1 1", "Kd 1 1 1", "Ks 0 0 0", "illum 1"]
    lines += [f"map_Kd {_PNG_NAME}"] if has_texture else []
    files = {
        _OBJ_NAME: b"".join(_obj_text(mesh, has_texture=has_texture)),
        _MTL_NAME: ("\n".join(lines) + "\n").encode("ascii"),
    }
    if mesh.texture_rgb is not None:
        files[_PNG_NAME] = encode_png(mesh.texture_rgb)
    yield from write_zip(files, is_compressed=True)


def read_obj(check: Check, data: memoryview) -> Mesh:
    """Reads an .obj alone, without its texture."""
    return _Obj(check, data).mesh(None)


def read_obj_zip(check: Check, data: memoryview) -> Mesh:
    """Reads a zip with one .obj and what it names."""
    files = read_zip(check, data)
    names = [name for name in files if name.lower().endswith(".obj")]
    check.need(len(names) == 1, FindingCode.INCONSISTENT, "zip", f"{len(names)} .obj files; one is expected")
    obj = _Obj(check, memoryview(files[names[0]]))
    folder = posixpath.dirname(names[0])
    return obj.mesh(_picture(check, files, folder, obj.material_file) if obj.has_uvs else None)


def _picture(check: Check, files: dict[str, bytes], folder: str, material_file: str) -> np.ndarray | None:
    """The first picture of the materials; only files of the same zip are looked for."""
    path = posixpath.normpath(posixpath.join(folder, material_file)) if material_file else ""
    for line in files.get(path, b"").decode("utf-8", "replace").splitlines():
        words = line.split(maxsplit=1)
        if len(words) == 2 and words[0] == "map_Kd":
            picture = posixpath.normpath(posixpath.join(folder, words[1].strip().replace("\\", "/")))
            if picture in files:
                return check.picture(files[picture], picture)
            check.note(FindingCode.MISSING, path, f"the picture {words[1][:60]!r} is not in the zip")
            return None
    return None


def _obj_text(mesh: Mesh, *, has_texture: bool) -> Iterator[bytes]:
    yield f"# Praxiscope\n{f'mtllib {_MTL_NAME}' if has_texture else ''}\no world\n".encode("ascii")
    corners = mesh.vertices_m.astype(np.float64)
    if mesh.colors_rgb is not None:
        corners = np.concatenate([corners, mesh.colors_rgb / 255], axis=1)
    yield from _lines("v", corners, "%.7g")
    if has_texture and mesh.uvs is not None:
        yield from _lines("vt", mesh.uvs.astype(np.float64), "%.7g")
        yield f"usemtl {_MATERIAL}\n".encode("ascii")
        yield from _lines("f", np.repeat(mesh.faces + 1, 2, axis=1), "%d/%d", columns_a_word=2)
    else:
        yield from _lines("f", mesh.faces + 1, "%d")


def _lines(word: str, values: np.ndarray, pattern: str, *, columns_a_word: int = 1) -> Iterator[bytes]:
    line = " ".join([word, *[pattern] * (values.shape[1] // columns_a_word)]) + "\n"
    for start in range(0, len(values), _ROWS_A_CHUNK):
        part = values[start : start + _ROWS_A_CHUNK]
        yield (line * len(part) % tuple(part.reshape(-1).tolist())).encode("ascii")


class _Obj:
    """The tables of an .obj file."""

    def __init__(self, check: Check, data: memoryview) -> None:
        self._check = check
        self.material_file = ""
        self._corners: list[np.ndarray] = []
        self._uvs: list[np.ndarray] = []
        # Pairs (corner, texture coordinate) of triangles, from 0; the second is -1 where there is none.
        self._triangles: list[np.ndarray] = []
        self._corner_count = self._uv_count = self._triangle_count = 0
        self._has_text = False
        for offset, lines in _blocks(check, data):
            self._read_block(lines, f"block at byte {offset}")
        check.need(self._has_text, FindingCode.NOT_THIS_FORMAT, "file", "no line of an .obj file in it")

    @property
    def has_uvs(self) -> bool:
        return self._uv_count > 0

    def mesh(self, texture: np.ndarray | None) -> Mesh:
        check, none = self._check, np.zeros((0, 3), np.float32)
        widths = {block.shape[1] for block in self._corners}
        check.need(len(widths) <= 1, FindingCode.INCONSISTENT, "v", "some corners have colours, some have none")
        corners = np.concatenate(self._corners) if self._corners else none
        pairs = np.concatenate(self._triangles) if self._triangles else np.zeros((0, 3, 2), np.int64)
        self._need_inside(pairs[..., 0], len(corners), "corner")
        colors = (
            np.rint(np.clip(np.nan_to_num(corners[:, 3:6]), 0, 1) * 255).astype(np.uint8)
            if corners.shape[1] == 6
            else None
        )
        if texture is None or not len(pairs) or (pairs[..., 1] < 0).any():
            return finish_mesh(check, corners[:, :3], pairs[..., 0], colors, uvs=None, texture=None)
        uvs = np.concatenate(self._uvs)
        self._need_inside(pairs[..., 1], len(uvs), "texture coordinate")
        return self._textured(corners[:, :3], uvs, pairs, colors=colors, texture=texture)

    def _textured(
        self, corners: np.ndarray, uvs: np.ndarray, pairs: np.ndarray, *, colors: np.ndarray | None, texture: np.ndarray
    ) -> Mesh:
        """A corner with several texture coordinates becomes several corners; where each has its own of the same number, nothing moves."""
        if len(uvs) == len(corners) and np.array_equal(pairs[..., 0], pairs[..., 1]):
            return finish_mesh(self._check, corners, pairs[..., 0], colors, uvs=uvs, texture=texture)
        keys = pairs[..., 0] * len(uvs) + pairs[..., 1]
        unique, faces = np.unique(keys, return_inverse=True)
        i_corner, i_uv = np.divmod(unique, len(uvs))
        return finish_mesh(
            self._check,
            corners[i_corner],
            faces.reshape(-1, 3),
            None if colors is None else colors[i_corner],
            uvs=uvs[i_uv],
            texture=texture,
        )

    def _need_inside(self, indices: np.ndarray, count: int, what: str) -> None:
        is_outside = bool(indices.size) and (int(indices.min()) < 0 or int(indices.max()) >= count)
        self._check.need(
            not is_outside, FindingCode.OUT_OF_RANGE, "f", f"a face names a {what} that is not there; there are {count}"
        )

    def _read_block(self, lines: list[bytes], where: str) -> None:
        corners, uvs, faces = [], [], []
        for line in lines:
            words = line.split()
            match words[:1]:
                case [b"v"]:
                    corners.append(words[1:])
                case [b"vt"]:
                    uvs.append(words[1:3])
                case [b"f"]:
                    # A negative index counts back from the corners read so far, which the face keeps with it.
                    faces.append((words[1:], self._corner_count + len(corners), self._uv_count + len(uvs)))
                case [b"mtllib"] if not self.material_file:
                    self.material_file = (
                        line.split(maxsplit=1)[1].strip().decode("utf-8", "replace") if len(words) > 1 else ""
                    )
                case [b"vn" | b"g" | b"o" | b"s" | b"usemtl" | b"mtllib" | b"l" | b"p"] | []:
                    pass
                case [word] if word.startswith(b"#"):
                    pass
                case _:
                    self._check.fail(
                        FindingCode.BAD_HEADER, where, f"no such line: {line[:40].decode('ascii', 'replace')!r}"
                    )
        self._has_text = self._has_text or bool(corners or uvs or faces)
        if corners:
            # x y z, x y z w, or x y z r g b; the weight is passed over.
            table = rows_of_text(self._check, corners, widths=(3, 4, 6), where=f"v, {where}")
            self._corners.append(table[:, :3] if table.shape[1] == 4 else table)
            self._corner_count += len(table)
            self._check.limit(self._corner_count, self._check.limits.max_corners, "corners")
        if uvs:
            self._uvs.append(rows_of_text(self._check, uvs, widths=(2,), where=f"vt, {where}"))
            self._uv_count += len(uvs)
            self._check.limit(self._uv_count, 3 * self._check.limits.max_corners, "texture coordinates")
        if faces:
            self._read_faces(faces, where)

    def _read_faces(self, faces: list[tuple[list[bytes], int, int]], where: str) -> None:
        by_size: dict[int, list[list[tuple[int, int]]]] = {}
        for words, corner_count, uv_count in faces:
            self._check.need(
                3 <= len(words) <= _MAX_POLYGON,
                FindingCode.OUT_OF_RANGE,
                f"f, {where}",
                f"a face of {len(words)} corners; 3 to {_MAX_POLYGON}",
            )
            try:
                pairs = [_pair(word, corner_count, uv_count) for word in words]
            except ValueError:
                self._check.fail(FindingCode.BAD_HEADER, f"f, {where}", f"not understood: {b' '.join(words)[:40]!r}")
            by_size.setdefault(len(words), []).append(pairs)
        for size, found in by_size.items():
            table = np.array(found, np.int64)
            fans = [fans_of(table[..., i_part]) for i_part in range(2)]
            self._triangles.append(np.stack(fans, axis=-1))
            self._triangle_count += len(found) * (size - 2)
        self._check.limit(self._triangle_count, 2 * self._check.limits.max_corners, "triangles")


def _pair(word: bytes, corner_count: int, uv_count: int) -> tuple[int, int]:
    parts = word.split(b"/")
    if len(parts) > 3 or any(len(part) > 12 for part in parts):
        raise ValueError
    return _index(parts[0], corner_count), _index(parts[1], uv_count) if len(parts) > 1 and parts[1] else -1


def _index(text: bytes, count: int) -> int:
    """From 0; what counts back to before the first, and the forbidden 0, become indices that are never there."""
    value = int(text)
    index = value - 1 if value > 0 else count + value if value < 0 else -1
    if index < 0:
        raise ValueError
    return index


def _blocks(check: Check, data: memoryview) -> Iterator[tuple[int, list[bytes]]]:
    offset = 0
    while offset < len(data):
        block = bytes(data[offset : offset + _BLOCK_BYTES])
        if offset + len(block) < len(data):
            end = block.rfind(b"\n") + 1
            check.need(
                len(block) - end <= _MAX_LINE_BYTES,
                FindingCode.OUT_OF_RANGE,
                f"byte {offset + end}",
                f"a line of more than {_MAX_LINE_BYTES} bytes",
            )
            block = block[:end]
        check.need(b"\0" not in block, FindingCode.NOT_THIS_FORMAT, f"byte {offset}", "bytes of zero in a text file")
        yield offset, block.splitlines()
        offset += len(block)
