"""The names and places of the points that the two pose nets give, and the one set they are merged into.

**Source:** COCO keypoints (Lin et al. 2014) for MoveNet; the BlazePose topology of 33 points (Bazarevsky et al. 2020).
Left and right are the person's.
"""

from __future__ import annotations

COCO_COUNT = 17
BLAZEPOSE_COUNT = 33

COCO_NAMES = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
# The merged set: COCO's points, seen by both nets, then the feet, which only BlazePose sees.
POINT_NAMES = (*COCO_NAMES, "left_heel", "right_heel", "left_toe", "right_toe")
POINT_COUNT = len(POINT_NAMES)
POINT_INDEX = {name: index for index, name in enumerate(POINT_NAMES)}
# BlazePose's index of each merged point.
BLAZEPOSE_OF_POINT = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32)

# Points that change places together when a net takes one limb for the other; hips and shoulders hold the limbs and
# stay.
LEG_POINTS = ("knee", "ankle", "heel", "toe")
ARM_POINTS = ("elbow", "wrist")

BONES = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    *(
        (f"{side}_{start}", f"{side}_{end}")
        for side in ("left", "right")
        for start, end in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("heel", "toe"),
        )
    ),
)


def pair_indices(part: str) -> tuple[int, int]:
    """Returns the merged indices of a part's left and right point."""
    return POINT_INDEX[f"left_{part}"], POINT_INDEX[f"right_{part}"]
