"""Where photos were taken from: the child process, its failures, and the frame of what comes back. COLMAP itself runs on pictures made here."""

from __future__ import annotations

import itertools
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from generation_service.adapters.photos import Photo, Refusal, RefusalReason
from generation_service.adapters.reconstruction_job import told_with
from generation_service.adapters.structure_from_motion import (
    TYPICAL_DISTANCE,
    PhotoState,
    PosedPhotos,
    PosesCancelledError,
    PoseSettings,
    PosesNotFoundError,
    PosesTimeoutError,
    PoseToolFailedError,
    PoseToolMissingError,
    TooFewPhotosError,
    find_poses,
    world_from_reconstruction,
)
from tools.devstack.settings import CHECKOUT

_PYTHON = CHECKOUT / ".venv-poses" / "bin" / "python"
_WIDTH, _HEIGHT, _FOCAL = 320, 240, 300.0


def _texture(seed: int) -> np.ndarray:
    """Blobs of all sizes: much to find for SIFT."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((512, 512, 3), np.float32)
    for cells in (8, 16, 32, 64, 128):
        layer = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(layer, (512, 512), interpolation=cv2.INTER_CUBIC) * 45
    return np.clip(picture + 128, 0, 255).astype(np.uint8)


_FLOOR, _WALL, _SIDE = _texture(1), _texture(2), _texture(3)
# Corners of three squares of 4 m: the floor, the wall behind it, and one at the side.
_SQUARES = (
    (_FLOOR, [[-2, 0, -2], [2, 0, -2], [2, 0, 2], [-2, 0, 2]]),
    (_WALL, [[-2, 4, -2], [2, 4, -2], [2, 0, -2], [-2, 0, -2]]),
    (_SIDE, [[-2, 4, 2], [-2, 4, -2], [-2, 0, -2], [-2, 0, 2]]),
)


def _pose(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and translation, camera from world, of a camera that looks into the corner."""
    place = np.array([5.2 * np.sin(angle), 2.0 + 0.3 * np.sin(5 * angle), 5.2 * np.cos(angle)])
    forward = np.array([-0.6, 1.2, -0.6]) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 1.0, 0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return rotation, -rotation @ place


def _photo(angle: float, name: str) -> Photo:
    """What such a camera sees: each square as a homography of its texture, far ones first."""
    rotation, translation = _pose(angle)
    camera = np.array([[_FOCAL, 0, _WIDTH / 2], [0, _FOCAL, _HEIGHT / 2], [0, 0, 1.0]])
    picture = np.zeros((2 * _HEIGHT, 2 * _WIDTH, 3), np.uint8)
    for texture, corners in _SQUARES:
        seen = (np.array(corners, float) @ rotation.T + translation) @ camera.T
        target = (2 * seen[:, :2] / seen[:, 2:]).astype(np.float32)
        source = np.array([[0, 0], [512, 0], [512, 512], [0, 512]], np.float32)
        matrix = cv2.getPerspectiveTransform(source, target)
        size = (2 * _WIDTH, 2 * _HEIGHT)
        warped = cv2.warpPerspective(texture, matrix, size, flags=cv2.INTER_AREA)
        mask = cv2.warpPerspective(np.ones((512, 512), np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0
        picture[mask] = warped[mask]
    small = cv2.resize(picture, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return Photo(name=name, picture_rgb=np.asarray(small, np.uint8), focal_px=_FOCAL, offset_s=None)


_ANGLES = np.linspace(0.15, 1.25, 8)


def _photos() -> Iterator[Photo]:
    for i_photo, angle in enumerate(_ANGLES):
        yield _photo(float(angle), f"photo {i_photo}")
    blank = np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8)
    yield Photo(name="blank", picture_rgb=blank, focal_px=_FOCAL, offset_s=None)
    other = cv2.resize(_texture(9), (_WIDTH, _HEIGHT))
    yield Photo(name="elsewhere", picture_rgb=np.asarray(other, np.uint8), focal_px=_FOCAL, offset_s=None)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[PosedPhotos, list[tuple[str, float]]]:
    words: list[tuple[str, float]] = []
    settings = PoseSettings(has_fixed_lenses=True, max_features=2000)
    folder = tmp_path_factory.mktemp("poses")
    poses = find_poses(
        _photos(),
        folder=folder,
        python=_PYTHON,
        settings=settings,
        progress=lambda stage, share: words.append((stage, share)),
    )
    return poses, words


def test_cameras_are_found_where_they_were(found: tuple[PosedPhotos, list[tuple[str, float]]]) -> None:
    poses, _ = found
    assert [photo.name for photo in poses.photos] == [f"photo {i_photo}" for i_photo in range(len(_ANGLES))]
    truth = [_pose(float(angle)) for angle in _ANGLES]
    centres = np.array([-rotation.T @ translation for rotation, translation in truth])
    places = np.array([photo.camera.position_m for photo in poses.photos])
    # Up to where the origin lies, a turn about y (up is guessed) and the scale, the cameras are the true ones.
    a, b = centres - centres.mean(axis=0), places - places.mean(axis=0)
    scale = np.linalg.norm(b) / np.linalg.norm(a)
    u, _, v = np.linalg.svd(a.T @ b)
    turn = (u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v).T
    assert np.abs(b - scale * a @ turn.T).max() < 0.02 * scale
    assert (turn @ [0, 1, 0])[1] > 0.95  # up is up
    for photo, (rotation, _) in zip(poses.photos, truth, strict=True):
        error = photo.camera.world_from_camera[:3, :3] @ rotation @ turn.T
        assert np.arccos(np.clip((np.trace(error) - 1) / 2, -1, 1)) < np.radians(1)
        assert photo.camera.focal_px[0] == pytest.approx(_FOCAL, rel=0.02)
        assert photo.read_rgb().shape == (photo.camera.height_px, photo.camera.width_px, 3)


def test_photos_that_the_likeliest_pairs_left_unplaced_are_compared_with_all(tmp_path: Path) -> None:
    """Every photo's one partner at first is a blank one, so nothing can be placed until all are compared."""
    blank = np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8)
    photos = [
        photo
        for i_photo, angle in enumerate(_ANGLES)
        for photo in (
            _photo(float(angle), f"photo {i_photo}"),
            Photo(name=f"blank {i_photo}", picture_rgb=blank, focal_px=_FOCAL, offset_s=None),
        )
    ]
    shares: list[float] = []
    poses = find_poses(
        photos,
        folder=tmp_path,
        python=_PYTHON,
        settings=PoseSettings(has_fixed_lenses=True, max_features=2000, neighbour_count=0),
        progress=lambda stage, share: shares.append(share),
    )
    assert [photo.name for photo in poses.photos] == [f"photo {i_photo}" for i_photo in range(len(_ANGLES))]
    assert shares == sorted(shares)


def test_points_lie_before_the_cameras_that_see_them_and_on_the_ground(
    found: tuple[PosedPhotos, list[tuple[str, float]]],
) -> None:
    poses, _ = found
    assert len(poses.points_m) > 200
    assert len(poses.colors_rgb) == len(poses.errors_px) == len(poses.points_m)
    assert poses.mean_error_px < 1.5
    distances = []
    for i_photo, photo in enumerate(poses.photos):
        points = poses.points_m[poses.sightings[poses.sightings[:, 0] == i_photo, 1]]
        seen = points @ photo.camera.camera_from_world[:3, :3].T + photo.camera.camera_from_world[:3, 3]
        assert (seen[:, 2] > 0).all()
        pixels = seen[:, :2] / seen[:, 2:] * photo.camera.focal_px + photo.camera.centre_px
        assert ((pixels > -2) & (pixels < [photo.camera.width_px + 2, photo.camera.height_px + 2])).mean() > 0.98
        distances.append(np.linalg.norm(points - photo.camera.position_m, axis=1))
    assert np.median(np.concatenate(distances)) == pytest.approx(TYPICAL_DISTANCE, rel=1e-6)
    assert abs(np.percentile(poses.points_m[:, 1], 5)) < 0.25


def test_every_photo_is_told_what_became_of_it(found: tuple[PosedPhotos, list[tuple[str, float]]]) -> None:
    poses, _ = found
    states = {outcome.name: outcome.state for outcome in poses.outcomes}
    assert states["blank"] is PhotoState.NO_FEATURES
    assert states["elsewhere"] is PhotoState.NO_OVERLAP
    assert sum(state is PhotoState.REGISTERED for state in states.values()) == len(_ANGLES)


def test_progress_goes_forward_through_all_stages(found: tuple[PosedPhotos, list[tuple[str, float]]]) -> None:
    _, words = found
    assert list(dict.fromkeys(stage for stage, _ in words)) == ["features", "matching", "mapping", "undistorting"]
    shares = [share for _, share in words]
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(shares))
    assert shares[-1] == pytest.approx(1)


def test_the_same_photos_and_seed_give_the_same_cameras(
    found: tuple[PosedPhotos, list[tuple[str, float]]], tmp_path: Path
) -> None:
    settings = PoseSettings(has_fixed_lenses=True, max_features=2000)
    again = find_poses(_photos(), folder=tmp_path, python=_PYTHON, settings=settings)
    for before, after in zip(found[0].photos, again.photos, strict=True):
        assert np.abs(before.camera.world_from_camera - after.camera.world_from_camera).max() < 1e-9
    assert np.array_equal(found[0].sightings, again.sightings)


def test_photos_of_nothing_common_are_refused_with_counts(tmp_path: Path) -> None:
    photos = [
        Photo(name=str(seed), picture_rgb=cv2.resize(_texture(seed), (160, 120)), focal_px=None, offset_s=None)  # pyright: ignore[reportArgumentType]
        for seed in range(20, 24)
    ]
    with pytest.raises(PosesNotFoundError, match="Only 0 of 4 photos fit together; 4 overlap with no other photo"):
        find_poses(photos, folder=tmp_path, python=_PYTHON)


def test_two_photos_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(TooFewPhotosError, match="2 photos"):
        find_poses([_photo(0.2, "a"), _photo(0.4, "b")], folder=tmp_path, python=_PYTHON)


def test_who_is_told_of_too_few_is_told_where_the_others_are() -> None:
    def refused(name: str) -> Refusal:
        return Refusal(name=name, reason=RefusalReason.NEAR_DUPLICATE, message="it looks the same as a.jpg")

    error = TooFewPhotosError("1 photo is too few.", metadata={"count": "1"})
    assert told_with(error, []) is error
    one = told_with(error, [refused("b.jpg")])
    assert isinstance(one, TooFewPhotosError)
    assert one.message == "1 photo is too few. 1 more was left out: b.jpg (it looks the same as a.jpg)."
    many = told_with(PosesNotFoundError("Only 0 of 3."), [refused(f"{number}.jpg") for number in range(5)])
    assert isinstance(many, PosesNotFoundError)
    assert many.message.startswith("Only 0 of 3. 5 more were left out: 0.jpg (it looks the same as a.jpg), 1.jpg (")
    assert many.message.endswith("2.jpg (it looks the same as a.jpg) and others.")
    assert many.metadata["left_out_count"] == "5"


def test_without_the_environment_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(PoseToolMissingError, match="make setup-poses"):
        find_poses([], folder=tmp_path, python=tmp_path / "no-python")


def _fake(folder: Path, body: str) -> Path:
    """A program in the place of the interpreter: as bad as COLMAP can be."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _three() -> list[Photo]:
    return [_photo(angle, str(angle)) for angle in (0.2, 0.4, 0.6)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "by SIGSEGV"),
        ("sys.stderr.write('x' * 5_000_000); sys.exit(7)", "code 7"),
        ("print('no JSON'); print('{\"stage\": 3}'); sys.exit(1)", "code 1"),
    ],
)
def test_a_crash_is_told_and_takes_nobody_along(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(PoseToolFailedError, match=words) as caught:
        find_poses(_three(), folder=tmp_path / "work", python=_fake(tmp_path, body))
    assert len(caught.value.metadata["stderr"]) <= 2000


def test_a_program_that_hangs_and_ignores_signals_is_killed(tmp_path: Path) -> None:
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen(sys.argv[3] + '/pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    started_s = time.monotonic()
    with pytest.raises(PosesTimeoutError):
        find_poses(
            _three(), folder=tmp_path / "work", python=_fake(tmp_path, body), settings=PoseSettings(timeout_s=1.5)
        )
    assert time.monotonic() - started_s < 15
    pid = int((tmp_path / "work" / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_can_be_cancelled(tmp_path: Path) -> None:
    started_s = time.monotonic()
    with pytest.raises(PosesCancelledError):
        find_poses(
            _three(),
            folder=tmp_path / "work",
            python=_fake(tmp_path, "time.sleep(600)"),
            is_cancelled=lambda: time.monotonic() > started_s + 0.5,
        )
    assert time.monotonic() - started_s < 10


def test_settings_tell_sizes_and_focal_lengths_apart(tmp_path: Path) -> None:
    photos = [*_three(), Photo(name="x", picture_rgb=np.zeros((100, 200, 3), np.uint8), focal_px=None, offset_s=None)]
    with pytest.raises(PoseToolFailedError):
        find_poses(photos, folder=tmp_path / "work", python=_fake(tmp_path, "sys.exit(1)"))
    settings = json.loads((tmp_path / "work" / "settings.json").read_text())
    assert [len(camera["images"]) for camera in settings["cameras"]] == [3, 1]
    assert settings["cameras"][0]["parameters"] == [_FOCAL, _WIDTH / 2, _HEIGHT / 2, 0]
    assert settings["cameras"][1]["parameters"] is None


def test_a_tilted_reconstruction_is_levelled() -> None:
    rng = np.random.default_rng(0)
    tilt, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    tilt *= np.sign(np.linalg.det(tilt))
    points = rng.uniform([-3, 0, -3], [3, 0.05, 3], (500, 3))
    poses = [_pose(float(angle)) for angle in np.linspace(0, 6, 12)]
    tilted = np.array([np.column_stack([rotation @ tilt.T, 7 * translation]) for rotation, translation in poses])
    sightings = np.array([(i, j) for i in range(12) for j in range(500)], np.int32)
    rotation, translation, scale = world_from_reconstruction(tilted, 7 * points @ tilt.T, sightings)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert (rotation @ tilt @ [0, 1, 0])[1] > 0.98
    placed = scale * (7 * points @ tilt.T) @ rotation.T + translation
    assert abs(np.percentile(placed[:, 1], 5)) < 1e-9
    assert np.abs(np.median(placed[:, [0, 2]], axis=0)).max() < 1e-9
