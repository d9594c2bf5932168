"""Photos that come with poses: `transforms.json` of nerfstudio and instant-ngp, and COLMAP's models as text or as binary.

Bytes in, cameras out, in our frame. Pictures are undistorted by who reads them (`undistorted`), with the lens' numbers that stand beside the camera.
Frames: `transforms.json` has cameras that look along -z with y up (OpenGL) in a world with z up (nerfstudio and instant-ngp); COLMAP's cameras are ours, its
world is anyhow, and is levelled as what structure from motion finds.

Source: instant-ngp docs/nerf_dataset_tips.md and nerfstudio "Data conventions" (the keys of transforms.json); COLMAP doc/format.rst (its files).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from generation_service.adapters.structure_from_motion import world_from_reconstruction
from praxiscope_common.errors import InvalidInputError
from praxiscope_worlds import Camera, InvalidWorldError

_MAX_BYTES = 256 << 20
_MAX_FRAMES = 5000
_MAX_POINTS = 20_000_000
_MAX_NAME_BYTES = 512
_MAX_SIZE_PX = 65_536
# Beyond it squares overflow somewhere; no world is so wide.
_MAX_NUMBER = 1e12
# z up to y up: (x, y, z) becomes (x, z, -y).
_WORLD_FROM_NERF = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
_CAMERA_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
# COLMAP's models by number: name, how many numbers.
_MODELS = {0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8)}
_MODELS |= {5: ("OPENCV_FISHEYE", 8)}
_COUNTS = dict(_MODELS.values())


class PosedInputError(InvalidInputError):
    """The file of poses is not what its format says."""

    reason = "POSED_INPUT_INVALID"


@dataclass(frozen=True, kw_only=True)
class Distortion:
    """How a lens bends what it sees, in OpenCV's terms.

    Attributes:
        is_fisheye: The numbers are those of the fisheye model.
        coefficients: (k1, k2, p1, p2, k3), or (k1, k2, k3, k4) of a fisheye; all zero is a pinhole.
    """

    is_fisheye: bool
    coefficients: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class InputView:
    """One photo's camera as a file states it.

    Attributes:
        name: The photo's path, as in the file.
        camera: In the world's frame, without its distortion.
        distortion: Of its lens.
    """

    name: str
    camera: Camera
    distortion: Distortion


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedInput:
    """What a file of poses holds.

    Attributes:
        views: In the order of the file.
        points_m: Points, [P, 3]; none for `transforms.json`.
        colors_rgb: Their colours, [P, 3].
    """

    views: tuple[InputView, ...]
    points_m: Float64[np.ndarray, "P 3"]
    colors_rgb: UInt8[np.ndarray, "P 3"]


def read_transforms(encoded: bytes) -> PosedInput:
    """Reads a `transforms.json`.

    Raises:
        PosedInputError: It is no such file, a number is missing or not finite, or a pose is no rigid motion.
    """
    if len(encoded) > _MAX_BYTES:
        _refuse(f"transforms.json has {len(encoded)} bytes; at most {_MAX_BYTES} are read")
    try:
        tree = json.loads(encoded)
    except (ValueError, RecursionError) as error:
        raise PosedInputError(f"transforms.json cannot be parsed: {str(error)[:100]}") from error
    frames = tree.get("frames") if isinstance(tree, dict) else None
    if not isinstance(frames, list) or not frames or len(frames) > _MAX_FRAMES:
        _refuse(f"transforms.json has no list of 1 to {_MAX_FRAMES} frames")
    views = []
    for i_frame, frame in enumerate(frames):
        where = f"frames[{i_frame}]"
        if not isinstance(frame, dict):
            _refuse(f"{where} is no object")
        views.append(_view({**tree, **frame}, where))
    return PosedInput(views=tuple(views), points_m=np.zeros((0, 3)), colors_rgb=np.zeros((0, 3), np.uint8))


def read_colmap_text(cameras: bytes, images: bytes, points: bytes = b"") -> PosedInput:
    """Reads COLMAP's `cameras.txt`, `images.txt` and `points3D.txt`.

    Raises:
        PosedInputError: One is no such file.
    """
    lenses: dict[int, _Lens] = {}
    for line in _lines(cameras, "cameras.txt"):
        words = line.split()
        if len(words) < 5 or words[1] not in _COUNTS:
            _refuse(f"cameras.txt: not a camera that is read: {line[:60]!r}")
        lenses[int(_numbers(words[:1], line)[0])] = _lens(
            words[1], _numbers(words[2:4], line), _numbers(words[4:], line)
        )
    rows = _lines(images, "images.txt", keeps_blank=True)
    poses = []
    for line in rows[::2]:  # every second line lists what the photo sees
        words = line.split(maxsplit=9)
        if len(words) != 10:
            _refuse(f"images.txt: not a photo: {line[:60]!r}")
        poses.append((words[9], int(_numbers(words[8:9], line)[0]), _numbers(words[1:8], line)))
    table = [_numbers(line.split()[1:7], line) for line in _lines(points, "points3D.txt")]
    if any(len(row) != 6 for row in table):
        _refuse("points3D.txt: a point has too few numbers")
    return _posed(lenses, poses, np.array(table, np.float64).reshape(-1, 6))


def read_colmap_binary(cameras: bytes, images: bytes, points: bytes = b"") -> PosedInput:
    """Reads COLMAP's `cameras.bin`, `images.bin` and `points3D.bin`.

    Raises:
        PosedInputError: One is no such file.
    """
    lenses: dict[int, _Lens] = {}
    reader = _Binary(cameras, "cameras.bin")
    for _ in range(reader.count(_MAX_FRAMES, least_bytes=24 + 24)):
        camera_id, model, width, height = reader.take("<iiQQ")
        if model not in _MODELS:
            _refuse(f"cameras.bin: the model {model} is not read")
        name, count = _MODELS[model]
        lenses[camera_id] = _lens(name, (width, height), reader.take(f"<{count}d"))
    poses = []
    reader = _Binary(images, "images.bin")
    for _ in range(reader.count(_MAX_FRAMES, least_bytes=64 + 9)):
        _, *pose, camera_id = reader.take("<i7di")
        name = reader.text()
        reader.skip(24 * reader.count(1 << 32, least_bytes=24))
        poses.append((name, camera_id, pose))
    table = []
    if points:
        reader = _Binary(points, "points3D.bin")
        for _ in range(reader.count(_MAX_POINTS, least_bytes=51)):
            _, x, y, z, red, green, blue, _ = reader.take("<Q3d3Bd")
            reader.skip(8 * reader.count(1 << 32, least_bytes=8))
            table.append((x, y, z, red, green, blue))
    return _posed(lenses, poses, np.array(table, np.float64).reshape(-1, 6))


def undistorted(view: InputView, picture_rgb: UInt8[np.ndarray, "H W 3"]) -> tuple[Camera, UInt8[np.ndarray, "H W 3"]]:
    """A pinhole camera and the picture it would have taken, of the photo's size; what the lens did not see is cut, not filled.

    Args:
        view: The photo's camera.
        picture_rgb: The photo, of any size with the camera's proportions.

    Raises:
        PosedInputError: The photo's proportions are another camera's.
    """
    height, width = picture_rgb.shape[:2]
    camera = view.camera
    if abs(width / camera.width_px - height / camera.height_px) * max(camera.width_px, camera.height_px) > 1.5:
        _refuse(f"{view.name[:80]!r} is {width}x{height} pixels, its camera {camera.width_px}x{camera.height_px}")
    scale_x, scale_y = width / camera.width_px, height / camera.height_px
    lens = np.array(
        [
            # OpenCV's pixel centres are whole numbers, ours are at a half.
            [camera.focal_px[0] * scale_x, 0, camera.centre_px[0] * scale_x - 0.5],
            [0, camera.focal_px[1] * scale_y, camera.centre_px[1] * scale_y - 0.5],
            [0, 0, 1.0],
        ]
    )
    coefficients = np.array(view.distortion.coefficients)
    flat = lens
    if coefficients.any():
        if view.distortion.is_fisheye:
            flat = cv2.fisheye.estimateNewCameraMatrixForUndistortRectify(
                lens, coefficients, (width, height), np.eye(3), balance=0.0
            )
            maps = cv2.fisheye.initUndistortRectifyMap(
                lens, coefficients, np.eye(3), flat, (width, height), cv2.CV_32FC1
            )
        else:
            flat, _ = cv2.getOptimalNewCameraMatrix(lens, coefficients, (width, height), 0.0)
            maps = cv2.initUndistortRectifyMap(lens, coefficients, np.eye(3), flat, (width, height), cv2.CV_32FC1)
        picture_rgb = np.asarray(cv2.remap(picture_rgb, maps[0], maps[1], cv2.INTER_LINEAR), np.uint8)
    pinhole = replace(
        camera,
        width_px=width,
        height_px=height,
        focal_px=(float(flat[0, 0]), float(flat[1, 1])),
        centre_px=(float(flat[0, 2]) + 0.5, float(flat[1, 2]) + 0.5),
    )
    return pinhole, picture_rgb


@dataclass(frozen=True, kw_only=True)
class _Lens:
    width_px: int
    height_px: int
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    distortion: Distortion


def _refuse(message: str) -> NoReturn:
    raise PosedInputError(message)


def _view(tree: dict[str, Any], where: str) -> InputView:
    def number(name: str, usual: float | None = None) -> float:
        value = tree.get(name, usual)
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            _refuse(f"{where}: {name} is no finite number")
        return float(value)

    width, height = _size(number("w"), number("h"), where)
    if "fl_x" in tree or "fl_y" in tree:
        focal_x = number("fl_x", tree.get("fl_y"))
        focal_y = number("fl_y", focal_x)
    else:
        focal_x = 0.5 * width / math.tan(0.5 * min(max(number("camera_angle_x"), 1e-3), 3.1))
        angle_y = tree.get("camera_angle_y")
        focal_y = 0.5 * height / math.tan(0.5 * min(max(number("camera_angle_y"), 1e-3), 3.1)) if angle_y else focal_x
    is_fisheye = bool(tree.get("is_fisheye")) or tree.get("camera_model") == "OPENCV_FISHEYE"
    names = ("k1", "k2", "k3", "k4") if is_fisheye else ("k1", "k2", "p1", "p2", "k3")
    name = tree.get("file_path")
    if not isinstance(name, str) or not name or len(name) > _MAX_NAME_BYTES:
        _refuse(f"{where}: file_path is no path")
    try:
        matrix = np.array(tree.get("transform_matrix"), np.float64)
    except (ValueError, TypeError, OverflowError):
        matrix = np.zeros(0)
    if matrix.shape not in {(4, 4), (3, 4)} or not np.isfinite(matrix).all():
        _refuse(f"{where}: transform_matrix is no matrix of 4 x 4 finite numbers")
    pose = np.eye(4)
    pose[:3] = matrix[:3]
    lens = _Lens(
        width_px=width,
        height_px=height,
        focal_px=(focal_x, focal_y),
        centre_px=(number("cx", width / 2), number("cy", height / 2)),
        distortion=Distortion(is_fisheye=is_fisheye, coefficients=tuple(number(item, 0.0) for item in names)),
    )
    return _placed(name, lens, _WORLD_FROM_NERF @ pose @ _CAMERA_FLIP)


def _placed(name: str, lens: _Lens, world_from_camera: np.ndarray) -> InputView:
    try:
        camera = Camera(
            width_px=lens.width_px,
            height_px=lens.height_px,
            focal_px=lens.focal_px,
            centre_px=lens.centre_px,
            world_from_camera=world_from_camera,
        )
    except InvalidWorldError as error:
        raise PosedInputError(f"{name[:80]!r}: {error.message}") from error
    return InputView(name=name, camera=camera, distortion=lens.distortion)


def _size(width: float, height: float, where: str) -> tuple[int, int]:
    if not (1 <= width <= _MAX_SIZE_PX and 1 <= height <= _MAX_SIZE_PX):
        _refuse(f"{where}: a picture of {width:g} x {height:g} pixels")
    return int(width), int(height)


def _lens(model: str, size: Sequence[float], numbers: Sequence[float]) -> _Lens:
    if len(numbers) != _COUNTS[model]:
        _refuse(f"a camera {model} has {len(numbers)} numbers; there must be {_COUNTS[model]}")
    if not all(abs(value) <= _MAX_NUMBER for value in numbers):
        _refuse(f"a camera {model} has numbers that are not finite, or beyond {_MAX_NUMBER:g}")
    width, height = _size(size[0], size[1], "camera")
    if model in {"PINHOLE", "OPENCV", "OPENCV_FISHEYE"}:
        focal, centre, bends = (numbers[0], numbers[1]), (numbers[2], numbers[3]), tuple(numbers[4:])
    else:
        focal, centre, bends = (numbers[0], numbers[0]), (numbers[1], numbers[2]), tuple(numbers[3:])
    is_fisheye = model == "OPENCV_FISHEYE"
    width_of_bends = 4 if is_fisheye else 5
    coefficients = tuple(float(value) for value in bends) + (0.0,) * (width_of_bends - len(bends))
    return _Lens(
        width_px=width,
        height_px=height,
        focal_px=focal,
        centre_px=centre,
        distortion=Distortion(is_fisheye=is_fisheye, coefficients=coefficients),
    )


def _posed(
    lenses: dict[int, _Lens], poses: Sequence[tuple[str, int, Sequence[float]]], table: Float64[np.ndarray, "P 6"]
) -> PosedInput:
    """Levels a model as what structure from motion finds; without sightings its scale stays."""
    if not poses or len(poses) > _MAX_FRAMES:
        _refuse(f"{len(poses)} photos; there must be 1 to {_MAX_FRAMES}")
    numbers = np.array([pose for _, _, pose in poses], np.float64)
    # NaN fails the comparison too.
    if not all(bool((np.abs(values) <= _MAX_NUMBER).all()) for values in (numbers, table)):
        _refuse(f"a pose or a point is not finite, or beyond {_MAX_NUMBER:g}")
    lengths = np.linalg.norm(numbers[:, :4], axis=1, keepdims=True)
    if lengths.min() < 1e-9:
        _refuse("a pose has a quaternion of zeros")
    w, x, y, z = (numbers[:, :4] / lengths).T
    rotations = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    camera_from_world = np.concatenate([rotations, numbers[:, 4:, None]], axis=2)
    turn, move, _ = world_from_reconstruction(camera_from_world, table[:, :3], np.zeros((0, 2), np.int32))
    views = []
    for (name, camera_id, _), pose in zip(poses, camera_from_world, strict=True):
        if camera_id not in lenses:
            _refuse(f"{name[:80]!r} names the camera {camera_id}, which is not there")
        matrix = np.eye(4)
        matrix[:3, :3] = turn @ pose[:, :3].T
        matrix[:3, 3] = turn @ (-pose[:, :3].T @ pose[:, 3]) + move
        views.append(_placed(name, lenses[camera_id], matrix))
    return PosedInput(
        views=tuple(views),
        points_m=table[:, :3] @ turn.T + move,
        colors_rgb=np.clip(table[:, 3:], 0, 255).astype(np.uint8),
    )


def _lines(encoded: bytes, what: str, *, keeps_blank: bool = False) -> list[str]:
    if len(encoded) > _MAX_BYTES:
        _refuse(f"{what} has {len(encoded)} bytes; at most {_MAX_BYTES} are read")
    try:
        lines = encoded.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise PosedInputError(f"{what} is no text") from error
    return [line for line in lines if not line.startswith("#") and (keeps_blank or line.strip())]


def _numbers(words: Sequence[str], line: str) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise PosedInputError(f"no number in {line[:60]!r}") from error


class _Binary:
    """Reads a binary file from its start; never beyond its end."""

    def __init__(self, encoded: bytes, what: str) -> None:
        self._encoded, self._what, self._position = encoded, what, 0

    def take(self, pattern: str) -> tuple[Any, ...]:
        size = struct.calcsize(pattern)
        if self._position + size > len(self._encoded):
            _refuse(f"{self._what} ends too early")
        values = struct.unpack_from(pattern, self._encoded, self._position)
        self._position += size
        return values

    def count(self, most: int, *, least_bytes: int) -> int:
        """How many rows follow; there must be room for them in the file."""
        (count,) = self.take("<Q")
        if count > most or count * least_bytes > len(self._encoded) - self._position:
            _refuse(f"{self._what} announces {count} rows that it has no room for")
        return count

    def skip(self, size: int) -> None:
        self._position += size

    def text(self) -> str:
        end = self._encoded.find(b"\0", self._position, self._position + _MAX_NAME_BYTES)
        if end < 0:
            _refuse(f"{self._what}: a name has no end")
        text = self._encoded[self._position : end].decode("utf-8", "replace")
        self._position = end + 1
        return text
