"""PlayCanvas's compressed .ply: 256 Gaussians a chunk, each quantised within its chunk's bounds.

Lost: centres and logarithms of extents keep 11, 10 and 11 bits within their chunk, colours 8 bits, opacities 8 bits, quaternions 10 bits a component,
harmonics above the constant 8 bits over [-4, 4]. Gaussians are put into Morton order, so that chunks are small; their own order is lost.
Frame: x right, y down, z forward; turned half a turn about x from the world's.
Source: the layout is that which PlayCanvas's splat-transform (MIT) reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np

from praxiscope_worlds._gaussians import SH_C0, SH_COUNTS, GaussianWorld
from praxiscope_worlds.formats._arrays import (
    check_writable,
    degree_of,
    finish_world,
    logits_of,
    opacities_of,
    turn_half,
)
from praxiscope_worlds.formats._check import Check, FindingCode
from praxiscope_worlds.formats._ply import (
    columns_of,
    element_of,
    read_header,
    rows_of,
    tell_trailing_bytes,
)

_CHUNK = 256
_AXES, _CHANNELS = ("x", "y", "z"), ("r", "g", "b")
_BOUNDS = [f"{end}_{axis}" for end in ("min", "max") for axis in _AXES]
_SCALE_BOUNDS = [f"{end}_scale_{axis}" for end in ("min", "max") for axis in _AXES]
_COLOR_BOUNDS = [f"{end}_{channel}" for end in ("min", "max") for channel in _CHANNELS]
_PACKED = ["packed_position", "packed_rotation", "packed_scale", "packed_color"]
_POSITION_BITS = (11, 10, 11)
# Extents beyond e^20 are no extents; their logarithms would widen the chunk's range for all.
_MAX_LOG_SCALE = 20.0
_OPACITY_MARGIN = 0.25 / 255
_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
_MORTON_BITS = 10


def morton_order(points: np.ndarray) -> np.ndarray:
    """Indices that put points in Morton order: near in the order is near in space."""
    if not len(points):
        return np.zeros(0, np.int64)
    low, high = points.min(axis=0), points.max(axis=0)
    spread = np.where(high > low, high - low, 1)
    cells = ((points - low) / spread * ((1 << _MORTON_BITS) - 1)).astype(np.uint32)
    code = np.zeros(len(points), np.uint32)
    for i_bit in range(_MORTON_BITS):
        for i_axis in range(3):
            code |= ((cells[:, i_axis] >> i_bit) & 1) << (3 * i_bit + i_axis)
    return np.argsort(code, kind="stable")


def write_compressed_ply(world: GaussianWorld) -> Iterator[bytes]:
    """Writes a world, in Morton order."""
    world = check_writable(world)
    world = world.select(morton_order(world.means_m))
    means, quaternions, sh = turn_half(world.means_m, world.quaternions_wxyz, world.sh)
    count, rest_count = len(world), 3 * (SH_COUNTS[world.sh_degree] - 1)
    lines = ["ply", "format binary_little_endian 1.0", f"element chunk {-(-count // _CHUNK)}"]
    lines += [f"property float {name}" for name in (*_BOUNDS, *_SCALE_BOUNDS, *_COLOR_BOUNDS)]
    lines += [f"element vertex {count}", *(f"property uint {name}" for name in _PACKED)]
    if rest_count:
        lines += [f"element sh {count}", *(f"property uchar f_rest_{i_rest}" for i_rest in range(rest_count))]
    yield ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")
    scales = np.clip(world.log_scales, -_MAX_LOG_SCALE, _MAX_LOG_SCALE)
    shares, bounds = zip(*(_shares(column) for column in (means, scales, 0.5 + SH_C0 * sh[:, 0])), strict=True)
    yield np.concatenate(bounds, axis=1).astype("<f4").tobytes()
    rgba = np.concatenate([shares[2], opacities_of(world.opacity_logits)[:, None]], axis=1)
    words = np.stack(
        [
            _packed(shares[0], _POSITION_BITS),
            _packed_quaternions(quaternions),
            _packed(shares[1], _POSITION_BITS),
            _packed(rgba, (8, 8, 8, 8)),
        ],
        axis=1,
    )
    yield words.astype("<u4").tobytes()
    if rest_count:
        steps = np.clip(np.floor((sh[:, 1:] / 8 + 0.5) * 256), 0, 255).astype(np.uint8)
        yield np.ascontiguousarray(steps.transpose(0, 2, 1)).tobytes()


def read_compressed_ply(check: Check, data: memoryview) -> GaussianWorld:
    """Reads a world, with or without bounds for colours."""
    header = read_header(check, data)
    count, chunk_count = element_of(check, header, "vertex").count, element_of(check, header, "chunk").count
    check.limit(count, check.limits.max_gaussians, "Gaussians")
    check.need(
        chunk_count == -(-count // _CHUNK),
        FindingCode.INCONSISTENT,
        "header",
        f"{chunk_count} chunks for {count} Gaussians",
    )
    chunks, rows = rows_of(check, data, header, "chunk"), rows_of(check, data, header, "vertex")
    _need_properties(check, "chunk", chunks, [*_BOUNDS, *_SCALE_BOUNDS], "f")
    _need_properties(check, "vertex", rows, _PACKED, "u")
    i_chunk = np.arange(count) // _CHUNK
    means = _spread(chunks, _BOUNDS, i_chunk, _unpacked(rows["packed_position"], _POSITION_BITS))
    log_scales = _spread(chunks, _SCALE_BOUNDS, i_chunk, _unpacked(rows["packed_scale"], _POSITION_BITS))
    rgba = _unpacked(rows["packed_color"], (8, 8, 8, 8))
    rgb = rgba[:, :3]
    if "min_r" in (chunks.dtype.names or ()):
        _need_properties(check, "chunk", chunks, _COLOR_BOUNDS, "f")
        rgb = _spread(chunks, _COLOR_BOUNDS, i_chunk, rgb)
    sh = _harmonics(check, data, count, rgb)
    tell_trailing_bytes(check, data, header)
    return finish_world(
        check,
        means=means,
        quaternions=_unpacked_quaternions(rows["packed_rotation"]),
        log_scales=log_scales,
        opacity_logits=logits_of(rgba[:, 3], margin=_OPACITY_MARGIN),
        sh=sh,
        is_turned=True,
    )


def _harmonics(check: Check, data: memoryview, count: int, rgb: np.ndarray) -> np.ndarray:
    header = read_header(check, data)
    first = (rgb[:, None] - np.float32(0.5)) / np.float32(SH_C0)
    if all(element.name != "sh" for element in header.elements):
        return first
    rows = rows_of(check, data, header, "sh")
    names = [f"f_rest_{i_rest}" for i_rest in range(len(rows.dtype.names or ()))]
    degree = degree_of(len(names))
    check.need(len(rows) == count, FindingCode.INCONSISTENT, "element sh", f"{len(rows)} rows for {count} Gaussians")
    if degree is None:
        check.fail(FindingCode.INCONSISTENT, "element sh", f"{len(names)} properties; there must be 9, 24 or 45")
    _need_properties(check, "sh", rows, names, "u")
    steps = np.stack([rows[name] for name in names], axis=1).astype(np.float32)
    # The middle of each step, but the ends of the first and the last, as the format has it.
    shares = np.where(steps == 0, 0, np.where(steps == 255, 1, (steps + 0.5) / 256)).astype(np.float32)
    rest = ((shares - np.float32(0.5)) * 8).reshape(count, 3, len(names) // 3).transpose(0, 2, 1)
    return np.concatenate([first, rest], axis=1)


def _need_properties(check: Check, element: str, rows: np.ndarray, names: list[str], kind: str) -> None:
    fields = cast("Mapping[str, tuple]", rows.dtype.fields or {})
    wrong = [name for name in names if name not in fields or fields[name][0].kind != kind]
    check.need(not wrong, FindingCode.MISSING, f"element {element}", f"no property {', '.join(wrong[:4])} of its type")


def _shares(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each value lies between its chunk's bounds, 0 to 1, and the bounds, lows before highs."""
    count = len(values)
    chunk_count = -(-count // _CHUNK)
    # The last Gaussian fills up the last chunk, so that it widens no bounds.
    padded = np.concatenate([values, np.repeat(values[-1:], chunk_count * _CHUNK - count, axis=0)])
    chunks = padded.reshape(chunk_count, _CHUNK, 3)
    low, high = chunks.min(axis=1), chunks.max(axis=1)
    spread = high - low
    shares = np.where(spread[:, None] > 0, (chunks - low[:, None]) / np.maximum(spread, 1e-30)[:, None], 0)
    return shares.reshape(-1, 3)[:count], np.concatenate([low, high], axis=1)


def _spread(chunks: np.ndarray, names: list[str], i_chunk: np.ndarray, shares: np.ndarray) -> np.ndarray:
    bounds = columns_of(chunks, names)
    low, high = bounds[i_chunk, :3], bounds[i_chunk, 3:]
    with np.errstate(invalid="ignore", over="ignore"):
        return low * (1 - shares) + high * shares


def _packed(shares: np.ndarray, bits: tuple[int, ...]) -> np.ndarray:
    words = np.zeros(len(shares), np.uint32)
    for i_part, bit_count in enumerate(bits):
        top = (1 << bit_count) - 1
        part = np.clip(np.floor(shares[:, i_part] * top + 0.5), 0, top).astype(np.uint32)
        words = (words << np.uint32(bit_count)) | part
    return words


def _unpacked(words: np.ndarray, bits: tuple[int, ...]) -> np.ndarray:
    shares, shift = np.empty((len(words), len(bits)), np.float32), sum(bits)
    for i_part, bit_count in enumerate(bits):
        shift -= bit_count
        top = (1 << bit_count) - 1
        shares[:, i_part] = ((words >> np.uint32(shift)) & np.uint32(top)).astype(np.float32) / top
    return shares


def _packed_quaternions(quaternions_wxyz: np.ndarray) -> np.ndarray:
    """The largest component by its number in two bits, the other three in ten bits each; in the order w, x, y, z."""
    largest = np.abs(quaternions_wxyz).argmax(axis=1)
    signs = np.where(np.take_along_axis(quaternions_wxyz, largest[:, None], 1) < 0, -1, 1)
    others = np.take_along_axis(quaternions_wxyz * signs, _OTHERS[largest], 1)
    shares = others * np.float32(2**-0.5) + np.float32(0.5)
    return (largest.astype(np.uint32) << np.uint32(30)) | _packed(shares, (10, 10, 10))


def _unpacked_quaternions(words: np.ndarray) -> np.ndarray:
    others = (_unpacked(words, (10, 10, 10)) - np.float32(0.5)) * np.float32(2**0.5)
    largest = (words >> np.uint32(30)).astype(np.int64)
    quaternions = np.empty((len(words), 4), np.float32)
    np.put_along_axis(quaternions, _OTHERS[largest], others, 1)
    rest = np.sqrt(np.maximum(0, 1 - np.einsum("ij,ij->i", others, others)))
    np.put_along_axis(quaternions, largest[:, None], rest[:, None], 1)
    return quaternions
