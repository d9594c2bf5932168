"""Photos that come with poses: transforms.json and COLMAP's models, and what is wrong with them."""

from __future__ import annotations

import json
import struct

import cv2
import numpy as np
import pytest

from generation_service.adapters.posed_input import (
    PosedInputError,
    read_colmap_binary,
    read_colmap_text,
    read_transforms,
    undistorted,
)

# A camera at (1, -2, 3) of nerfstudio's world (z up), level, looking along its y: columns are right, up, back.
_LEVEL = [[1, 0, 0, 1], [0, 0, -1, -2], [0, 1, 0, 3], [0, 0, 0, 1]]
_BASE = {"w": 400, "h": 300, "fl_x": 350.0, "cx": 201.0, "cy": 149.0}


def _transforms(**changes: object) -> bytes:
    frame = {"file_path": "a.jpg", "transform_matrix": _LEVEL}
    return json.dumps({**_BASE, "frames": [frame], **changes}).encode()


def test_transforms_are_turned_into_our_frame() -> None:
    (view,) = read_transforms(_transforms()).views
    assert view.name == "a.jpg"
    assert view.camera.focal_px == (350.0, 350.0)
    assert view.camera.centre_px == (201.0, 149.0)
    assert view.camera.position_m == pytest.approx([1, 3, 2])  # z up is y up, and y ahead is -z
    pose = view.camera.world_from_camera[:3, :3]
    assert pose @ [0, 0, 1] == pytest.approx([0, 0, -1])  # looks along the world's -z
    assert pose @ [0, 1, 0] == pytest.approx([0, -1, 0])  # the picture's down is the world's down


def test_the_angle_of_view_gives_the_focal_length_and_frames_may_differ() -> None:
    frames = [
        {"file_path": "a", "transform_matrix": _LEVEL},
        {"file_path": "b", "transform_matrix": _LEVEL, "w": 800, "h": 600, "k1": 0.1, "camera_model": "OPENCV_FISHEYE"},
    ]
    data = {"w": 400, "h": 300, "camera_angle_x": 2 * np.arctan(0.5), "frames": frames}
    first, second = read_transforms(json.dumps(data).encode()).views
    assert first.camera.focal_px == pytest.approx((400, 400))
    assert second.camera.width_px == 800
    assert second.distortion.is_fisheye
    assert second.distortion.coefficients == (0.1, 0, 0, 0)


_CAMERAS = "# comment\n3 SIMPLE_RADIAL 400 300 350 200 150 0.02\n7 OPENCV 640 480 500 510 320 240 0.1 0.01 0 0\n"
_QUATERNION = np.array([0.9, 0.1, -0.3, 0.2]) / np.linalg.norm([0.9, 0.1, -0.3, 0.2])
_POSES = [(3, [*_QUATERNION, 0.5, -1.0, 2.0], "x/a b.jpg"), (7, [1.0, 0, 0, 0, 0, 0, 0], "c.jpg")]


def _text() -> tuple[bytes, bytes, bytes]:
    lines = ["# comment"]
    for i_pose, (camera_id, pose, name) in enumerate(_POSES):
        lines += [" ".join(map(str, [i_pose + 1, *pose, camera_id, name])), "1.0 2.0 -1" if i_pose else ""]
    points = "1 0.5 0.25 4 10 20 30 0.7 1 0 2 0\n2 -1 1 5 40 50 60 0.2 1 1\n"
    return _CAMERAS.encode(), "\n".join(lines).encode(), points.encode()


def _binary() -> tuple[bytes, bytes, bytes]:
    cameras = struct.pack("<Q", 2) + struct.pack("<iiQQ4d", 3, 2, 400, 300, 350, 200, 150, 0.02)
    cameras += struct.pack("<iiQQ8d", 7, 4, 640, 480, 500, 510, 320, 240, 0.1, 0.01, 0, 0)
    images = struct.pack("<Q", 2)
    for i_pose, (camera_id, pose, name) in enumerate(_POSES):
        images += struct.pack("<i7di", i_pose + 1, *pose, camera_id) + name.encode() + b"\0"
        images += struct.pack("<Q", i_pose) + struct.pack("<ddq", 1, 2, -1) * i_pose
    points = struct.pack("<Q", 2)
    points += struct.pack("<Q3d3BdQ", 1, 0.5, 0.25, 4, 10, 20, 30, 0.7, 2) + struct.pack("<4i", 1, 0, 2, 0)
    points += struct.pack("<Q3d3BdQ", 2, -1, 1, 5, 40, 50, 60, 0.2, 1) + struct.pack("<2i", 1, 1)
    return cameras, images, points


def test_text_and_binary_models_say_the_same_and_project_as_colmap_does() -> None:
    text, binary = read_colmap_text(*_text()), read_colmap_binary(*_binary())
    assert [view.name for view in text.views] == ["x/a b.jpg", "c.jpg"]
    assert np.array_equal(text.points_m, binary.points_m)
    assert text.colors_rgb.tolist() == [[10, 20, 30], [40, 50, 60]]
    for one, other in zip(text.views, binary.views, strict=True):
        assert one.distortion == other.distortion
        assert np.allclose(one.camera.world_from_camera, other.camera.world_from_camera)
    assert text.views[0].distortion.coefficients == (0.02, 0, 0, 0, 0)
    # Whatever turn levelled the world, cameras see points where COLMAP's did: here (R X + t) of the second photo is X itself.
    second = text.views[1].camera.camera_from_world
    seen = text.points_m @ second[:3, :3].T + second[:3, 3]
    assert seen == pytest.approx(np.array([[0.5, 0.25, 4], [-1, 1, 5]]))


@pytest.mark.parametrize("is_fisheye", [False, True])
def test_undistorting_makes_bent_lines_straight(is_fisheye: bool) -> None:
    bends = {"k1": 0.06, "k2": 0.01} if is_fisheye else {"k1": -0.22, "k2": 0.04}
    data = _transforms(fl_x=260.0, cx=200.0, cy=150.0, is_fisheye=is_fisheye, **bends)
    (view,) = read_transforms(data).views
    lens = np.array([[260.0, 0, 199.5], [0, 260.0, 149.5], [0, 0, 1]])
    points = np.array([[x, y, 1.0] for x in np.linspace(-0.55, 0.55, 9) for y in np.linspace(-0.4, 0.4, 7)])
    coefficients = np.array(view.distortion.coefficients)
    project = cv2.fisheye.projectPoints if is_fisheye else cv2.projectPoints
    pixels = project(points[:, None], np.zeros(3), np.zeros(3), lens, coefficients)[0].reshape(-1, 2)
    picture = np.zeros((300, 400, 3), np.uint8)
    for x, y in pixels:
        cv2.circle(picture, (round(x * 16), round(y * 16)), 3 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    camera, flat = undistorted(view, picture)
    assert (camera.width_px, camera.height_px) == (400, 300)
    found = 0
    for point in points:
        x, y = point[:2] / point[2] * camera.focal_px + camera.centre_px
        if 6 < x < 394 and 6 < y < 294:
            found += 1
            assert flat[int(y), int(x)].mean() > 100, (x, y)
    assert found > 30


def test_without_distortion_the_picture_stays_and_a_smaller_one_has_a_smaller_camera() -> None:
    (view,) = read_transforms(_transforms()).views
    picture = np.random.default_rng(0).integers(0, 256, (150, 200, 3)).astype(np.uint8)
    camera, same = undistorted(view, picture)
    assert np.array_equal(same, picture)
    assert camera.focal_px == pytest.approx((175, 175))
    assert camera.centre_px == pytest.approx((100.5, 74.5))
    with pytest.raises(PosedInputError, match="200x200"):
        undistorted(view, np.zeros((200, 200, 3), np.uint8))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"frames": []}',
        b'{"frames": [1]}',
        _transforms(w="wide"),
        _transforms(w=10**9),
        _transforms(fl_x=float("nan")),
        _transforms(fl_x=-3),
        _transforms(frames=[{"file_path": 3, "transform_matrix": _LEVEL}]),
        _transforms(frames=[{"file_path": "a", "transform_matrix": [[1, 2], [3]]}]),
        _transforms(frames=[{"file_path": "a", "transform_matrix": np.zeros((4, 4)).tolist()}]),
        _transforms(frames=[{"file_path": "a", "transform_matrix": (2 * np.eye(4)).tolist()}]),
    ],
)
def test_transforms_that_are_wrong_are_refused(data: bytes) -> None:
    with pytest.raises(PosedInputError) as caught:
        read_transforms(data)
    assert caught.value.reason == "POSED_INPUT_INVALID"


def test_models_that_are_wrong_are_refused() -> None:
    cameras, images, points = _text()
    for broken in (
        (b"1 CUBE 4 3 1\n", images, points),
        (b"3 PINHOLE 400 300 350 200\n", images, points),
        (cameras, b"1 1 0 0\n", points),
        (cameras, images.replace(b" 3 x/a", b" 99 x/a"), points),
        (cameras, b"1 0 0 0 0 0 0 0 3 a\n\n", points),
        (cameras, images, b"1 2 3\n"),
        (b"\xff", images, points),
    ):
        with pytest.raises(PosedInputError):
            read_colmap_text(*broken)


@pytest.mark.parametrize("seed", range(10))
def test_broken_binary_models_end_as_typed_errors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        files = [bytearray(part) for part in _binary()]
        part = files[int(rng.integers(3))]
        for _ in range(int(rng.integers(1, 5))):
            part[int(rng.integers(len(part)))] = int(rng.integers(256))
        if rng.random() < 0.3:
            del part[int(rng.integers(len(part))) :]
        try:
            found = read_colmap_binary(*(bytes(item) for item in files))
        except PosedInputError:
            continue
        assert np.isfinite(found.points_m).all()
