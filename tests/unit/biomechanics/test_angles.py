"""Signs and zeros of the angles with depth, as docs/conventions.md states them, on a body that is turned on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from biomechanics_service.core.angles import measure_space_angles
from biomechanics_service.core.landmarks import POINT_COUNT, POINT_INDEX
from praxiscope_numerics import rotation_from_cardan_angles

# Standing upright, arms hanging; x forward, y up, z to the right of the body, metres.
HEIGHTS = {
    "hip": (0.0, 0.0, 0.1),
    "knee": (0.0, -0.4, 0.1),
    "ankle": (0.0, -0.8, 0.1),
    "heel": (-0.05, -0.85, 0.1),
    "toe": (0.15, -0.85, 0.1),
    "shoulder": (0.0, 0.5, 0.2),
    "elbow": (0.0, 0.2, 0.2),
    "wrist": (0.0, -0.05, 0.2),
    "ear": (0.0, 0.7, 0.07),
    "eye": (0.08, 0.72, 0.03),
}


def stand() -> np.ndarray:
    body = np.zeros((POINT_COUNT, 3))
    for part, (x, y, z) in HEIGHTS.items():
        body[POINT_INDEX[f"right_{part}"]] = [x, y, z]
        body[POINT_INDEX[f"left_{part}"]] = [x, y, -z]
    body[POINT_INDEX["nose"]] = [0.1, 0.68, 0.0]
    return body


def turn(body: np.ndarray, points: list[str], center: str, axis: str, angle_deg: float) -> np.ndarray:
    """Turns some points about a body axis through a point."""
    rotation = rotation_from_cardan_angles(
        np.radians([angle_deg, 0.0, 0.0]), sequence={"x": "xyz", "y": "yzx", "z": "zxy"}[axis]
    )
    turned, pivot = body.copy(), body[POINT_INDEX[center]]
    rows = [POINT_INDEX[name] for name in points]
    turned[rows] = pivot + (body[rows] - pivot) @ rotation.T
    return turned


def measure(body: np.ndarray) -> dict[str, float]:
    return {name: float(np.degrees(values[0])) for name, values in measure_space_angles(body[None]).items()}


def test_standing_upright_is_zero_everywhere() -> None:
    for name, value in measure(stand()).items():
        assert value == pytest.approx(0.0, abs=1e-4), name


@pytest.mark.parametrize(
    ("axis", "name"), [("z", "pelvis_tilt_3d"), ("x", "pelvis_list_3d"), ("y", "pelvis_rotation_3d")]
)
def test_turning_the_whole_body_turns_the_pelvis_and_nothing_else(axis: str, name: str) -> None:
    rotation = rotation_from_cardan_angles(
        np.radians([20.0, 0.0, 0.0]), sequence={"x": "xyz", "y": "yzx", "z": "zxy"}[axis]
    )
    for other, value in measure(stand() @ rotation.T).items():
        assert value == pytest.approx(20.0 if other == name else 0.0, abs=1e-4), other


LEG = ["knee", "ankle", "heel", "toe"]


@pytest.mark.parametrize(("side", "letter", "outward"), [("right", "r", 1.0), ("left", "l", -1.0)])
def test_limbs_have_the_signs_of_the_conventions(side: str, letter: str, outward: float) -> None:
    def move(parts: list[str], center: str, axis: str, angle_deg: float) -> dict[str, float]:
        return measure(turn(stand(), [f"{side}_{part}" for part in parts], f"{side}_{center}", axis, angle_deg))

    # A positive turn about z, which points to the right, brings the hanging limb forwards.
    assert move(LEG, "hip", "z", 30.0)[f"hip_flexion_{letter}_3d"] == pytest.approx(30.0)
    assert move(LEG[1:], "knee", "z", -50.0)[f"knee_angle_{letter}_3d"] == pytest.approx(50.0)
    assert move(LEG[2:], "ankle", "z", 15.0)[f"ankle_angle_{letter}_3d"] == pytest.approx(15.0)
    assert move(["elbow", "wrist"], "shoulder", "z", 80.0)[f"arm_flex_{letter}_3d"] == pytest.approx(80.0)
    assert move(["wrist"], "elbow", "z", 70.0)[f"elbow_flex_{letter}_3d"] == pytest.approx(70.0)
    # A negative turn about x, which points forwards, brings a hanging limb to the right.
    assert move(LEG, "hip", "x", -25.0 * outward)[f"hip_adduction_{letter}_3d"] == pytest.approx(-25.0)
    assert move(["elbow", "wrist"], "shoulder", "x", -60.0 * outward)[f"arm_add_{letter}_3d"] == pytest.approx(-60.0)


@pytest.mark.parametrize("lift_deg", [-55.0, 90.0, 179.0, 181.0, 200.0])
def test_an_arm_overhead_does_not_jump_by_a_turn(lift_deg: float) -> None:
    lifted = turn(stand(), ["right_elbow", "right_wrist"], "right_shoulder", "z", lift_deg)
    assert measure(lifted)["arm_flex_r_3d"] == pytest.approx(lift_deg)


def test_the_trunk_has_the_signs_of_the_conventions() -> None:
    upper = [f"{side}_{part}" for side in ("right", "left") for part in ("shoulder", "elbow", "wrist")]
    body = stand()
    body[POINT_INDEX["nose"]] = [0.0, 0.5, 0.0]  # a pivot between the shoulders
    assert measure(turn(body, upper, "nose", "x", 10.0))["lumbar_bending_3d"] == pytest.approx(10.0)
    assert measure(turn(body, upper, "nose", "y", 35.0))["lumbar_rotation_3d"] == pytest.approx(35.0)


def test_a_missing_point_makes_its_angles_missing_and_no_others() -> None:
    body = stand()
    body[POINT_INDEX["left_ankle"]] = np.nan
    missing = {name for name, value in measure(body).items() if np.isnan(value)}
    assert missing == {"knee_angle_l_3d", "ankle_angle_l_3d"}
