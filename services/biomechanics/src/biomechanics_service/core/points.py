"""From what two nets said to one set of points per frame.

What was seen, whose side it is, where it is, and how large the body is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biomechanics_service.core.config import MotionConfig, SeenConfig
from biomechanics_service.core.fusion import align_nets, fuse_points
from biomechanics_service.core.landmarks import (
    ARM_POINTS,
    BLAZEPOSE_OF_POINT,
    COCO_COUNT,
    LEG_POINTS,
    POINT_COUNT,
    POINT_INDEX,
    pair_indices,
)
from biomechanics_service.core.sides import find_swaps
from biomechanics_service.core.types import BoolArray, FloatArray, PersonSeries, to_single
from praxiscope_numerics import fill_gaps, filter_low_pass

# BlazePose's left points of the arms (elbow to fingers) and legs (knee to toes); the right one is the next index.
BLAZEPOSE_LEFT_OF_LIMB = {"arms": (13, 15, 17, 19, 21), "legs": (25, 27, 29, 31)}
LIMB_PARTS = {"arms": ARM_POINTS, "legs": LEG_POINTS}
# From the ankle through knee, hip and shoulder to the ear in body heights: 0.93 less 0.039.
# Source: R. Drillis, R. Contini, "Body segment parameters", 1966, as in Winter 2009, fig. 4.1.
CHAIN_OF_HEIGHT = 0.891
# MoveNet's scores of good points lie at 0.3 to 0.9, BlazePose's visibility at 0.6 to 1; this brings them to one scale.
SCORE_OF_VISIBILITY = 0.5


@dataclass(frozen=True, kw_only=True)
class MergedPoints:
    """Points of one person after repair and merging, before any low-pass.

    Attributes:
        coco_px: MoveNet's points, sides repaired, usual offset taken out, NaN where not seen. [T, 21, 2]
        blazepose_px: BlazePose's. [T, 21, 2]
        points_px: Merged. [T, 21, 2]
        is_filled: Where a gap was filled. [T, 21]
        scores: The better net's score, NaN where neither sees the point. [T, 21]
        residual: Distance from the neighbours' movement in body sizes. [T, 21]
        space_m: Metric points, x right, y up, z towards the camera, hips at the origin. [T, 21, 3]
        world_m: All BlazePose points like that. [T, 33, 3]
        body_size_px: Size of the body in the picture. [T]
        swapped_frame_count: Repaired frames by net and limb.
        dispute: By limb, how far the nets disputed which side is which, in [0, 1]; see `find_swaps`. [T]
    """

    coco_px: FloatArray
    blazepose_px: FloatArray
    points_px: FloatArray
    is_filled: BoolArray
    scores: FloatArray
    residual: FloatArray
    space_m: FloatArray
    world_m: FloatArray
    body_size_px: FloatArray
    swapped_frame_count: dict[str, int]
    dispute: dict[str, FloatArray]


def merge_person(person: PersonSeries, config: MotionConfig) -> MergedPoints:
    """Repairs sides, merges the nets and fills short gaps.

    Args:
        person: What the nets said.
        config: Parameters.

    Returns:
        The merged points.
    """
    coco, blazepose = _pick_seen(person, config.seen)
    # Metres keep the 32 bits that they came with until they are used: they are most of a person.
    world = to_single(person.blazepose_world_m * np.array([1.0, -1.0, -1.0], np.float32))
    world[~(person.blazepose_presence >= config.seen.min_presence)] = np.nan
    scores = _join_scores(person)
    body_size_px = measure_body_size(person)
    counts: dict[str, int] = {}
    dispute: dict[str, FloatArray] = {}
    for limb, parts in LIMB_PARTS.items():
        pairs = np.array([pair_indices(part) for part in parts]).T  # [side, K]
        joints = np.array([pair_indices(part) for part in parts[:2]]).T  # [side, 2]: of these both nets have scores
        swap_coco, swap_blaze, limb_dispute = find_swaps(
            coco[:, pairs],
            blazepose[:, pairs],
            body_size_px,
            config.sides,
            coco_score=person.coco_scores[:, joints].mean(axis=2).min(axis=1),
            blazepose_visibility=person.blazepose_visibility[:, np.array(BLAZEPOSE_OF_POINT)[joints]]
            .mean(axis=2)
            .min(axis=1),
        )
        coco = _exchange(coco, swap_coco, pairs)
        blazepose = _exchange(blazepose, swap_blaze, pairs)
        left = np.array(BLAZEPOSE_LEFT_OF_LIMB[limb])
        world = _exchange(world, swap_blaze, np.stack([left, left + 1]))
        is_seen_by_both = _sees_any(coco[:, pairs]) & _sees_any(blazepose[:, pairs])
        dispute[limb] = np.where(is_seen_by_both, limb_dispute, 0.0)
        counts[f"movenet_{limb}"], counts[f"blazepose_{limb}"] = int(swap_coco.sum()), int(swap_blaze.sum())
    coco, blazepose = align_nets(coco, blazepose, body_size_px, config.fusion)
    merged, residual = fuse_points(coco, blazepose, body_size_px, config.fusion)
    points, is_filled = fill_gaps(merged, person.time_s, max_gap_s=config.max_gap_s)
    space = world[:, BLAZEPOSE_OF_POINT].astype(np.float64)
    # The metric net extrapolates what it does not see; what is not seen in the picture has no place in space either.
    space[~np.isfinite(blazepose).all(axis=-1)] = np.nan
    return MergedPoints(
        coco_px=coco,
        blazepose_px=blazepose,
        points_px=points,
        is_filled=np.asarray(is_filled.any(axis=-1)),
        scores=scores,
        residual=residual,
        space_m=space,
        world_m=world,
        body_size_px=body_size_px,
        swapped_frame_count=counts,
        dispute=dispute,
    )


def measure_body_size(person: PersonSeries) -> FloatArray:
    """Measures the size of the body in the picture: the longer side of its box, the median over the recording.

    A median, for the size must not shrink with a crouch; constant, for one camera sees people come nearer far more
    slowly than they bend.
    """
    boxes = person.boxes_xyxy_px.astype(np.float64)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    size = float(np.nanmedian(sides)) if np.isfinite(sides).any() else 1.0
    return np.full(len(sides), max(size, 1.0))


def place_markers(merged: MergedPoints, time_s: FloatArray, config: MotionConfig) -> tuple[FloatArray, float, bool]:
    """Places BlazePose's metric points in the picture's plane and gives them a scale.

    Args:
        merged: Points.
        time_s: Times. [T]
        config: Height, gaps, filter.

    Returns:
        Markers in metres (x right, y up from the lowest point, z towards the camera), metres per pixel at the person's
        distance, and whether the scale
        comes from a given height. [T, 33, 3]
    """
    markers = np.empty_like(merged.world_m)
    for i_axis in range(3):
        filled, _ = fill_gaps(merged.world_m[..., i_axis].astype(np.float64), time_s, max_gap_s=config.max_gap_s)
        markers[..., i_axis] = filter_low_pass(filled, time_s, cutoff_hz=config.cutoff_hz, order=config.filter_order)
    factor = 1.0
    estimated_height_m = _estimate_height(merged.space_m)
    is_given = config.height_m is not None and np.isfinite(estimated_height_m)
    if config.height_m is not None and is_given:
        factor = config.height_m / estimated_height_m
    metres_per_px = factor * _compare_spread(merged.space_m[..., :2], merged.blazepose_px)
    hips = [POINT_INDEX["left_hip"], POINT_INDEX["right_hip"]]
    pelvis_px, _ = fill_gaps(merged.points_px[:, hips].mean(axis=1), time_s, max_gap_s=config.max_gap_s)
    pelvis_px = filter_low_pass(pelvis_px, time_s, cutoff_hz=config.cutoff_hz, order=config.filter_order)
    markers *= factor
    markers[..., 0] += metres_per_px * pelvis_px[:, None, 0]
    markers[..., 1] -= metres_per_px * pelvis_px[:, None, 1]
    if np.isfinite(markers[..., 1]).any():
        markers[..., 1] -= np.nanmin(markers[..., 1])
    return markers, metres_per_px, bool(is_given)


def _pick_seen(person: PersonSeries, config: SeenConfig) -> tuple[FloatArray, FloatArray]:
    """Brings both nets' points into the merged order and blanks what was not seen."""
    count = len(person.frame_index)
    coco = np.full((count, POINT_COUNT, 2), np.nan)
    coco[:, :COCO_COUNT] = np.where((person.coco_scores >= config.min_coco_score)[..., None], person.coco_px, np.nan)
    is_seen = (person.blazepose_visibility >= config.min_visibility) & (
        person.blazepose_presence >= config.min_presence
    )[:, None]
    blazepose = np.where(is_seen[..., None], person.blazepose_px, np.nan)[:, BLAZEPOSE_OF_POINT].astype(np.float64)
    limit = np.array(person.image_size_wh_px) - config.border_px
    for points in (coco, blazepose):
        with np.errstate(invalid="ignore"):
            points[~((points >= config.border_px) & (points <= limit)).all(axis=-1)] = np.nan
    # The feet have one witness always; asking more of it there would only lose them.
    coco_alone = ~np.asarray(np.isfinite(blazepose[:, :COCO_COUNT]).all(axis=-1))
    blazepose_alone = ~np.asarray(np.isfinite(coco[:, :COCO_COUNT]).all(axis=-1))
    visibility = person.blazepose_visibility[:, BLAZEPOSE_OF_POINT][:, :COCO_COUNT]
    coco[:, :COCO_COUNT][coco_alone & (person.coco_scores < config.min_single_coco_score)] = np.nan
    blazepose[:, :COCO_COUNT][blazepose_alone & (visibility < config.min_single_visibility)] = np.nan
    return coco, blazepose


def _join_scores(person: PersonSeries) -> FloatArray:
    scores = SCORE_OF_VISIBILITY * person.blazepose_visibility[:, BLAZEPOSE_OF_POINT].astype(np.float64)
    scores[:, :COCO_COUNT] = np.fmax(scores[:, :COCO_COUNT], person.coco_scores)
    return scores


def _sees_any(points: FloatArray) -> BoolArray:
    """Whether any of a limb's points was seen: [T, side, K, 2] to [T]."""
    return np.asarray(np.isfinite(points).any(axis=(1, 2, 3)))


def _exchange(points: FloatArray, is_swapped: BoolArray, pairs: np.ndarray) -> FloatArray:
    exchanged = points.copy()
    rows = np.flatnonzero(is_swapped)[:, None]
    exchanged[rows, pairs[0]] = points[rows, pairs[1]]
    exchanged[rows, pairs[1]] = points[rows, pairs[0]]
    return exchanged


def _estimate_height(space_m: FloatArray) -> float:
    """Estimates the body's height from the median lengths of its limbs."""
    chain_m = 0.0
    for start, end in (("ankle", "knee"), ("knee", "hip"), ("hip", "shoulder"), ("shoulder", "ear")):
        lengths = np.concatenate(
            [
                np.linalg.norm(
                    space_m[:, POINT_INDEX[f"{side}_{end}"]] - space_m[:, POINT_INDEX[f"{side}_{start}"]], axis=-1
                )
                for side in ("left", "right")
            ]
        )
        seen = lengths[np.isfinite(lengths)]
        chain_m += float(np.median(seen)) if len(seen) else float("nan")
    return chain_m / CHAIN_OF_HEIGHT


def _compare_spread(plane_m: FloatArray, points_px: FloatArray) -> float:
    """Compares the spread of metric points across the picture with that in pixels: metres per pixel."""
    is_both = np.asarray(np.isfinite(plane_m).all(axis=-1) & np.isfinite(points_px).all(axis=-1))
    ratios = [
        float(np.sqrt(plane_m[t, seen].var(axis=0).sum() / max(points_px[t, seen].var(axis=0).sum(), 1e-9)))
        for t, seen in enumerate(is_both)
        if seen.sum() >= 8
    ]
    return float(np.median(ratios)) if ratios else float("nan")
