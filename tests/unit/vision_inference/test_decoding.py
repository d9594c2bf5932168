"""Reading the nets' tensors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vision_inference_service.core.coco import COCO_LABELS
from vision_inference_service.core.decoding import (
    decode_crop_persons,
    decode_grid_persons,
    decode_objects,
    decode_pose,
    returned_person_count,
)
from vision_inference_service.core.geometry import CropWindow, SearchGrid
from vision_inference_service.core.regions import trunk_lean

GRID = SearchGrid.fit(768, 400, long_side_px=384, stride_px=32)


def movenet(*scores: float) -> np.ndarray:
    """Persons with a box over the middle of the input; keypoint i at y = i / 100, x = i / 50."""
    tensor = np.zeros((6, 56), np.float32)
    index = np.arange(17)
    for i_row, score in enumerate(scores):
        tensor[i_row, :51] = np.stack([index / 100, index / 50, np.full(17, score / 2)], axis=1).reshape(-1)
        tensor[i_row, 51:] = [0.25, 0.5, 0.75, 1.0, score]
    return tensor


def test_whole_frame_answers_come_best_first_in_source_pixels() -> None:
    found = decode_grid_persons(movenet(0.3, 0.9, 0.1), GRID, min_score=0.2)
    assert [person.score for person in found] == pytest.approx([0.9, 0.3])
    # The grid is 384 x 224 for an image of 384 x 200, at half the source's scale.
    np.testing.assert_allclose(found[0].box_px, [384, 112, 768, 336], rtol=1e-5)
    np.testing.assert_allclose(found[0].keypoints_px[10], [0.2 * 768, 0.1 * 448, 0.45], rtol=1e-5)


def test_the_count_of_answers_ignores_the_weak() -> None:
    assert returned_person_count(movenet(0.3, 0.9, 0.1), min_score=0.2) == 2


def test_a_tensor_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(6, 56\)"):
        decode_grid_persons(np.zeros((0,), np.float32), GRID, min_score=0.1)


@pytest.mark.parametrize(
    ("rotation_rad", "box", "keypoint"),
    [
        (0.0, (100, 75, 150, 125), (50 + 100 * 0.2, 50 + 100 * 0.1)),
        # Clockwise by a quarter: the crop's right is the source's down, its down the source's left.
        (math.pi / 2, (75, 100, 125, 150), (150 - 100 * 0.1, 50 + 100 * 0.2)),
        (math.pi, (50, 75, 100, 125), (150 - 100 * 0.2, 150 - 100 * 0.1)),
    ],
)
def test_a_turned_crops_answers_come_back_upright(
    rotation_rad: float, box: tuple[float, ...], keypoint: tuple[float, float]
) -> None:
    window = CropWindow.square(center_x_px=100, center_y_px=100, side_px=100, size_px=256, rotation_rad=rotation_rad)
    found = decode_crop_persons(movenet(0.5), window, min_score=0.2)[0]
    np.testing.assert_allclose(found.box_px, box, atol=0.01)
    np.testing.assert_allclose(found.keypoints_px[10, :2], keypoint, atol=0.01)


def test_a_narrow_crops_answers_are_stretched_to_its_own_sides() -> None:
    narrow = CropWindow(center_x_px=100, center_y_px=100, source_px_per_crop_px=0.5, width_px=100, height_px=200)
    found = decode_crop_persons(movenet(0.5), narrow, min_score=0.2)[0]
    square = CropWindow.square(center_x_px=100, center_y_px=100, side_px=100, size_px=200)
    same = decode_crop_persons(movenet(0.5), square, min_score=0.2)[0]
    np.testing.assert_allclose(found.box_px[1::2], same.box_px[1::2], atol=1e-3)
    np.testing.assert_allclose(found.box_px[::2] - 100, (same.box_px[::2] - 100) / 2, atol=1e-3)
    np.testing.assert_allclose(found.keypoints_px[:, 0] - 100, (same.keypoints_px[:, 0] - 100) / 2, atol=1e-3)
    np.testing.assert_allclose(found.keypoints_px[:, 1], same.keypoints_px[:, 1], atol=1e-3)


def test_a_pose_is_scaled_turned_and_squashed() -> None:
    landmarks = np.zeros((39, 5), np.float32)
    landmarks[0] = [256, 128, -20, 0, 100]
    landmarks[1, 3:] = [-1000, 1000]
    world = np.zeros((39, 3), np.float32)
    world[0] = [0.5, 0.25, -0.1]
    window = CropWindow.square(center_x_px=300, center_y_px=200, side_px=512, size_px=256, rotation_rad=math.pi / 2)
    pose = decode_pose(landmarks, world, 0.75, window)
    assert pose.landmarks_px.shape == (33, 5)
    np.testing.assert_allclose(pose.landmarks_px[0], [300, 456, -40, 0.5, 1], atol=1e-3)
    np.testing.assert_array_equal(pose.landmarks_px[1, 3:], [0, 1])
    np.testing.assert_allclose(pose.world_landmarks_m[0], [-0.25, 0.5, -0.1], atol=1e-6)
    assert pose.pose_presence == 0.75


def test_objects_are_named_clipped_and_sorted() -> None:
    grid = SearchGrid.fit(1024, 512, long_side_px=512, stride_px=512)
    tensor = np.zeros((100, 6), np.float32)
    tensor[0] = [-10, 10, 100, 50, 0.4, 0]
    tensor[1] = [200, 100, 300, 400, 0.8, 5]
    tensor[2] = [0, 300, 50, 400, 0.9, 2]  # wholly in the padding below the frame
    tensor[3] = [0, 0, 50, 40, 0.2, 7]
    found = decode_objects(tensor, grid, labels=COCO_LABELS, min_score=0.3)
    assert [(item.label, item.class_index) for item in found] == [("bus", 5), ("person", 0)]
    np.testing.assert_allclose(found[0].box_px, [400, 200, 600, 512])
    np.testing.assert_allclose(found[1].box_px, [0, 20, 200, 100])


def test_coco_has_eighty_different_names() -> None:
    assert len(COCO_LABELS) == len(set(COCO_LABELS)) == 80
    assert (COCO_LABELS[0], COCO_LABELS[79]) == ("person", "toothbrush")


@pytest.mark.parametrize("lean_rad", [0.0, 0.7, math.pi / 2, -2.0, 3.0])
def test_the_trunks_lean_is_measured_clockwise_from_upright(lean_rad: float) -> None:
    keypoints = np.zeros((17, 3), np.float32)
    up = np.array([math.sin(lean_rad), -math.cos(lean_rad)])
    keypoints[[5, 6], :2] = 100 + 50 * up
    keypoints[[11, 12], :2] = 100
    keypoints[:, 2] = 0.9
    assert trunk_lean(keypoints, min_score=0.2) == pytest.approx(lean_rad, abs=1e-5)
    keypoints[11, 2] = 0.1
    assert trunk_lean(keypoints, min_score=0.2) == 0.0
