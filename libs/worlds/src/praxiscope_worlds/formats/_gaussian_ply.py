"""The .ply of 3DGS: every number of a Gaussian as a float32, nothing lost.

Frame: x right, y down, z forward; turned half a turn about x from the world's.
Source: the properties and their order are those that the code of Kerbl et al. 2023 writes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from praxiscope_worlds._gaussians import SH_COUNTS, GaussianWorld
from praxiscope_worlds.formats._arrays import check_writable, degree_of, finish_world, turn_half
from praxiscope_worlds.formats._check import Check, FindingCode
from praxiscope_worlds.formats._ply import (
    columns_of,
    element_of,
    read_header,
    rows_of,
    tell_trailing_bytes,
)

_MEANS = ["x", "y", "z"]
_NORMALS = ["nx", "ny", "nz"]
_FIRST = ["f_dc_0", "f_dc_1", "f_dc_2"]
_SCALES = ["scale_0", "scale_1", "scale_2"]
_QUATERNIONS = ["rot_0", "rot_1", "rot_2", "rot_3"]
# Rows that are put together at a time while writing: a few megabytes.
_ROWS_A_CHUNK = 16384


def write_gaussian_ply(world: GaussianWorld) -> Iterator[bytes]:
    """Writes a world; the normals of 3DGS's layout are zeros, as there."""
    world = check_writable(world)
    rest_count = 3 * (SH_COUNTS[world.sh_degree] - 1)
    rest = [f"f_rest_{i_rest}" for i_rest in range(rest_count)]
    names = [*_MEANS, *_NORMALS, *_FIRST, *rest, "opacity", *_SCALES, *_QUATERNIONS]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(world)}"]
    lines += [f"property float {name}" for name in names]
    yield ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")
    means, quaternions, sh = turn_half(world.means_m, world.quaternions_wxyz, world.sh)
    i_rest, i_opacity = 9, 9 + rest_count
    for start in range(0, len(world), _ROWS_A_CHUNK):
        part = slice(start, min(start + _ROWS_A_CHUNK, len(world)))
        rows = np.zeros((part.stop - start, len(names)), "<f4")
        rows[:, 0:3] = means[part]
        rows[:, 6:9] = sh[part, 0]
        # Channel by channel: all of red's coefficients, then green's, then blue's.
        rows[:, i_rest:i_opacity] = sh[part, 1:].transpose(0, 2, 1).reshape(len(rows), rest_count)
        rows[:, i_opacity] = world.opacity_logits[part]
        rows[:, i_opacity + 1 : i_opacity + 4] = world.log_scales[part]
        rows[:, i_opacity + 4 :] = quaternions[part]
        yield rows.tobytes()


def read_gaussian_ply(check: Check, data: memoryview) -> GaussianWorld:
    """Reads a world; properties that 3DGS does not know are passed over."""
    header = read_header(check, data)
    element = element_of(check, header, "vertex")
    check.limit(element.count, check.limits.max_gaussians, "Gaussians")
    names = {item.name for item in element.properties}
    missing = [name for name in (*_MEANS, *_FIRST, "opacity", *_SCALES, *_QUATERNIONS) if name not in names]
    check.need(not missing, FindingCode.MISSING, "element vertex", f"no property {', '.join(missing)}")
    rest_count = sum(name.startswith("f_rest_") for name in names)
    degree = degree_of(rest_count)
    rest = [f"f_rest_{i_rest}" for i_rest in range(rest_count)]
    if degree is None or not names.issuperset(rest):
        check.fail(
            FindingCode.INCONSISTENT,
            "element vertex",
            f"{rest_count} properties f_rest_*; there must be 0, 9, 24 or 45",
        )
    rows = rows_of(check, data, header, "vertex")
    tell_trailing_bytes(check, data, header)
    sh = np.empty((len(rows), SH_COUNTS[degree], 3), np.float32)
    sh[:, 0] = columns_of(rows, _FIRST)
    if rest:
        sh[:, 1:] = columns_of(rows, rest).reshape(len(rows), 3, rest_count // 3).transpose(0, 2, 1)
    return finish_world(
        check,
        means=columns_of(rows, _MEANS),
        quaternions=columns_of(rows, _QUATERNIONS),
        log_scales=columns_of(rows, _SCALES),
        opacity_logits=columns_of(rows, ["opacity"])[:, 0],
        sh=sh,
        is_turned=True,
    )
