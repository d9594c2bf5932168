"""The .spz of Niantic: quantised, column by column, gzip over all. Versions 2 and 3 are read, 3 is written.

Lost: centres are rounded to 1/4096 of a unit (coarser only where the world is wider than 2,048 units), logarithms of extents to 1/16, opacities, colours and
harmonics to 8 bits, of which harmonics of degree 1 keep 5 and higher ones 4; quaternions keep 9 bits and a sign a component.
Frame: x right, y up, z back: the world's own.
Source: the layout is that of github.com/nianticlabs/spz, README "File format" (MIT).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from praxiscope_worlds._gaussians import SH_COUNTS, GaussianWorld
from praxiscope_worlds.formats._arrays import check_writable, finish_world, logits_of, opacities_of
from praxiscope_worlds.formats._check import Check, FindingCode

_GZIP_MAGIC = b"\x1f\x8b"
_MAGIC = b"NGSP"
_HEADER = struct.Struct("<4sIIBBBB")
_FLAG_EXTENSIONS = 0x2
_GZIP_WINDOW = 16 + 15
_GZIP_LEVEL = 6
# Deflate makes at most 1,032 bytes of one (RFC 1951's longest match, shortest codes).
_MAX_DEFLATE_RATIO = 1032
_MAX_FRACTION_BITS = 12
# Colours are kept beyond [0, 1], because harmonics may bring them back: byte = 255 (0.15 c + 0.5).
_COLOR_SCALE = 0.15
_OPACITY_MARGIN = 0.25 / 255
# Buckets of the 8-bit harmonics by coefficient after the first: 5 bits for degree 1, 4 for the others; gzip takes what is saved.
_SH_BUCKETS = np.array([8] * 3 + [16] * 12, np.int32)
_LARGEST_MAGNITUDE = np.float32(2**-0.5)
_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


def write_spz(world: GaussianWorld) -> Iterator[bytes]:
    """Writes a world, in its own order."""
    world = check_writable(world)
    reach = float(np.abs(world.means_m).max(initial=0.0))
    fraction_bits = _MAX_FRACTION_BITS
    while fraction_bits and reach * (1 << fraction_bits) > (1 << 23) - 1:
        fraction_bits -= 1
    deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    header = _HEADER.pack(_MAGIC, 3, len(world), world.sh_degree, fraction_bits, 0, 0)
    yield deflate.compress(header)
    limit = (1 << 23) - 1
    fixed = np.clip(np.rint(world.means_m * np.float32(1 << fraction_bits)), -limit, limit).astype("<i4")
    yield deflate.compress(fixed.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    yield deflate.compress(_bytes_of(opacities_of(world.opacity_logits) * 255).tobytes())
    yield deflate.compress(_bytes_of(world.sh[:, 0] * (_COLOR_SCALE * 255) + 127.5).tobytes())
    yield deflate.compress(_bytes_of((world.log_scales + 10) * 16).tobytes())
    yield deflate.compress(_packed_quaternions(world.quaternions_wxyz).tobytes())
    if world.sh_degree:
        buckets = _SH_BUCKETS[: world.sh.shape[1] - 1, None]
        steps = np.rint(np.clip(world.sh[:, 1:], -1, 1) * 128).astype(np.int32) + 128
        levels = np.clip((steps + buckets // 2) // buckets * buckets, 0, 255)
        yield deflate.compress(levels.astype(np.uint8).tobytes())
    yield deflate.flush()


def read_spz(check: Check, data: memoryview) -> GaussianWorld:
    """Reads a world of version 2 or 3."""
    if bytes(data[:4]) == _MAGIC:
        check.fail(FindingCode.UNSUPPORTED, "byte 0", "version 4 (Zstandard); write it as version 3")
    check.need(bytes(data[:2]) == _GZIP_MAGIC, FindingCode.NOT_THIS_FORMAT, "byte 0", "it does not begin like gzip")
    stream = _Inflater(check, data)
    magic, version, count, degree, fraction_bits, flags, _ = _HEADER.unpack(stream.take(_HEADER.size))
    check.need(magic == _MAGIC, FindingCode.NOT_THIS_FORMAT, "header", f"the magic is {magic!r}, not {_MAGIC!r}")
    check.need(version in {2, 3}, FindingCode.UNSUPPORTED, "header", f"version {version}; 2 and 3 are read")
    check.need(degree < len(SH_COUNTS), FindingCode.UNSUPPORTED, "header", f"harmonics of degree {degree}; at most 3")
    check.need(fraction_bits <= 24, FindingCode.BAD_HEADER, "header", f"{fraction_bits} bits after the point, of 24")
    check.limit(count, check.limits.max_gaussians, "Gaussians")
    rest_count = SH_COUNTS[degree] - 1
    quaternion_size = 4 if version == 3 else 3
    row_size = 9 + 1 + 3 + 3 + quaternion_size + 3 * rest_count
    check.limit(count * row_size, check.limits.max_expanded_bytes, "bytes after decompression")
    check.need(
        count * row_size <= _MAX_DEFLATE_RATIO * len(data),
        FindingCode.TRUNCATED,
        "header",
        f"{count} Gaussians cannot come of {len(data)} compressed bytes",
    )
    positions = stream.column(count, 9)
    opacities = stream.column(count, 1)
    colors = stream.column(count, 3)
    scales = stream.column(count, 3)
    quaternions = stream.column(count, quaternion_size)
    sh = np.empty((count, rest_count + 1, 3), np.float32)
    sh[:, 0] = (colors.astype(np.float32) - 127.5) / (_COLOR_SCALE * 255)
    if rest_count:
        sh[:, 1:] = (stream.column(count, 3 * rest_count).reshape(count, rest_count, 3).astype(np.float32) - 128) / 128
    if stream.has_more():
        if flags & _FLAG_EXTENSIONS:
            check.note(FindingCode.LEFT_OUT, "extensions", "what follows the last column is passed over")
        else:
            check.note(FindingCode.TRAILING_BYTES, "after the last column", "bytes that no column holds")
    return finish_world(
        check,
        means=_from_fixed(positions, fraction_bits),
        quaternions=_unpacked_quaternions(quaternions) if version == 3 else _first_three(quaternions),
        log_scales=scales.astype(np.float32) / 16 - 10,
        opacity_logits=logits_of(opacities[:, 0] / 255, margin=_OPACITY_MARGIN),
        sh=sh,
        is_turned=False,
    )


class _Inflater:
    """Decompresses as much as is asked for and no more, so that a bomb costs what its header admits to."""

    def __init__(self, check: Check, data: memoryview) -> None:
        self._check = check
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._rest: bytes | memoryview = data
        self._taken = 0

    def take(self, size: int) -> bytes:
        pieces, missing = [], size
        while missing:
            try:
                piece = self._inflate.decompress(self._rest, missing)
            except zlib.error as error:
                self._check.fail(
                    FindingCode.INCONSISTENT, f"decompressed byte {self._taken}", f"gzip is broken: {error}"
                )
            self._rest = self._inflate.unconsumed_tail
            if not piece and (self._inflate.eof or not self._rest):
                self._check.fail(
                    FindingCode.TRUNCATED, f"decompressed byte {self._taken}", f"{missing} more bytes are expected"
                )
            pieces.append(piece)
            missing -= len(piece)
            self._taken += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def column(self, count: int, width: int) -> np.ndarray:
        return np.frombuffer(self.take(count * width), np.uint8).reshape(count, width)

    def has_more(self) -> bool:
        try:
            return bool(self._inflate.decompress(self._rest, 1))
        except zlib.error as error:
            self._check.fail(FindingCode.INCONSISTENT, f"decompressed byte {self._taken}", f"gzip is broken: {error}")


def _from_fixed(positions: np.ndarray, fraction_bits: int) -> np.ndarray:
    words = np.zeros((len(positions) * 3, 4), np.uint8)
    # Into the upper three bytes, so that the shift back brings the sign down.
    words[:, 1:] = positions.reshape(-1, 3)
    fixed = words.view("<i4").reshape(-1, 3) >> 8
    return fixed.astype(np.float32) / np.float32(1 << fraction_bits)


def _packed_quaternions(quaternions_wxyz: np.ndarray) -> np.ndarray:
    """The largest component by its number in two bits, the other three as sign and nine bits each; in the order x, y, z, w."""
    xyzw = quaternions_wxyz[:, [1, 2, 3, 0]]
    largest = np.abs(xyzw).argmax(axis=1)
    is_negative = np.take_along_axis(xyzw, largest[:, None], 1) < 0
    others = np.take_along_axis(xyzw, _OTHERS[largest], 1)
    magnitudes = np.minimum(np.abs(others) * (511 / _LARGEST_MAGNITUDE) + 0.5, 511).astype(np.uint32)
    parts = magnitudes | (((others < 0) ^ is_negative).astype(np.uint32) << 9)
    words = (largest.astype(np.uint32) << 30) | (parts[:, 0] << 20) | (parts[:, 1] << 10) | parts[:, 2]
    return words.astype("<u4")


def _unpacked_quaternions(packed: np.ndarray) -> np.ndarray:
    words = np.ascontiguousarray(packed).view("<u4")[:, 0]
    largest = (words >> 30).astype(np.int64)
    parts = np.stack([words >> 20, words >> 10, words], axis=1)
    others = (parts & 511).astype(np.float32) * (_LARGEST_MAGNITUDE / 511)
    others = np.where(parts & 512, -others, others)
    xyzw = np.empty((len(words), 4), np.float32)
    np.put_along_axis(xyzw, _OTHERS[largest], others, 1)
    rest = np.sqrt(np.maximum(0, 1 - np.einsum("ij,ij->i", others, others)))
    np.put_along_axis(xyzw, largest[:, None], rest[:, None], 1)
    return xyzw[:, [3, 0, 1, 2]]


def _first_three(packed: np.ndarray) -> np.ndarray:
    """Version 2: x, y and z in a byte each, w is what is left and never negative."""
    xyz = packed.astype(np.float32) / 127.5 - 1
    w = np.sqrt(np.maximum(0, 1 - np.einsum("ij,ij->i", xyz, xyz)))
    return np.concatenate([w[:, None], xyz], axis=1)


def _bytes_of(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
