"""A zip of photos that says where they were taken from: which file says it, which photo is whose, and what is wrong with it."""

from __future__ import annotations

import io
import json
import zipfile

import cv2
import numpy as np
import pytest

from generation_service.adapters.photos import PhotoArchiveError, PhotoReader
from generation_service.adapters.posed_archive import PosesFile, find_poses_file, read_posed_archive
from generation_service.adapters.posed_input import PosedInputError
from generation_service.adapters.posed_pictures import PosedPictures
from generation_service.core.capture import scatter_points
from generation_service.core.types import View
from praxiscope_worlds import Camera

WIDTH_PX, HEIGHT_PX = 120, 80


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    file.seek(0)
    return file


def jpeg(level: int, orientation: int = 1) -> bytes:
    """A photo of one grey, 120 x 80, whose EXIF data say how it is to be turned."""
    _, encoded = cv2.imencode(".jpg", np.full((HEIGHT_PX, WIDTH_PX, 3), level, np.uint8))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes([0, orientation]) + b"\0\0\0\0\0\0"
    return encoded.tobytes()[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + encoded.tobytes()[2:]


def transforms(*paths: str) -> bytes:
    """Cameras in a row along x of nerfstudio's world, all looking along its y."""
    frames = [
        {"file_path": path, "transform_matrix": [[1, 0, 0, index], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]}
        for index, path in enumerate(paths)
    ]
    return json.dumps({"w": WIDTH_PX, "h": HEIGHT_PX, "fl_x": 100.0, "frames": frames}).encode()


def read(files: dict[str, bytes]) -> PosedPictures:
    file = zipped(files)
    poses_file = find_poses_file(file)
    assert poses_file is not None
    return read_posed_archive(file, poses_file, PhotoReader(is_posed=True), long_side_px=60, seed=0)


def test_the_file_of_poses_nearest_to_the_top_is_taken() -> None:
    assert find_poses_file(zipped({"a.jpg": b"", "cameras.bin": b""})) is None, "images.bin is missing"
    deep = {"x/y/transforms.json": b"", "x/sparse/cameras.txt": b"", "x/sparse/images.txt": b""}
    assert find_poses_file(zipped(deep)) == PosesFile(
        folder="x/sparse", names=("cameras.txt", "images.txt", "points3D.txt")
    )
    assert find_poses_file(zipped({**deep, "x/transforms.json": b""})) == PosesFile(
        folder="x", names=("transforms.json",)
    )
    with pytest.raises(PhotoArchiveError, match="cannot be unpacked"):
        find_poses_file(io.BytesIO(b"PK no zip"))


def test_each_camera_gets_its_photo_whatever_its_path_looks_like() -> None:
    pictures = read(
        {
            "fox/transforms.json": transforms(
                "./images/a.jpg", "images/b", "c.jpg", "images\\d.jpg", "images/gone.jpg"
            ),
            "fox/images/a.jpg": jpeg(10),
            "fox/images/b.jpg": jpeg(20),
            "fox/images/c.jpg": jpeg(30),
            "fox/images/d.jpg": jpeg(40),
            "fox/images/nobody.jpg": jpeg(50),
        }
    )
    assert pictures.names == tuple(f"fox/images/{name}.jpg" for name in "abcd")
    assert [view.camera.position_m[0] for view in pictures.views] == pytest.approx([0, 1, 2, 3])
    assert [int(view.image_rgb.mean().round()) for view in pictures.views] == [10, 20, 30, 40]
    assert [(item.name, item.reason) for item in pictures.left_out] == [
        ("fox/images/nobody.jpg", "no pose is given for it")
    ]
    assert pictures.picture_count == 5


def test_a_name_that_two_photos_have_is_nobodys() -> None:
    files = {"transforms.json": transforms("a.jpg", "b.jpg"), "x/a.jpg": jpeg(1), "y/a.jpg": jpeg(2), "b.jpg": jpeg(3)}
    assert read(files).names == ("b.jpg",)


def test_pixels_stay_where_the_camera_has_them_and_photos_that_look_alike_are_kept() -> None:
    pictures = read(
        {"transforms.json": transforms("a.jpg", "b.jpg"), "a.jpg": jpeg(9, orientation=6), "b.jpg": jpeg(9, 6)}
    )
    assert [view.image_rgb.shape for view in pictures.views] == [(40, 60, 3)] * 2
    assert (pictures.views[0].camera.width_px, pictures.views[0].camera.focal_px[0]) == (60, 50.0)


def test_points_come_from_colmap_and_are_made_up_for_transforms() -> None:
    model = {
        "sparse/0/cameras.txt": b"1 PINHOLE 120 80 100 100 60 40\n",
        "sparse/0/images.txt": b"1 1 0 0 0 0 0 0 1 a.jpg\n\n2 1 0 0 0 -1 0 0 1 b.jpg\n\n",
        "sparse/0/points3D.txt": b"1 0 0 5 255 0 0 0.1\n2 1 0 5 0 255 0 0.1\n",
        "images/a.jpg": jpeg(9),
        "images/b.jpg": jpeg(9),
    }
    pictures = read(model)
    assert len(pictures.views) == 2
    assert pictures.points.colors_rgb.tolist() == [[255, 0, 0], [0, 255, 0]]
    made_up = read({"transforms.json": transforms("a.jpg"), "a.jpg": jpeg(77)}).points
    assert len(made_up.positions_m) == 20_000
    assert set(np.unique(made_up.colors_rgb)) == {77}


def test_scattered_points_are_seen_by_the_camera_that_they_come_from() -> None:
    pose = np.eye(4)
    pose[:3, 3] = (0.5, 1.0, -4.0)
    other = np.eye(4)
    other[:3, :3] = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]  # looks along -x
    other[:3, 3] = (4.5, 1.0, 0.0)
    views = [
        View(
            image_rgb=np.full((80, 120, 3), level, np.uint8),
            camera=Camera(
                width_px=120, height_px=80, focal_px=(100.0, 100.0), centre_px=(60.0, 40.0), world_from_camera=matrix
            ),
        )
        for level, matrix in ((0, pose), (200, other))
    ]
    points = scatter_points(views, count=500, seed=1)
    for level, matrix in ((0, pose), (200, other)):
        seen = points.positions_m[points.colors_rgb[:, 0] == level]
        in_camera = (seen - matrix[:3, 3]) @ matrix[:3, :3]
        pixels = in_camera[:, :2] / in_camera[:, 2:] * 100.0 + (60.0, 40.0)
        assert len(seen) > 150
        assert ((pixels >= 0) & (pixels <= (120.0, 80.0))).all()
        assert in_camera[:, 2].min() > 0.39 * 4.0, "lines of sight meet four metres ahead"
        assert in_camera[:, 2].max() < 4.1 * 4.0
    assert np.array_equal(points.positions_m, scatter_points(views, count=500, seed=1).positions_m)


def test_poses_without_photos_and_bombs_are_refused() -> None:
    with pytest.raises(PosedInputError, match="none of the 1 photos"):
        read({"transforms.json": transforms("a.jpg"), "b.jpg": jpeg(1)})
    with pytest.raises(PosedInputError, match="cannot be parsed"):
        read({"transforms.json": b"{", "b.jpg": jpeg(1)})
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("transforms.json", "w") as entry:
        for _ in range(257):
            entry.write(bytes(1 << 20))
    bomb.seek(0)
    with pytest.raises(PosedInputError, match="unpacks to more than"):
        read_posed_archive(
            bomb,
            PosesFile(folder="", names=("transforms.json",)),
            PhotoReader(is_posed=True),
            long_side_px=60,
            seed=0,
        )
