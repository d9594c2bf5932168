"""Between the numbers of files and those of a `GaussianWorld`."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Float32

from praxiscope_worlds._errors import InvalidWorldError
from praxiscope_worlds._gaussians import SH_COUNTS, GaussianWorld
from praxiscope_worlds.formats._check import Check, FindingCode

# Signs of means, quaternions and harmonics after half a turn about x. A harmonic changes its sign where it is odd in y and z together. The quaternion is
# conjugated by the turn rather than multiplied by it: the Gaussian's own axes may be turned with it, since a half turn only changes their signs, and
# the identity then stays the identity, as SPZ's converters have it.
_TURN_MEANS = np.array([1, -1, -1], np.float32)
_TURN_QUATERNIONS = np.array([1, 1, -1, -1], np.float32)
_TURN_SH = np.array([1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1], np.float32)

# Linear files hold extents of zero now and then; a picometre is as good as none, and has a logarithm.
MIN_SCALE_M = 1e-12
# float32 cannot tell such lengths from 1.
_UNIT_TOLERANCE = 4e-7
# exp of it is far beyond any world and still a float32.
MAX_LOG_SCALE = 40.0


def opacities_of(logits: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """The logistic function, without overflow."""
    return (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32, copy=False)


def logits_of(opacities: Float[np.ndarray, "*shape"], *, margin: float) -> Float32[np.ndarray, "*shape"]:
    """The inverse of the logistic function, with opacities kept a margin away from 0 and 1, where it has no value."""
    inside = np.clip(np.asarray(opacities, np.float64), margin, 1 - margin)
    return np.log(inside / (1 - inside)).astype(np.float32)


def scales_of(log_scales: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Standard deviations in metres, finite whatever comes in."""
    return np.exp(np.minimum(log_scales, MAX_LOG_SCALE))


def log_scales_of(scales_m: Float[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Logarithms of standard deviations; those of zero are the smallest's."""
    return np.log(np.maximum(scales_m, MIN_SCALE_M)).astype(np.float32, copy=False)


def turn_half(
    means: Float32[np.ndarray, "N 3"], quaternions: Float32[np.ndarray, "N 4"], sh: Float32[np.ndarray, "N K 3"]
) -> tuple[Float32[np.ndarray, "N 3"], Float32[np.ndarray, "N 4"], Float32[np.ndarray, "N K 3"]]:
    """Half a turn about x: between the world and files that are x right, y down, z forward. Its own inverse."""
    turned_sh = sh * _TURN_SH[: sh.shape[1], None] if sh.shape[1] > 1 else sh
    return means * _TURN_MEANS, quaternions * _TURN_QUATERNIONS, turned_sh


def unit_quaternions(quaternions: Float32[np.ndarray, "N 4"]) -> Float32[np.ndarray, "N 4"]:
    """Quaternions of length 1; NaN where the length is 0. Those that are unit ones already stay as they are, bit for bit."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", quaternions, quaternions))
        lengths[np.abs(lengths - 1) < _UNIT_TOLERANCE] = 1
        return quaternions / lengths[:, None]


def check_writable(world: GaussianWorld) -> GaussianWorld:
    """Refuses what no file can hold, and makes quaternions unit ones.

    Raises:
        InvalidWorldError: Numbers are not finite, or a quaternion is zero.
    """
    quaternions = unit_quaternions(world.quaternions_wxyz)
    bad_count = len(world) - int(
        np.count_nonzero(_finite_rows(world.means_m, quaternions, world.log_scales, world.opacity_logits, world.sh))
    )
    if bad_count:
        raise InvalidWorldError(
            f"{bad_count} of {len(world)} Gaussians have numbers that are not finite or a zero quaternion; drop them.",
            metadata={"bad_count": str(bad_count), "count": str(len(world))},
        )
    return GaussianWorld(
        means_m=world.means_m,
        quaternions_wxyz=quaternions,
        log_scales=world.log_scales,
        opacity_logits=world.opacity_logits,
        sh=world.sh,
    )


def finish_world(
    check: Check,
    *,
    means: Float32[np.ndarray, "N 3"],
    quaternions: Float32[np.ndarray, "N 4"],
    log_scales: Float32[np.ndarray, "N 3"],
    opacity_logits: Float32[np.ndarray, " N"],
    sh: Float32[np.ndarray, "N K 3"],
    is_turned: bool,
) -> GaussianWorld:
    """Makes a world of what a file holds: turned into the world's frame, unit quaternions, without Gaussians that are no numbers.

    Trained worlds do hold a few NaN and infinities; they are left out and told, with their count, as a finding. A file of nothing else is refused.
    """
    quaternions = unit_quaternions(quaternions)
    is_good = _finite_rows(means, quaternions, log_scales, opacity_logits, sh)
    good_count = int(np.count_nonzero(is_good))
    if good_count < len(means):
        message = f"{len(means) - good_count} of {len(means)} have numbers that are not finite or a zero quaternion"
        if good_count == 0:
            check.fail(FindingCode.NOT_FINITE, "Gaussians", message)
        check.note(FindingCode.NOT_FINITE, "Gaussians", f"{message}; they are left out")
        means, quaternions, log_scales = means[is_good], quaternions[is_good], log_scales[is_good]
        opacity_logits, sh = opacity_logits[is_good], sh[is_good]
    if is_turned:
        means, quaternions, sh = turn_half(means, quaternions, sh)
    return GaussianWorld(
        means_m=np.ascontiguousarray(means, np.float32),
        quaternions_wxyz=np.ascontiguousarray(quaternions, np.float32),
        log_scales=np.ascontiguousarray(log_scales, np.float32),
        opacity_logits=np.ascontiguousarray(opacity_logits, np.float32),
        sh=np.ascontiguousarray(sh, np.float32),
    )


def degree_of(rest_count: int) -> int | None:
    """Degree of the harmonics by how many coefficients follow the first, over all channels; None where none has so many."""
    counts = [3 * (count - 1) for count in SH_COUNTS]
    return counts.index(rest_count) if rest_count in counts else None


def _finite_rows(*arrays: Float32[np.ndarray, "N ..."]) -> np.ndarray:
    """Rows in which every number is finite: their sum is (numbers so large that it overflows are no numbers of a world either)."""
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.zeros(len(arrays[0]), np.float32)
        for array in arrays:
            total += (
                array if array.ndim == 1 else np.einsum("ij->i", array.reshape(len(array), math.prod(array.shape[1:])))
            )
    return np.isfinite(total)
