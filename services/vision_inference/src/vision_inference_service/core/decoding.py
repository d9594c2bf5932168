"""From the nets' tensors to values in source pixels."""

from __future__ import annotations

import math

import numpy as np

from vision_inference_service.core.geometry import CropWindow, SearchGrid
from vision_inference_service.core.types import (
    KEYPOINT_COUNT,
    LANDMARK_COUNT,
    BodyCircle,
    FloatArray,
    ObjectObservation,
    PersonCandidate,
    PoseEstimate,
)

MOVENET_PERSON_COUNT = 6
"""MoveNet multipose never returns more people than this."""

MOVENET_STRIDE_PX = 32
"""MoveNet's input sides are multiples of this."""

_MOVENET_ROW_LENGTH = 56
_MOVENET_KEYPOINTS_END = 3 * KEYPOINT_COUNT
_MIRRORED_KEYPOINTS = [0, *(i + 1 if i % 2 else i - 1 for i in range(1, KEYPOINT_COUNT))]
"""After the nose, COCO's keypoints come in pairs, left before right."""


def decode_grid_persons(tensor: FloatArray, grid: SearchGrid, *, min_score: float) -> list[PersonCandidate]:
    """Reads MoveNet's answer to a whole frame.

    Args:
        tensor: (6, 56) as `PoseModels.detect_persons` returns it.
        grid: Where the frame lay in the net's input.
        min_score: People below this score, 0..1, are left out.
    """
    return [
        PersonCandidate(
            box_px=grid.source_from_unit(corners).reshape(4),
            score=score,
            keypoints_px=np.concatenate([grid.source_from_unit(keypoints_xy), keypoint_scores], axis=1),
        )
        for corners, score, keypoints_xy, keypoint_scores in _movenet_rows(tensor, min_score)
    ]


def decode_crop_persons(tensor: FloatArray, window: CropWindow, *, min_score: float) -> list[PersonCandidate]:
    """Reads MoveNet's answer to a crop.

    A turned crop's box becomes the upright box around the ellipse in it: a body does not fill its box's corners, and
    the box around those would be up to twice as large as the body.

    Args:
        tensor: (6, 56) as `PoseModels.detect_persons` returns it.
        window: The crop.
        min_score: People below this score, 0..1, are left out.
    """
    candidates: list[PersonCandidate] = []
    for corners, score, keypoints_xy, keypoint_scores in _movenet_rows(tensor, min_score):
        center = window.to_source(corners.mean(axis=0) * window.size_px)
        half_axes = (corners[1] - corners[0]) * window.size_px * window.source_px_per_crop_px / 2
        half_size = np.linalg.norm(window.rotation_matrix() * half_axes, axis=1)
        candidates.append(
            PersonCandidate(
                box_px=np.concatenate([center - half_size, center + half_size]).astype(np.float32),
                score=score,
                keypoints_px=np.concatenate([window.to_source(keypoints_xy * window.size_px), keypoint_scores], axis=1),
            )
        )
    return candidates


def _movenet_rows(tensor: FloatArray, min_score: float) -> list[tuple[FloatArray, float, FloatArray, FloatArray]]:
    """Splits (6, 56) by person, best first.

    Returns:
        Corners (2, 2) x, y; score; keypoints (17, 2) x, y; their scores (17, 1); all in units of the image.
    """
    if tensor.shape != (MOVENET_PERSON_COUNT, _MOVENET_ROW_LENGTH):
        raise ValueError(f"the person detector must return shape (6, 56), but returned {tensor.shape}")
    rows = tensor[tensor[:, -1] >= min_score]
    rows = rows[np.argsort(-rows[:, -1], kind="stable")]
    parts: list[tuple[FloatArray, float, FloatArray, FloatArray]] = []
    for row in rows:
        keypoints = row[:_MOVENET_KEYPOINTS_END].reshape(KEYPOINT_COUNT, 3)
        corners = row[_MOVENET_KEYPOINTS_END:-1].reshape(2, 2)[:, ::-1]
        parts.append((corners, float(row[-1]), keypoints[:, 1::-1], keypoints[:, 2:]))
    return parts


def returned_person_count(tensor: FloatArray, *, min_score: float) -> int:
    """How many rows of MoveNet's (6, 56) are people of at least this score."""
    return int(np.count_nonzero(tensor[:, -1] >= min_score))


def mirror_persons(tensor: FloatArray) -> FloatArray:
    """Reads MoveNet's answer (6, 56) to a mirrored picture as if the picture had not been mirrored: left is left again."""
    mirrored = tensor.copy()
    keypoints = mirrored[:, :_MOVENET_KEYPOINTS_END].reshape(-1, KEYPOINT_COUNT, 3)
    keypoints[..., 1] = 1.0 - keypoints[..., 1]
    mirrored[:, :_MOVENET_KEYPOINTS_END] = keypoints[:, _MIRRORED_KEYPOINTS].reshape(len(tensor), -1)
    x_start, x_end = _MOVENET_KEYPOINTS_END + 1, _MOVENET_KEYPOINTS_END + 3
    mirrored[:, x_start], mirrored[:, x_end] = 1.0 - tensor[:, x_end], 1.0 - tensor[:, x_start]
    return mirrored


def decode_pose(landmarks: FloatArray, world: FloatArray, presence: float, window: CropWindow) -> PoseEstimate:
    """Reads BlazePose's answer to one crop.

    The crop's turn is undone for the metric landmarks too, so that their axes are the upright frame's.

    Args:
        landmarks: (39, 5) x, y, z in crop pixels, visibility and presence logits. Of the last six, which are
            auxiliary, the first is the middle of the hips, the second lies towards the head on the body's circle.
        world: (39, 3) metres, in the crop's axes.
        presence: 0..1.
        window: The crop.
    """
    used = landmarks[:LANDMARK_COUNT]
    metres = world[:LANDMARK_COUNT].astype(np.float32)
    center, top = window.to_source(landmarks[LANDMARK_COUNT : LANDMARK_COUNT + 2, :2]).astype(float)
    return PoseEstimate(
        landmarks_px=np.concatenate(
            [window.to_source(used[:, :2]), used[:, 2:3] * window.source_px_per_crop_px, _logistic(used[:, 3:])], axis=1
        ).astype(np.float32),
        world_landmarks_m=np.concatenate([metres[:, :2] @ window.rotation_matrix().T, metres[:, 2:]], axis=1),
        pose_presence=float(presence),
        circle=BodyCircle(
            center_x_px=center[0],
            center_y_px=center[1],
            radius_px=max(math.hypot(*(top - center)), 1.0),
            lean_rad=math.atan2(top[0] - center[0], center[1] - top[1]),
        ),
    )


def decode_objects(
    tensor: FloatArray, grid: SearchGrid, *, labels: tuple[str, ...], min_score: float
) -> list[ObjectObservation]:
    """Reads CenterNet's answer.

    Args:
        tensor: (100, 6) x_min, y_min, x_max, y_max in grid pixels, score, class.
        grid: Where the frame lay in the net's input.
        labels: Names of the classes.
        min_score: Objects below this score, 0..1, are left out.

    Returns:
        Best first, boxes clipped to the frame; boxes without area are left out.
    """
    grid_size = np.array([grid.grid_width_px, grid.grid_height_px], np.float32)
    frame = np.array([grid.frame_width_px, grid.frame_height_px] * 2, np.float32)
    objects: list[ObjectObservation] = []
    for row in tensor[np.argsort(-tensor[:, 4], kind="stable")]:
        class_index = int(row[5])
        box = np.clip(grid.source_from_unit(row[:4].reshape(2, 2) / grid_size).reshape(4), 0.0, frame)
        is_usable = row[4] >= min_score and 0 <= class_index < len(labels) and box[2] > box[0] and box[3] > box[1]
        if is_usable:
            objects.append(
                ObjectObservation(
                    box_px=box.astype(np.float32),
                    score=float(row[4]),
                    label=labels[class_index],
                    class_index=class_index,
                )
            )
    return objects


def _logistic(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), np.float32)
