"""Two nets' points become one, each net trusted as far as its points follow the movement of the neighbouring frames."""

from __future__ import annotations

import numpy as np

from biomechanics_service.core.config import FusionConfig
from biomechanics_service.core.types import FloatArray

# Rounds of reweighting; the weights change by less than 1 % after three.
REWEIGHTING_COUNT = 3
# Added to the diagonal of the normal equations: with few seen neighbours the curve becomes a line, then a constant,
# instead of anything.
RIDGE = (1e-9, 1e-3, 1e-2)
# Frames whose windows are looked at together; one frame's take 70 kB, so a long video is not held as windows all at once.
FRAMES_AT_ONCE = 64
FUSED_AT_ONCE = 512


def fit_local_motion(samples: FloatArray, weights: FloatArray, scale: FloatArray, half_window: int) -> FloatArray:
    """Fits a parabola through the neighbouring frames of every frame, robustly, to all observers' samples at once.

    Args:
        samples: Samples of each observer, NaN where not seen. [T, observer, J, D]
        weights: Trust in each observer for each point. [observer, J or 1]
        scale: Distance at which a sample counts half, in the unit of the samples. [T]
        half_window: Frames on each side.

    Returns:
        Where the movement of the neighbours, and of the frame itself, puts each point; NaN without any sample in the
        window. [T, J, D]

    **Source:** W. S. Cleveland, "Robust locally weighted regression", JASA 74, 1979; weights by Cauchy's function in
    place of the bisquare.
    """
    padding = [(half_window, half_window)] + [(0, 0)] * (samples.ndim - 1)
    padded = np.pad(samples, padding, constant_values=np.nan)
    fit = np.full((len(samples), *samples.shape[2:]), np.nan)
    for start in range(0, len(samples), FRAMES_AT_ONCE):
        frames = slice(start, start + FRAMES_AT_ONCE)
        neighbours = padded[start : start + FRAMES_AT_ONCE + 2 * half_window]
        fit[frames] = _fit_frames(neighbours, weights, scale[frames], half_window)
    return fit


def _fit_frames(padded: FloatArray, weights: FloatArray, scale: FloatArray, half_window: int) -> FloatArray:
    """Does `fit_local_motion` for some frames, which come with their neighbours: [T + 2 half_window, observer, J, D]."""
    time_count, observer_count = len(scale), padded.shape[1]
    window = 2 * half_window + 1
    local = np.stack([padded[i : i + time_count] for i in range(window)], axis=1)  # [T, window, observer, J, D]
    offsets = (np.arange(window) - half_window) / half_window
    basis = np.stack([np.ones(window), offsets, offsets**2], axis=-1)  # [window, 3]
    # Products of the basis, so that the normal equations are one matrix product over the window.
    products = (basis[:, :, None] * basis[:, None, :]).reshape(window, 9)
    taper = (1.0 - np.abs(offsets) ** 3 * 0.9) ** 3
    is_seen = np.asarray(np.isfinite(local).all(axis=-1))  # [T, window, observer, J]
    values = np.where(is_seen[..., None], local, 0.0)
    base = is_seen * taper[:, None, None] * weights
    # Start from the median, which no single wild frame moves.
    flat = local.reshape(time_count, window * observer_count, *padded.shape[2:])
    has_any = np.asarray(is_seen.any(axis=(1, 2)))
    center = np.full((time_count, *padded.shape[2:]), np.nan)
    center[has_any] = np.nanmedian(np.where(has_any[:, None, :, None], flat, np.nan).swapaxes(1, 2)[has_any], axis=1)
    curve = np.broadcast_to(np.nan_to_num(center)[:, None], (time_count, window, *padded.shape[2:]))
    fit = center
    deviations = values - np.nan_to_num(center)[:, None, None]
    # A first, wide scale lets fast points in that are far from the median without being wrong.
    for factor in (4.0, *([1.0] * REWEIGHTING_COUNT)):
        distance = np.linalg.norm(values - curve[:, :, None], axis=-1)
        robust = base / (1.0 + (distance / (factor * scale[:, None, None, None])) ** 2)
        of_all = robust.sum(axis=2).swapaxes(1, 2)  # [T, J, window]
        normal = (of_all @ products).reshape(*of_all.shape[:2], 3, 3) + np.diag(RIDGE)
        pull = (robust[..., None] * deviations).sum(axis=2)  # [T, window, J, D]
        right = basis.T @ pull.transpose(0, 2, 1, 3)  # [T, J, 3, D]
        coefficients = np.asarray(np.linalg.solve(normal, right), dtype=np.float64)  # [T, J, 3, D]
        curve = (basis @ coefficients).transpose(0, 2, 1, 3) + np.nan_to_num(center)[:, None]
        fit = np.where(has_any[..., None], curve[:, half_window], np.nan)
    return fit


def align_nets(
    coco: FloatArray, blazepose: FloatArray, body_size_px: FloatArray, config: FusionConfig
) -> tuple[FloatArray, FloatArray]:
    """Takes out the offset between two nets that place joints a little differently, by moving each towards the other.

    Where one net then loses a point, the other goes on without a step.

    Args:
        coco: MoveNet's points in the merged order, NaN where not seen. [T, J, 2] pixels
        blazepose: BlazePose's. [T, J, 2] pixels
        body_size_px: Size of the body in the picture. [T]
        config: Window, limit and weights.

    Returns:
        Both nets' points, moved. [T, J, 2], [T, J, 2]
    """
    time_count, half_window = len(coco), config.offset_half_window
    padded = np.pad(blazepose - coco, [(half_window, half_window), (0, 0), (0, 0)], constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half_window + 1, axis=0)  # [T, J, 2, window]
    offset: FloatArray = np.full((time_count, len(coco[0]) if time_count else 0, 2), np.nan)
    for start in range(0, time_count, FRAMES_AT_ONCE):
        some = windows[start : start + FRAMES_AT_ONCE]
        is_known = np.asarray(np.isfinite(some).any(axis=-1))
        offset[start : start + FRAMES_AT_ONCE][is_known] = np.nanmedian(some[is_known], axis=-1)
    times = np.arange(time_count)
    for i_point in range(offset.shape[1]):
        for i_axis in range(2):
            column = offset[:, i_point, i_axis]
            known = np.isfinite(column)
            offset[:, i_point, i_axis] = np.interp(times, times[known], column[known]) if known.any() else 0.0
    length = np.linalg.norm(offset, axis=-1, keepdims=True)
    limit = config.max_offset * body_size_px[:, None, None]
    offset = offset * np.minimum(limit / np.maximum(length, 1e-9), 1.0)
    return coco + config.blazepose_share * offset, blazepose - (1.0 - config.blazepose_share) * offset


def fuse_points(
    coco: FloatArray, blazepose: FloatArray, body_size_px: FloatArray, config: FusionConfig
) -> tuple[FloatArray, FloatArray]:
    """Merges the two nets' points: of all places between them the one that fits the neighbours' movement best.

    The result always lies between what the nets said in that very frame: nothing is smoothed away that both of them
    saw.

    Args:
        coco: MoveNet's points in the merged order, NaN where not seen. [T, J, 2] pixels
        blazepose: BlazePose's. [T, J, 2] pixels
        body_size_px: Size of the body in the picture. [T]
        config: Weights.

    Returns:
        Merged points, NaN where no net sees them near the movement of their neighbours; and their distance from that
        movement in shares of the body's size. [T, J, 2], [T, J]
    """
    merged, residual = np.empty_like(coco), np.empty(coco.shape[:2])
    for start in range(0, len(coco), FUSED_AT_ONCE):
        stop = min(start + FUSED_AT_ONCE, len(coco))
        # With the neighbours on both sides a part comes out as it would in the whole.
        first = max(start - config.half_window, 0)
        around, inner = slice(first, stop + config.half_window), slice(start - first, stop - first)
        part, part_residual = _fuse_part(coco[around], blazepose[around], body_size_px[around], config)
        merged[start:stop], residual[start:stop] = part[inner], part_residual[inner]
    return merged, residual


def _fuse_part(
    coco: FloatArray, blazepose: FloatArray, body_size_px: FloatArray, config: FusionConfig
) -> tuple[FloatArray, FloatArray]:
    samples = np.stack([coco, blazepose], axis=1)
    trust = np.array([[1.0 - config.blazepose_share], [config.blazepose_share]])  # [observer, 1]
    scale = config.distance_scale * body_size_px
    expected = fit_local_motion(samples, trust, scale, config.half_window)
    distance = np.linalg.norm(samples - expected[:, None], axis=-1) / body_size_px[:, None, None]  # [T, observer, J]
    is_near = distance <= config.reject_distance
    between = blazepose - coco
    tie_px2 = (config.tie_distance * body_size_px[:, None]) ** 2
    # Least squares over the place between the nets, held towards the usual weight where they are too close for a
    # choice.
    wanted = np.sum((expected - coco) * between, axis=-1) + tie_px2 * config.blazepose_share
    share = np.clip(wanted / (np.sum(between**2, axis=-1) + tie_px2), 0.0, 1.0)  # [T, J], NaN unless both are seen
    share = np.where(is_near[:, 0], np.where(is_near[:, 1], share, 0.0), np.where(is_near[:, 1], 1.0, np.nan))
    # A weight of zero must not let the NaN of a net that sees nothing through.
    merged = np.where((share < 1.0)[..., None], (1.0 - share[..., None]) * np.nan_to_num(coco), 0.0)
    merged = merged + np.where((share > 0.0)[..., None], share[..., None] * np.nan_to_num(blazepose), 0.0)
    merged[np.isnan(share)] = np.nan
    return merged, np.linalg.norm(merged - expected, axis=-1) / body_size_px[:, None]
