"""The motion analysis: landmarks in, joint angles with their confidence out.

One pure function, `analyze_motion`, is the way in.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from biomechanics_service.core.angles import PLANE_ANGLES, SPACE_BONES, PlaneAngle, measure_space_angles
from biomechanics_service.core.confidence import (
    combine_signs,
    rate_agreement,
    rate_bones,
    rate_continuity,
    rate_scores,
    rate_support,
)
from biomechanics_service.core.config import MotionConfig
from biomechanics_service.core.fusion import fit_local_motion
from biomechanics_service.core.gait import find_gait_events
from biomechanics_service.core.landmarks import POINT_NAMES, pair_indices
from biomechanics_service.core.points import LIMB_PARTS, MergedPoints, merge_person, place_markers
from biomechanics_service.core.types import (
    AngleSeries,
    BoolArray,
    FloatArray,
    MotionAnalysis,
    PersonMotion,
    PersonSeries,
    PersonTrack,
    View,
    to_single,
)
from biomechanics_service.core.view import find_views
from praxiscope_numerics import differentiate, fill_gaps, filter_low_pass, unwrap_angle

# A sign that cannot be taken counts as this: neither for nor against, yet one witness is less than two.
MISSING_SIGN = 0.75
# Frames on each side from which the continuity of an angle is judged, and the scale beyond which a neighbour is an
# outlier there.
CONTINUITY_HALF_WINDOW = 4
CONTINUITY_OUTLIER_DEG = 12.0
SURE = 0.5
MIN_SURE_FRAMES = 10
# What one camera cannot give, whatever the recording; listed so that nobody looks for it in vain.
NEVER_MEASURED = {
    "hip_rotation_r": "a thigh's turn about its own axis moves none of the points that are seen",
    "hip_rotation_l": "a thigh's turn about its own axis moves none of the points that are seen",
    "arm_rot_r": "an upper arm's turn about its own axis moves none of the points that are seen",
    "arm_rot_l": "an upper arm's turn about its own axis moves none of the points that are seen",
    "subtalar_angle_r": "heel and toe are two points; the foot's roll needs a third",
    "subtalar_angle_l": "heel and toe are two points; the foot's roll needs a third",
    "lumbar_extension": "the pelvis has two points; its tilt cannot be told from that of the trunk",
}
SYMMETRIC_JOINTS = ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle", "arm_flex", "arm_add", "elbow_flex")


def analyze_motion(persons: Iterable[PersonSeries], config: MotionConfig) -> MotionAnalysis:
    """Measures joint angles over time.

    Args:
        persons: What the pose nets said about each person; of an iterator one is held at a time.
        config: Parameters.

    Returns:
        Angles, events and markers of every person seen for long enough, and why the others were left out.
    """
    measured: list[PersonMotion] = []
    skipped: dict[int, str] = {}
    for person in persons:
        seen_count = int(np.isfinite(person.boxes_xyxy_px).all(axis=1).sum())
        step_s = float(np.median(np.diff(person.time_s))) if len(person.time_s) > 1 else 0.0
        if seen_count < 2 or seen_count * step_s < config.min_seen_s:
            skipped[person.person_id] = f"seen in {seen_count} frames only, less than {config.min_seen_s} s"
            continue
        merged, track = merge_person(person, config), person.track()
        del person  # what the nets said is not held while angles are measured
        measured.append(_analyze_person(track, merged, config))
        del merged, track  # nor these while the next person's points are merged
    return MotionAnalysis(
        persons=tuple(sorted(measured, key=lambda motion: motion.person_id)), skipped=skipped, config=config
    )


def _analyze_person(track: PersonTrack, merged: MergedPoints, config: MotionConfig) -> PersonMotion:
    views, facing = find_views(merged.points_px, track.time_s, config.view)
    smooth_px = filter_low_pass(merged.points_px, track.time_s, cutoff_hz=config.cutoff_hz, order=config.filter_order)
    markers, metres_per_px, is_scale_given = place_markers(merged, track.time_s, config)
    angles = {a.name: _measure_plane_angle(a, merged, views, facing, track.time_s, config) for a in PLANE_ANGLES}
    angles |= _measure_space_angles(merged, track.time_s, config)
    angles |= {name: _refuse_angle(name, len(track.time_s), reason) for name, reason in NEVER_MEASURED.items()}
    gait = find_gait_events(smooth_px, track.time_s, track.frame_index, views, facing)
    return PersonMotion(
        person_id=track.person_id,
        frame_index=track.frame_index,
        time_s=track.time_s,
        boxes_xyxy_px=track.boxes_xyxy_px,
        points_px=to_single(merged.points_px),
        points_filtered_px=to_single(smooth_px),
        point_confidence=to_single(_rate_points(merged)),
        markers_m=markers,
        metres_per_px=metres_per_px,
        is_scale_given=is_scale_given,
        views=views,
        facing=facing,
        angles=angles,
        swapped_frame_count=merged.swapped_frame_count,
        symmetry_percent=_compare_sides(angles),
        gait=gait,
        notes=_write_notes(track, merged, views, is_scale_given=is_scale_given),
    )


def _measure_plane_angle(
    angle: PlaneAngle,
    merged: MergedPoints,
    views: tuple[View, ...],
    facing: FloatArray,
    time_s: FloatArray,
    config: MotionConfig,
) -> AngleSeries:
    is_in_view = np.array([view in angle.views for view in views])
    raw, from_coco, from_blazepose = (
        np.degrees(np.where(is_in_view, angle.measure(points, facing), np.nan))
        for points in (merged.points_px, merged.coco_px, merged.blazepose_px)
    )
    if not np.isfinite(raw).any():
        reason = angle.missing_reason if not is_in_view.any() and angle.missing_reason else "its points were not seen"
        return _refuse_angle(angle.name, len(time_s), reason)
    # Where only one net sees a point there is nothing to agree with; the factor below stands for that.
    indices = [POINT_NAMES.index(name) for name in angle.points]
    apart = np.linalg.norm((merged.coco_px - merged.blazepose_px)[:, indices], axis=-1) / merged.body_size_px[:, None]
    agreement = rate_agreement(from_coco, from_blazepose, apart, config.confidence)
    signs = [
        np.ones(len(time_s)) if angle.is_single_net else agreement,
        rate_bones(merged.points_px, angle.bones, config.confidence),
        rate_scores(merged.scores, merged.is_filled, angle.points),
    ]
    factor = config.confidence.single_net_factor if angle.is_single_net else 1.0
    factor = factor * _rate_sides(angle, merged, raw, facing, config)
    is_filled = np.asarray(merged.is_filled[:, indices].any(axis=1))
    return _finish_angle(angle.name, raw, signs, factor, is_filled, time_s, config)


def _rate_sides(
    angle: PlaneAngle, merged: MergedPoints, raw_deg: FloatArray, facing: FloatArray, config: MotionConfig
) -> FloatArray:
    """Rates how much depends on the repair of the sides: whoever mixed them up is no witness of which side it is.

    Where both sides have the same angle it does not matter which is which.

    Returns:
        Sign in (0, 1]: 1 where the nets agreed on the sides, `disputed_factor` where the one that is overruled was sure of
        them and the other side's angle is quite another. [T]
    """
    sign = np.ones(len(raw_deg))
    for limb, parts in LIMB_PARTS.items():
        pairs = np.array([pair_indices(part) for part in parts])  # [K, side]
        if not {POINT_NAMES[index] for index in pairs.ravel()} & set(angle.points):
            continue
        other = merged.points_px.copy()
        other[:, pairs.ravel()] = merged.points_px[:, pairs[:, ::-1].ravel()]
        difference = np.abs(raw_deg - np.degrees(angle.measure(other, facing)))
        same = 1.0 / (1.0 + (np.nan_to_num(difference, nan=np.inf) / config.confidence.sides_deg) ** 2)
        loss = (1.0 - config.confidence.disputed_factor) * (1.0 - same)
        sign = sign * (1.0 - merged.dispute[limb] * loss)
    return sign


def _measure_space_angles(merged: MergedPoints, time_s: FloatArray, config: MotionConfig) -> dict[str, AngleSeries]:
    # The second witness is the picture: where the merged points lie off the net's own, its depth is not to be trusted
    # either.
    offset = np.linalg.norm(merged.points_px - merged.blazepose_px, axis=-1) / merged.body_size_px[:, None]  # [T, 21]
    agreement = 1.0 / (1.0 + (offset / config.fusion.distance_scale) ** 2)
    results: dict[str, AngleSeries] = {}
    for name, radians in measure_space_angles(merged.space_m).items():
        raw = np.degrees(radians)
        if not np.isfinite(raw).any():
            results[name] = _refuse_angle(name, len(time_s), "BlazePose did not see its points")
            continue
        if name == "pelvis_rotation_3d":
            raw = np.degrees(unwrap_angle(radians))
        bones = SPACE_BONES[name]
        points = sorted({end for bone in bones for end in bone})
        indices = [POINT_NAMES.index(point) for point in points]
        signs = [
            np.nan_to_num(agreement[:, indices]).min(axis=1),
            rate_bones(merged.space_m, bones, config.confidence),
            rate_scores(merged.scores, np.zeros_like(merged.is_filled), points),
        ]
        factor = config.confidence.single_net_factor if {"left_toe", "right_toe"} & set(points) else 1.0
        results[name] = _finish_angle(name, raw, signs, factor, np.zeros(len(time_s), dtype=np.bool_), time_s, config)
    return results


def _finish_angle(
    name: str,
    raw: FloatArray,
    signs: list[FloatArray],
    factor: float | FloatArray,
    is_filled: BoolArray,
    time_s: FloatArray,
    config: MotionConfig,
) -> AngleSeries:
    """Adds the sign of continuity, then filters what is worth filtering and takes its rate and range."""
    outlier = np.full(len(raw), CONTINUITY_OUTLIER_DEG)
    expected = fit_local_motion(raw[:, None, None, None], np.ones((1, 1)), outlier, CONTINUITY_HALF_WINDOW)[:, 0, 0]
    support = rate_support(np.isfinite(raw) & ~is_filled, CONTINUITY_HALF_WINDOW)
    signs = [*signs, rate_continuity(raw, expected, config.confidence), support]
    factor = np.where(is_filled, config.confidence.filled_factor, factor)
    confidence = np.where(np.isfinite(raw), np.clip(factor * combine_signs(signs, missing=MISSING_SIGN), 0.0, 1.0), 0.0)
    # A guess is not a measurement: better no number than one that somebody believes.
    is_guess = confidence < config.confidence.min_confidence
    raw, confidence = np.where(is_guess, np.nan, raw), np.where(is_guess, 0.0, confidence)
    bridged, _ = fill_gaps(raw, time_s, max_gap_s=config.max_gap_s)
    filtered = filter_low_pass(bridged, time_s, cutoff_hz=config.cutoff_hz, order=config.filter_order)
    sure = filtered[(confidence > SURE) & np.isfinite(filtered)]
    is_enough = len(sure) >= MIN_SURE_FRAMES
    return AngleSeries(
        name=name,
        raw_deg=to_single(raw),
        filtered_deg=to_single(filtered),
        velocity_deg_s=to_single(differentiate(filtered, time_s)),
        confidence=to_single(confidence),
        range_deg=float(np.subtract(*np.percentile(sure, [98.0, 2.0]))) if is_enough else float("nan"),
        missing_reason="",
    )


def _refuse_angle(name: str, count: int, reason: str) -> AngleSeries:
    nothing = to_single(np.full(count, np.nan))
    return AngleSeries(
        name=name,
        raw_deg=nothing,
        filtered_deg=nothing,
        velocity_deg_s=nothing,
        confidence=to_single(np.zeros(count)),
        range_deg=float("nan"),
        missing_reason=reason,
    )


def _compare_sides(angles: dict[str, AngleSeries]) -> dict[str, float]:
    """Takes Robinson's symmetry index of the ranges of motion.

    **Source:** R. O. Robinson et al., "Use of force platform variables to quantify the effects of chiropractic
    manipulation on gait symmetry", JMPT 10, 1987.
    """
    index: dict[str, float] = {}
    for joint in SYMMETRIC_JOINTS:
        right, left = angles[f"{joint}_r"].range_deg, angles[f"{joint}_l"].range_deg
        if np.isfinite(right) and np.isfinite(left) and right + left > 0.0:
            index[joint] = 200.0 * (right - left) / (right + left)
    return index


def _rate_points(merged: MergedPoints) -> FloatArray:
    apart = np.linalg.norm(merged.coco_px - merged.blazepose_px, axis=-1) / merged.body_size_px[:, None]
    agreement = 1.0 / (1.0 + (np.where(np.isfinite(apart), apart, 0.06) / 0.1) ** 2)
    steadiness = 1.0 / (1.0 + (np.nan_to_num(merged.residual) / 0.05) ** 2)
    is_seen = np.isfinite(merged.points_px).all(axis=-1)
    return np.where(is_seen, agreement * steadiness * np.where(merged.is_filled, 0.5, 1.0), 0.0)


def _write_notes(
    track: PersonTrack, merged: MergedPoints, views: tuple[View, ...], *, is_scale_given: bool
) -> tuple[str, ...]:
    is_found = np.asarray(np.isfinite(track.boxes_xyxy_px).all(axis=1))
    notes: list[str] = []
    if not is_found.all():
        notes.append(
            f"The person was not found in {int((~is_found).sum())} of the {len(is_found)} frames from first to last."
        )
    for net, title in (("movenet", "MoveNet"), ("blazepose", "BlazePose")):
        count = sum(merged.swapped_frame_count[f"{net}_{limb}"] for limb in ("legs", "arms"))
        if count:
            notes.append(f"{title} mixed up left and right limbs {count} times (frames x limbs); that was put right.")
    shares = {view: views.count(view) / len(views) for view in View}
    if shares[View.UNKNOWN] > 0.1:
        notes.append(f"In {100 * shares[View.UNKNOWN]:.0f} % of the frames the view could not be told.")
    if not is_scale_given:
        notes.append("No height was given: metres are BlazePose's estimate of a person's size, not a measurement.")
    notes.append("One camera: depth (towards and away from the camera) is estimated by BlazePose, never measured.")
    return tuple(notes)
