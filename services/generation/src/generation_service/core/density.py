"""Where Gaussians are added and taken away.

Sources: 3DGS (B. Kerbl et al. 2023, sec. 5) for cloning and splitting, here the ones that pull most up to a budget instead of all above a threshold; MCMC
(S. Kheradmand et al. 2024, sec. 3 and eq. 9) for relocation and noise.
"""

from __future__ import annotations

from math import comb

import numpy as np

from generation_service.core.gaussians import Gaussians
from generation_service.core.types import BoolArray, Float32Array, Float64Array, IntArray

# How often one Gaussian may be divided at once; MCMC's table ends at 51.
MAX_DIVISION = 51
# Opacities are kept this far from 0 and 1 where they are turned into logits.
OPACITY_MARGIN = 1e-6


def find_faint(gaussians: Gaussians, *, min_opacity: float) -> BoolArray:
    """Says which Gaussians hardly show, or are no longer numbers."""
    logit = np.log(min_opacity / (1.0 - min_opacity)) if 0.0 < min_opacity < 1.0 else -np.inf
    is_number = np.isfinite(gaussians.values["opacity_logits"])
    for name in ("means_m", "log_scales", "quaternions_wxyz"):
        is_number &= np.isfinite(gaussians.values[name]).all(axis=1)
    return ~is_number | (gaussians.values["opacity_logits"] < logit)


def grow_by_gradient(
    gaussians: Gaussians,
    pulls: Float32Array,
    *,
    count: int,
    split_above_m: float,
    shrink: float,
    random: np.random.Generator,
) -> None:
    """Doubles the Gaussians that are pulled most: small ones are cloned, large ones split in two within themselves.

    Args:
        gaussians: Changed in place.
        pulls: Mean gradient by the place in the picture, [N].
        count: How many to double.
        split_above_m: Standard deviation above which one is split.
        shrink: What the halves' scales are divided by.
        random: Where the halves lie.
    """
    count = min(count, int(np.count_nonzero(pulls > 0.0)))
    if count <= 0:
        return
    chosen = np.sort(np.argpartition(-pulls, count - 1)[:count])
    added = gaussians.copy_rows(chosen)
    is_large = np.exp(added["log_scales"].max(axis=1)) > split_above_m
    large = chosen[is_large]
    spread = _spread_of(gaussians, large)
    for rows, index in ((gaussians.values, large), (added, np.flatnonzero(is_large))):
        offsets = np.einsum("nij,nj->ni", spread, random.standard_normal((len(large), 3), dtype=np.float32))
        rows["means_m"][index] += offsets
        rows["log_scales"][index] -= np.float32(np.log(shrink))
    gaussians.forget_moments(large)
    gaussians.append(added)


def relocate(gaussians: Gaussians, is_faint: BoolArray, *, random: np.random.Generator) -> None:
    """Moves faint Gaussians onto others, chosen by opacity, so that the picture hardly changes (MCMC, eq. 9)."""
    faint, living = np.flatnonzero(is_faint), np.flatnonzero(~is_faint)
    if not len(faint) or not len(living):
        return
    targets = _choose(gaussians, living, len(faint), random)
    divided = _divide(gaussians, targets)
    for name, rows in divided.items():
        gaussians.values[name][faint] = rows
    # MCMC lets both begin anew.
    gaussians.forget_moments(targets)
    gaussians.forget_moments(faint)


def grow_by_opacity(gaussians: Gaussians, *, count: int, random: np.random.Generator) -> None:
    """Adds Gaussians onto others, chosen by opacity, so that the picture hardly changes (MCMC)."""
    if count <= 0 or not len(gaussians):
        return
    targets = _choose(gaussians, np.arange(len(gaussians)), count, random)
    divided = _divide(gaussians, targets)
    gaussians.forget_moments(targets)
    gaussians.append(divided)


def shake(gaussians: Gaussians, *, size: float, random: np.random.Generator) -> None:
    """Moves centres at random within their Gaussians, faint ones most (MCMC, eq. 8)."""
    opacities = _opacities_of(gaussians.values["opacity_logits"])
    # Nothing for what shows, all for what does not: the logistic of MCMC's steepness 100 around 0.005.
    strength = size / (1.0 + np.exp(np.minimum(-100.0 * ((1.0 - opacities) - 0.995), 80.0)))
    moving = np.flatnonzero(strength > 1e-3 * size)
    if not len(moving):
        return
    spread = _spread_of(gaussians, moving)
    noise = random.standard_normal((len(moving), 3), dtype=np.float32) * strength[moving, None].astype(np.float32)
    gaussians.values["means_m"][moving] += np.einsum("nij,nkj,nk->ni", spread, spread, noise)


def _choose(gaussians: Gaussians, rows: IntArray, count: int, random: np.random.Generator) -> IntArray:
    opacities = _opacities_of(gaussians.values["opacity_logits"][rows]).astype(np.float64)
    sums: Float64Array = np.cumsum(opacities)
    draws: Float64Array = random.random(count) * float(sums[-1])
    return rows[np.minimum(np.searchsorted(sums, draws, side="right"), len(rows) - 1)]


def _divide(gaussians: Gaussians, targets: IntArray) -> dict[str, Float32Array]:
    """Makes each target as faint and small as needed that it and its copies look like it; returns the copies."""
    unique, inverse, times = np.unique(targets, return_inverse=True, return_counts=True)
    parts = np.minimum(times + 1, MAX_DIVISION)
    opacities = _opacities_of(gaussians.values["opacity_logits"][unique]).astype(np.float64)
    fainter = 1.0 - (1.0 - opacities) ** (1.0 / parts)
    sums = np.zeros_like(fainter)
    for i in range(1, int(parts.max()) + 1):
        powers = np.arange(i)
        factors = np.array([float(comb(i - 1, k)) for k in range(i)]) * (-1.0) ** powers / np.sqrt(powers + 1.0)
        sums += np.where(i <= parts, fainter[:, None] ** (powers + 1) @ factors, 0.0)
    # The binomial sum loses its digits for dozens of parts; a Gaussian never grows by being divided.
    ratio = np.clip(opacities / np.maximum(sums, 1e-12), 1e-3, 1.0)
    fainter = np.clip(fainter, OPACITY_MARGIN, 1.0 - OPACITY_MARGIN)
    gaussians.values["opacity_logits"][unique] = np.log(fainter / (1.0 - fainter)).astype(np.float32)
    gaussians.values["log_scales"][unique] += np.log(ratio).astype(np.float32)[:, None]
    return gaussians.copy_rows(unique[inverse])


def _opacities_of(logits: Float32Array) -> Float32Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))), dtype=np.float32)


def _spread_of(gaussians: Gaussians, rows: IntArray) -> Float32Array:
    """Matrices that take a standard normal vector to a Gaussian's own distribution, [M, 3, 3]."""
    quaternions = gaussians.values["quaternions_wxyz"][rows]
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rotation = np.stack(
        [
            *(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
            *(2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
            *(2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
        ],
        axis=1,
    ).reshape(-1, 3, 3)
    return np.asarray(rotation * np.exp(gaussians.values["log_scales"][rows])[:, None, :], dtype=np.float32)
