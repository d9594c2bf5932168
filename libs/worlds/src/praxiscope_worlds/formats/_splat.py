"""The .splat of the first web viewers: 32 bytes a Gaussian, no header.

Kept: centres (float32), extents (float32), colour and opacity (8 bits), rotation (8 bits a component). Lost: harmonics above the constant.
Frame: x right, y down, z forward; turned half a turn about x from the world's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from praxiscope_worlds._gaussians import SH_C0, GaussianWorld
from praxiscope_worlds.formats._arrays import (
    check_writable,
    finish_world,
    log_scales_of,
    logits_of,
    opacities_of,
    scales_of,
    turn_half,
)
from praxiscope_worlds.formats._check import Check, FindingCode

_ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("quaternion", "u1", 4)])
_ROWS_A_CHUNK = 65536
# Opacities of 0 and 255 mean less than half a step away from 0 and 1.
_OPACITY_MARGIN = 0.25 / 255


def write_splat(world: GaussianWorld) -> Iterator[bytes]:
    """Writes a world, in its own order."""
    world = check_writable(world)
    means, quaternions, sh = turn_half(world.means_m, world.quaternions_wxyz, world.sh[:, :1])
    for start in range(0, len(world), _ROWS_A_CHUNK):
        part = slice(start, start + _ROWS_A_CHUNK)
        rows = np.empty(len(means[part]), _ROW)
        rows["mean"], rows["scale"] = means[part], scales_of(world.log_scales[part])
        rows["rgba"][:, :3] = _bytes_of((0.5 + SH_C0 * sh[part, 0]) * 255)
        rows["rgba"][:, 3] = _bytes_of(opacities_of(world.opacity_logits[part]) * 255)
        rows["quaternion"] = _bytes_of(quaternions[part] * 128 + 128)
        yield rows.tobytes()


def read_splat(check: Check, data: memoryview) -> GaussianWorld:
    """Reads a world."""
    count, surplus = divmod(len(data), _ROW.itemsize)
    check.need(
        not surplus,
        FindingCode.TRUNCATED,
        f"byte {count * _ROW.itemsize}",
        f"{surplus} bytes are left; each Gaussian has 32",
    )
    check.limit(count, check.limits.max_gaussians, "Gaussians")
    rows = np.frombuffer(data, _ROW)
    scales = rows["scale"]
    with np.errstate(invalid="ignore"):
        check.need(
            not np.any(scales < 0),
            FindingCode.OUT_OF_RANGE,
            "Gaussians",
            "an extent is negative; this is no .splat file",
        )
        log_scales = log_scales_of(scales)
    return finish_world(
        check,
        means=rows["mean"],
        quaternions=(rows["quaternion"].astype(np.float32) - 128) / 128,
        log_scales=log_scales,
        opacity_logits=logits_of(rows["rgba"][:, 3] / 255, margin=_OPACITY_MARGIN),
        sh=((rows["rgba"][:, None, :3].astype(np.float32) / 255 - 0.5) / SH_C0),
        is_turned=True,
    )


def _bytes_of(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
