"""Joint angles: names, points, views and signs. docs/conventions.md has the table.

Angles in the picture's plane carry OpenSim's coordinate name; those with depth from BlazePose's metric points the same
with `_3d`. Radians inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from biomechanics_service.core.landmarks import POINT_INDEX
from biomechanics_service.core.types import FloatArray, View
from praxiscope_numerics import angle_between, build_frame, cardan_angles_from_rotation, signed_angle_2d, wrap_angle

SIDES = (("r", "right"), ("l", "left"))
ANY_VIEW = frozenset({View.SIDE, View.FRONT, View.BETWEEN})
# Flexion of thigh and arm is told apart from its other name a turn away by this middle: -120 to 240 degrees holds all
# that
# joints can do (an arm goes from 60 back to 180 up), so an arm overhead does not jump from 180 to -180.
FLEXION_CENTER_RAD = np.radians(60.0)
DOWN = np.array([0.0, 1.0])  # of the picture, whose y points down
# A limb shorter in the picture than this share of its usual length points at the camera; the angle of its shadow says
# nothing.
MIN_FOOT_RATIO = 0.55


@dataclass(frozen=True, kw_only=True)
class PlaneAngle:
    """An angle in the picture's plane.

    Attributes:
        name: OpenSim's name.
        points: Merged points it is taken from; each must be seen.
        bones: Limbs whose length in the picture says whether the points are right.
        views: Views in which it is what its name says.
        missing_reason: Why it is missing in the other views.
        measure: Takes points [T, 21, 2] and facing [T], gives radians [T].
        is_single_net: Whether only one net sees a point of it.
    """

    name: str
    points: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    views: frozenset[View]
    missing_reason: str
    measure: Callable[[FloatArray, FloatArray], FloatArray]
    is_single_net: bool = False


def _point(points: FloatArray, name: str) -> FloatArray:
    """Takes a point by name; `mid_hip` and the like are halfway between left and right."""
    if name.startswith("mid_"):
        part = name.removeprefix("mid_")
        return 0.5 * (points[..., POINT_INDEX[f"left_{part}"], :] + points[..., POINT_INDEX[f"right_{part}"], :])
    return points[..., POINT_INDEX[name], :]


def _bend(start: str, joint: str, end: str) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Makes the bend of a joint: 0 when straight, pi when folded, never negative."""

    def measure(points: FloatArray, _: FloatArray) -> FloatArray:
        middle = _point(points, joint)
        return np.pi - angle_between(_point(points, start) - middle, _point(points, end) - middle)

    return measure


def _swing(start: str, end: str) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Makes a limb's swing from the trunk's downward line, positive forwards, by the side the body faces."""

    def measure(points: FloatArray, facing: FloatArray) -> FloatArray:
        trunk_down = _point(points, "mid_hip") - _point(points, "mid_shoulder")
        # Facing right, forwards is +x; on the picture a turn from down to +x is negative.
        flexion = -np.where(facing == 0.0, np.nan, facing) * signed_angle_2d(
            trunk_down, _point(points, end) - _point(points, start)
        )
        return wrap_angle(flexion, FLEXION_CENTER_RAD)

    return measure


def _spread(start: str, end: str, side: str) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Makes a limb's turn towards the body's middle line, positive inwards; works from the front and from the back."""

    def measure(points: FloatArray, _: FloatArray) -> FloatArray:
        trunk_down = _point(points, "mid_hip") - _point(points, "mid_shoulder")
        outward = _point(points, f"{side}_shoulder") - _point(points, "mid_shoulder")
        turn = signed_angle_2d(trunk_down, _point(points, end) - _point(points, start))
        return -np.sign(signed_angle_2d(trunk_down, outward)) * turn

    return measure


def _measure_ankle(side: str) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Makes dorsiflexion: 0 with the foot at a right angle to the shank, positive toes up."""

    def measure(points: FloatArray, _: FloatArray) -> FloatArray:
        shank_up = _point(points, f"{side}_knee") - _point(points, f"{side}_ankle")
        foot = _point(points, f"{side}_toe") - _point(points, f"{side}_heel")
        return 0.5 * np.pi - angle_between(shank_up, foot)

    return measure


def _measure_trunk_lean(points: FloatArray, facing: FloatArray) -> FloatArray:
    up = _point(points, "mid_shoulder") - _point(points, "mid_hip")
    return np.where(facing == 0.0, np.nan, facing) * signed_angle_2d(np.broadcast_to(-DOWN, up.shape), up)


def _measure_neck(points: FloatArray, facing: FloatArray) -> FloatArray:
    up = _point(points, "mid_shoulder") - _point(points, "mid_hip")
    head = _point(points, "mid_ear") - _point(points, "mid_shoulder")
    return np.where(facing == 0.0, np.nan, facing) * signed_angle_2d(up, head)


def _measure_lateral_lean(points: FloatArray, _: FloatArray) -> FloatArray:
    up = _point(points, "mid_shoulder") - _point(points, "mid_hip")
    rightward = np.sign(_point(points, "right_shoulder")[..., 0] - _point(points, "left_shoulder")[..., 0])
    return rightward * signed_angle_2d(np.broadcast_to(-DOWN, up.shape), up)


def _measure_pelvis_list(points: FloatArray, _: FloatArray) -> FloatArray:
    across = _point(points, "right_hip") - _point(points, "left_hip")
    return np.arctan2(across[..., 1], np.abs(across[..., 0]))


def _list_plane_angles() -> tuple[PlaneAngle, ...]:
    trunk = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    side_only, front_only = frozenset({View.SIDE}), frozenset({View.FRONT})
    not_side = "it is a movement towards and away from the camera unless the body is seen from the side"
    not_front = "it is a movement towards and away from the camera unless the body is seen from the front or the back"
    angles: list[PlaneAngle] = []

    def add(
        name: str,
        points: tuple[str, ...],
        bones: tuple[tuple[str, str], ...],
        views: frozenset[View],
        reason: str,
        measure: Callable[[FloatArray, FloatArray], FloatArray],
        *,
        is_single_net: bool = False,
    ) -> None:
        angles.append(
            PlaneAngle(
                name=name,
                points=points,
                bones=bones,
                views=views,
                missing_reason=reason,
                measure=measure,
                is_single_net=is_single_net,
            )
        )

    for letter, side in SIDES:
        shoulder, elbow, wrist = f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"
        hip, knee, ankle = f"{side}_hip", f"{side}_knee", f"{side}_ankle"
        heel, toe = f"{side}_heel", f"{side}_toe"
        thigh, shank, foot = (hip, knee), (knee, ankle), (heel, toe)
        upper_arm, forearm = (shoulder, elbow), (elbow, wrist)
        add(f"hip_flexion_{letter}", (*trunk, knee), (thigh, (shoulder, hip)), side_only, not_side, _swing(hip, knee))
        add(
            f"hip_adduction_{letter}",
            (*trunk, knee),
            (thigh, (shoulder, hip)),
            front_only,
            not_front,
            _spread(hip, knee, side),
        )
        add(f"knee_angle_{letter}", (hip, knee, ankle), (thigh, shank), ANY_VIEW, "", _bend(hip, knee, ankle))
        add(
            f"ankle_angle_{letter}",
            (knee, ankle, heel, toe),
            (shank, foot),
            side_only,
            not_side,
            _measure_ankle(side),
            is_single_net=True,
        )
        add(
            f"arm_flex_{letter}",
            (*trunk, elbow),
            (upper_arm, (shoulder, hip)),
            side_only,
            not_side,
            _swing(shoulder, elbow),
        )
        add(
            f"arm_add_{letter}",
            (*trunk, elbow),
            (upper_arm, (shoulder, hip)),
            front_only,
            not_front,
            _spread(shoulder, elbow, side),
        )
        add(
            f"elbow_flex_{letter}",
            (shoulder, elbow, wrist),
            (upper_arm, forearm),
            ANY_VIEW,
            "",
            _bend(shoulder, elbow, wrist),
        )
    trunk_bones = (("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))
    ears = ("left_ear", "right_ear")
    add("trunk_lean", trunk, trunk_bones, side_only, not_side, _measure_trunk_lean)
    add("trunk_lateral_lean", trunk, trunk_bones, front_only, not_front, _measure_lateral_lean)
    add("pelvis_list", ("left_hip", "right_hip"), trunk_bones, front_only, not_front, _measure_pelvis_list)
    add("neck_flexion", (*trunk, *ears), trunk_bones, side_only, not_side, _measure_neck)
    return tuple(angles)


PLANE_ANGLES = _list_plane_angles()

# Bones that carry a 3D angle, for the length check; names as `PLANE_ANGLES`.
SPACE_BONES: Mapping[str, tuple[tuple[str, str], ...]] = {
    **{
        f"{name}_{letter}_3d": tuple((f"{side}_{start}", f"{side}_{end}") for start, end in bones)
        for letter, side in SIDES
        for name, bones in (
            ("hip_flexion", (("hip", "knee"), ("shoulder", "hip"))),
            ("hip_adduction", (("hip", "knee"), ("shoulder", "hip"))),
            ("knee_angle", (("hip", "knee"), ("knee", "ankle"))),
            ("ankle_angle", (("knee", "ankle"), ("heel", "toe"))),
            ("arm_flex", (("shoulder", "elbow"), ("shoulder", "hip"))),
            ("arm_add", (("shoulder", "elbow"), ("shoulder", "hip"))),
            ("elbow_flex", (("shoulder", "elbow"), ("elbow", "wrist"))),
        )
    },
    **{
        name: (("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))
        for name in (
            "pelvis_tilt_3d",
            "pelvis_list_3d",
            "pelvis_rotation_3d",
            "lumbar_bending_3d",
            "lumbar_rotation_3d",
        )
    },
}


def measure_space_angles(points_m: FloatArray) -> dict[str, FloatArray]:
    """Measures the angles with depth.

    The pelvis has only two points, so its forward tilt is that of the trunk, and bending between pelvis and trunk to
    the front cannot be told from it;
    turns of thigh and upper arm about their own axes cannot be seen at all.

    Args:
        points_m: Merged points, x right, y up, z towards the camera, metres. [T, 21, 3]

    Returns:
        Radians by name, each [T]; NaN where a point is missing.
    """
    trunk_up = _point(points_m, "mid_shoulder") - _point(points_m, "mid_hip")
    pelvis_right = _point(points_m, "right_hip") - _point(points_m, "left_hip")
    shoulders_right = _point(points_m, "right_shoulder") - _point(points_m, "left_shoulder")
    # Body axes as in OpenSim: x forward, y up, z right.
    world_from_pelvis = build_frame(trunk_up, pelvis_right, axes="yz")
    world_from_torso = build_frame(trunk_up, shoulders_right, axes="yz")
    # The list needs the hips' own slope, which the frame above, upright along the trunk, does not have.
    world_from_hips = build_frame(pelvis_right, trunk_up, axes="zy")
    tilt, bend, turn = np.moveaxis(cardan_angles_from_rotation(world_from_hips, sequence="zxy"), -1, 0)
    angles = {"pelvis_tilt_3d": tilt, "pelvis_list_3d": bend, "pelvis_rotation_3d": wrap_angle(turn)}
    across = np.swapaxes(world_from_hips, -1, -2) @ shoulders_right[..., None]  # shoulders in the hips' axes
    across = across[..., 0]
    angles["lumbar_bending_3d"] = np.arctan2(-across[..., 1], np.hypot(across[..., 0], across[..., 2]))
    angles["lumbar_rotation_3d"] = np.arctan2(across[..., 0], across[..., 2])
    for letter, side in SIDES:
        inward = -1.0 if side == "right" else 1.0  # the middle lies at -z of the right limbs
        hip, knee, ankle, shoulder, elbow, wrist, heel, toe = (
            _point(points_m, f"{side}_{part}")
            for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "heel", "toe")
        )
        for name, frame, limb in (("hip", world_from_pelvis, knee - hip), ("arm", world_from_torso, elbow - shoulder)):
            local = (np.swapaxes(frame, -1, -2) @ limb[..., None])[..., 0]
            flexion = wrap_angle(np.arctan2(local[..., 0], -local[..., 1]), FLEXION_CENTER_RAD)
            adduction = np.arctan2(inward * local[..., 2], np.hypot(local[..., 0], local[..., 1]))
            suffixes = ("flexion", "adduction") if name == "hip" else ("flex", "add")
            angles[f"{name}_{suffixes[0]}_{letter}_3d"] = flexion
            angles[f"{name}_{suffixes[1]}_{letter}_3d"] = adduction
        angles[f"knee_angle_{letter}_3d"] = np.pi - angle_between(hip - knee, ankle - knee)
        angles[f"elbow_flex_{letter}_3d"] = np.pi - angle_between(shoulder - elbow, wrist - elbow)
        angles[f"ankle_angle_{letter}_3d"] = 0.5 * np.pi - angle_between(knee - ankle, toe - heel)
    return angles
