"""Where photos were taken from: COLMAP finds it, in a process of its own, and this turns what it found into our cameras.

Frame of the result: the world's (docs/conventions.md): y up, guessed as the cameras' mean up; the ground, guessed as the lowest twentieth of the points
under the cameras, near y = 0; the middle of what is seen at x = z = 0; the first camera looks along -z. Photos have no scale: lengths are set so that the
median distance from cameras to points is `TYPICAL_DISTANCE` units.

Source: J. L. Schönberger, J.-M. Frahm, "Structure-from-Motion Revisited", CVPR 2016; COLMAP 4.
"""

from __future__ import annotations

import json
import math
import selectors
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, Int32, UInt8

from generation_service.adapters.photos import Photo
from praxiscope_common.errors import (
    CancelledError,
    DeadlineError,
    InternalError,
    InvalidInputError,
    PreconditionError,
    UnavailableError,
)
from praxiscope_worlds import Camera

_PROGRAM = Path(__file__).with_name("colmap_program.py")
_MIN_PHOTOS = 3
# A photo shows things at a few metres, so lengths look like metres, and files that round to fractions of a unit lose nothing that is seen.
TYPICAL_DISTANCE = 3.0
_GROUND_PERCENTILE = 5.0
_POLL_S = 0.1
_LOOK_S = 1.0
_KILL_AFTER_S = 2.0
_MAX_LINE_BYTES = 4096
_MAX_ERROR_BYTES = 2000
_JPEG_QUALITY = 96
# Pictures that are handed to the feature extractor at a time, between two words on how far it is.
_IMAGES_A_CALL = 8
# Shares of the time that stages take, as seen on fox (`make bench PART=poses`).
_STAGE_WEIGHTS = {"features": 0.4, "matching": 0.3, "mapping": 0.25, "undistorting": 0.05}


class Lens(StrEnum):
    """What bends straight lines in the photos; undistorted photos come out in any case."""

    PHONE = "SIMPLE_RADIAL"
    WIDE = "OPENCV"
    FISHEYE = "OPENCV_FISHEYE"


class PhotoState(StrEnum):
    """What became of a photo."""

    REGISTERED = "REGISTERED"
    NO_FEATURES = "NO_FEATURES"
    NO_OVERLAP = "NO_OVERLAP"
    OTHER_PART = "OTHER_PART"
    NOT_PLACED = "NOT_PLACED"


_STATE_WORDS = {
    PhotoState.NO_FEATURES: "show too little detail (blurred, dark or blank)",
    PhotoState.NO_OVERLAP: "overlap with no other photo",
    PhotoState.OTHER_PART: "fit together among themselves, but not with the rest",
    PhotoState.NOT_PLACED: "overlap too little to be placed",
}


class TooFewPhotosError(InvalidInputError):
    """There are too few photos to find where they were taken from; send at least three, better thirty."""

    reason = "TOO_FEW_PHOTOS"


class PosesNotFoundError(PreconditionError):
    """Where the photos were taken from could not be found; take them closer together, with detail in every one."""

    reason = "POSES_NOT_FOUND"


class PoseToolMissingError(UnavailableError):
    """COLMAP's environment is not set up; `make setup-poses` does it."""

    reason = "POSE_TOOL_MISSING"


class PoseToolFailedError(InternalError):
    """COLMAP ended without a result."""

    reason = "POSE_TOOL_FAILED"


class PosesTimeoutError(DeadlineError):
    """Finding where the photos were taken from took too long; send fewer or smaller photos."""

    reason = "POSES_TIMEOUT"


class PosesCancelledError(CancelledError):
    """Finding where the photos were taken from was cancelled."""

    reason = "POSES_CANCELLED"


@dataclass(frozen=True, kw_only=True)
class PoseSettings:
    """How poses are looked for.

    Attributes:
        lens: Model of the lens; its numbers are found with the poses.
        is_sequential: Photos are in the order they were taken, as frames of a video are: neighbours are compared instead of all with all.
        has_fixed_lenses: Focal lengths of the photos are believed instead of refined.
        max_features: Of a photo, the strongest; the time of matching grows with its square. Photos of 800 pixels have some 3,000.
        sequential_overlap: Neighbours on one side that a frame is compared with, and further ones at doubled distances.
        neighbour_count: Photos that each photo is compared with: those it looks most like. Where that leaves some unplaced, these are compared with all.
        adjustment_growth: Everything is adjusted together each time the model has grown to so many times its size, and at the end.
        seed: The same photos and seed give the same result.
        thread_count: Threads that COLMAP may use for features and matches; cameras are placed by one, so that every run ends the same.
        max_memory_bytes: Address space that COLMAP may use.
        timeout_s: For everything.
        min_registered_count: Photos that must be placed.
    """

    lens: Lens = Lens.PHONE
    is_sequential: bool = False
    has_fixed_lenses: bool = False
    max_features: int = 4096
    sequential_overlap: int = 10
    neighbour_count: int = 16
    adjustment_growth: float = 1.3
    seed: int = 0
    thread_count: int = 2
    max_memory_bytes: int = 12 << 30
    timeout_s: float = 3600.0
    min_registered_count: int = 3


@dataclass(frozen=True, kw_only=True)
class PhotoOutcome:
    """What became of one photo.

    Attributes:
        name: The photo's.
        state: Registered, or why not.
        feature_count: Points of interest in it.
        overlap_count: Photos that it shares a geometry with.
    """

    name: str
    state: PhotoState
    feature_count: int
    overlap_count: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedPhoto:
    """A photo without distortion, and its camera.

    Attributes:
        name: The photo's.
        camera: In the world's frame; its size is that of the undistorted picture.
        picture_path: The undistorted picture, JPEG, in the work folder.
    """

    name: str
    camera: Camera
    picture_path: Path

    def read_rgb(self) -> UInt8[np.ndarray, "H W 3"]:
        """Decodes the undistorted picture."""
        picture = cv2.imread(str(self.picture_path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise PoseToolFailedError("An undistorted picture is missing from the work folder.")
        return np.asarray(picture, np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedPhotos:
    """What structure from motion found.

    Attributes:
        photos: The registered ones, in the order they came.
        outcomes: Of every photo, in the order they came.
        points_m: Points in the world's frame, in units that are metres only by chance, [P, 3].
        colors_rgb: Their colours, [P, 3].
        errors_px: Their mean reprojection errors, [P].
        sightings: Pairs (index into `photos`, index into `points_m`), [S, 2].
        mean_error_px: Mean reprojection error of all sightings.
        scale: Units of the result a unit of COLMAP's.
    """

    photos: tuple[PosedPhoto, ...]
    outcomes: tuple[PhotoOutcome, ...]
    points_m: Float64[np.ndarray, "P 3"]
    colors_rgb: UInt8[np.ndarray, "P 3"]
    errors_px: Float64[np.ndarray, " P"]
    sightings: Int32[np.ndarray, "S 2"]
    mean_error_px: float
    scale: float


Progress = Callable[[str, float], None]
"""Told the stage (features, matching, mapping, undistorting) and the share of the whole, 0 to 1."""


def find_poses(
    photos: Iterable[Photo],
    *,
    folder: Path,
    python: Path,
    settings: PoseSettings | None = None,
    progress: Progress = lambda stage, share: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> PosedPhotos:
    """Finds where photos were taken from.

    Args:
        photos: Upright pictures, taken one after another and written to the folder.
        folder: Empty folder for work; the undistorted pictures stay in it, the caller removes it.
        python: Interpreter of the environment that has COLMAP.
        settings: How.
        progress: Told now and then.
        is_cancelled: Asked ten times a second; when it says so, COLMAP is stopped.

    Raises:
        TooFewPhotosError: Fewer than three.
        PosesNotFoundError: Fewer registered than asked for; the message says how many did and why others did not.
        PoseToolMissingError: There is no such interpreter.
        PosesTimeoutError: It took too long.
        PosesCancelledError: It was cancelled.
        PoseToolFailedError: COLMAP crashed or ran out of memory.
    """
    settings = settings or PoseSettings()
    if not python.exists():
        raise PoseToolMissingError
    names, cameras = _write_photos(photos, folder, settings)
    count = len(names)
    if count < _MIN_PHOTOS:
        raise TooFewPhotosError(
            f"{count} {'photo is' if count == 1 else 'photos are'} too few to find where they were taken from;"
            f" send at least {_MIN_PHOTOS}, better 30.",
            metadata={"count": str(count)},
        )
    description = {
        "cameras": cameras,
        "camera_model": settings.lens.value,
        "is_sequential": settings.is_sequential,
        "sequential_overlap": settings.sequential_overlap,
        "has_fixed_lenses": settings.has_fixed_lenses,
        "max_features": settings.max_features,
        "seed": settings.seed,
        "thread_count": settings.thread_count,
        "max_memory_bytes": settings.max_memory_bytes,
        "max_mapping_s": math.ceil(settings.timeout_s),
        "neighbour_count": settings.neighbour_count,
        "adjustment_growth": settings.adjustment_growth,
        "images_a_call": _IMAGES_A_CALL,
        "jpeg_quality": _JPEG_QUALITY,
    }
    (folder / "settings.json").write_text(json.dumps(description), encoding="utf-8")
    _run_program(
        [str(python), "-I", str(_PROGRAM), str(folder)],
        settings=settings,
        watch=_Watch(progress=progress, database=folder / "database.db"),
        is_cancelled=is_cancelled,
    )
    return _read_result(folder, names, settings)


def world_from_reconstruction(
    camera_from_world: Float64[np.ndarray, "N 3 4"],
    points: Float64[np.ndarray, "P 3"],
    sightings: Int32[np.ndarray, "S 2"],
) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, " 3"], float]:
    """The similarity that levels a reconstruction and puts it on the ground.

    Args:
        camera_from_world: Poses as COLMAP has them.
        points: Its points.
        sightings: Pairs (camera, point).

    Returns:
        Rotation, translation and scale: `world = scale * rotation @ point + translation`. Where there are no points, the scale is 1.
    """
    rotations = camera_from_world[:, :, :3]
    centres = -np.einsum("nji,nj->ni", rotations, camera_from_world[:, :, 3])
    # A camera's y points down in its picture, and people hold cameras level more or less: errors cancel in the mean.
    up = _unit(-rotations[:, 1].mean(axis=0), fallback=-rotations[0, 1])
    forward = rotations[0, 2] - (rotations[0, 2] @ up) * up
    back = _unit(-forward, fallback=np.cross(up, rotations[0, 0]))
    rotation = np.stack([np.cross(up, back), up, back])
    scale = 1.0
    if len(sightings):
        distances = np.linalg.norm(points[sightings[:, 1]] - centres[sightings[:, 0]], axis=1)
        scale = TYPICAL_DISTANCE / max(float(np.median(distances)), 1e-12)
    levelled = scale * points @ rotation.T if len(points) else np.zeros((0, 3))
    middle = np.median(levelled, axis=0) if len(levelled) else scale * rotation @ centres.mean(axis=0)
    lowest_camera = float((scale * centres @ rotation.T)[:, 1].min())
    under = levelled[levelled[:, 1] < lowest_camera, 1]
    ground = (
        float(np.percentile(under if len(under) >= 20 else levelled[:, 1], _GROUND_PERCENTILE))
        if len(levelled)
        else lowest_camera
    )
    return rotation, -np.array([middle[0], ground, middle[2]]), scale


def _unit(vector: np.ndarray, *, fallback: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    if length > 1e-6:
        return vector / length
    return fallback / np.linalg.norm(fallback)


def _write_photos(
    photos: Iterable[Photo], folder: Path, settings: PoseSettings
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Writes pictures under names of our own, and groups them by camera: one size and focal length is one."""
    (folder / "images").mkdir(parents=True)
    names: dict[str, str] = {}
    groups: dict[tuple[int, int, float | None], list[str]] = {}
    for i_photo, photo in enumerate(photos):
        file_name = f"{i_photo:05d}.jpg"
        picture = np.ascontiguousarray(photo.picture_rgb[:, :, ::-1])
        cv2.imwrite(str(folder / "images" / file_name), picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        names[file_name] = photo.name
        height_px, width_px = photo.picture_rgb.shape[:2]
        focal_px = None if photo.focal_px is None else round(photo.focal_px, 1)
        groups.setdefault((width_px, height_px, focal_px), []).append(file_name)
    cameras = [
        {
            "images": images,
            "parameters": None if focal_px is None else _parameters(settings.lens, width_px, height_px, focal_px),
        }
        for (width_px, height_px, focal_px), images in groups.items()
    ]
    return names, cameras


def _parameters(lens: Lens, width_px: int, height_px: int, focal_px: float) -> list[float]:
    """COLMAP's parameters of a camera without distortion."""
    centre = [width_px / 2, height_px / 2]
    return [focal_px, *centre, 0] if lens is Lens.PHONE else [focal_px, focal_px, *centre, 0, 0, 0, 0]


class _Watch:
    """Knows how far COLMAP is: by what the program says, and while it compares pairs, by how many stand in its database."""

    def __init__(self, *, progress: Progress, database: Path) -> None:
        self._progress = progress
        self._database = database
        self._pair_count = 1
        self._compared_count = 0
        self._share = 0.0
        self._stage = ""
        self._looked_s = 0.0

    def tell(self, line: bytes) -> None:
        """Passes a word of the program's on."""
        try:
            word = json.loads(line)
            stage, share = str(word["stage"]), float(word["share"])
            pair_count = int(word.get("pair_count", 0))
        except (ValueError, KeyError, TypeError):  # a word of a native library on the same output
            return
        if stage in _STAGE_WEIGHTS:
            self._stage = stage
            if pair_count:
                self._compared_count, self._pair_count = self._count_pairs() or 0, pair_count
            self._pass_on(share)

    def look(self) -> None:
        """Counts pairs, once a second."""
        if self._stage != "matching" or time.monotonic() - self._looked_s < _LOOK_S:
            return
        self._looked_s = time.monotonic()
        count = self._count_pairs()
        if count is not None:
            self._pass_on(min(1.0, max(0, count - self._compared_count) / self._pair_count))

    def _count_pairs(self) -> int | None:
        """Pairs that were compared; None while the database is being written, the next second will do."""
        try:
            with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=_POLL_S)) as connection:
                (count,) = connection.execute("SELECT COUNT(*) FROM two_view_geometries").fetchone()
        except sqlite3.Error:
            return None
        return int(count)

    def _pass_on(self, share: float) -> None:
        names = list(_STAGE_WEIGHTS)
        before = sum(_STAGE_WEIGHTS[name] for name in names[: names.index(self._stage)])
        # Pictures may be compared and placed a second time; how far it is never goes back.
        self._share = max(self._share, before + _STAGE_WEIGHTS[self._stage] * share)
        self._progress(self._stage, self._share)


def _run_program(
    command: Sequence[str], *, settings: PoseSettings, watch: _Watch, is_cancelled: Callable[[], bool]
) -> None:
    ends_s = time.monotonic() + settings.timeout_s
    # Its threads are COLMAP's own; what adds up by OpenMP would do so in another order each time.
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(  # noqa: S603 - our own program, its one argument a folder of ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        try:
            error_text = _follow(process, ends_s=ends_s, watch=watch, is_cancelled=is_cancelled)
        finally:
            _stop(process)
    if process.returncode != 0:
        killed = f" by {signal.Signals(-process.returncode).name}" if process.returncode < 0 else ""
        raise PoseToolFailedError(
            f"COLMAP ended{killed} with code {process.returncode}.",
            metadata={"code": str(process.returncode), "stderr": error_text},
        )


def _follow(process: subprocess.Popen[bytes], *, ends_s: float, watch: _Watch, is_cancelled: Callable[[], bool]) -> str:
    """Reads both outputs until they end, and asks now and then whether to go on; returns the beginning of the errors."""
    assert process.stdout is not None
    assert process.stderr is not None
    errors, line = b"", b""
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            if is_cancelled():
                raise PosesCancelledError
            if time.monotonic() > ends_s:
                raise PosesTimeoutError
            watch.look()
            for key, _ in selector.select(_POLL_S):
                piece = key.fileobj.read1(65536)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    errors = (errors + piece)[:_MAX_ERROR_BYTES]
                else:
                    *lines, line = (line + piece).split(b"\n")
                    line = line[-_MAX_LINE_BYTES:]
                    for whole in lines:
                        watch.tell(whole)
    return errors.decode("utf-8", "replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_result(folder: Path, names: dict[str, str], settings: PoseSettings) -> PosedPhotos:
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    outcomes = tuple(
        PhotoOutcome(
            name=name,
            state=PhotoState(result["outcomes"][file_name]["state"]),
            feature_count=result["outcomes"][file_name]["feature_count"],
            overlap_count=result["outcomes"][file_name]["overlap_count"],
        )
        for file_name, name in names.items()
    )
    registered_count = sum(outcome.state is PhotoState.REGISTERED for outcome in outcomes)
    if registered_count < max(settings.min_registered_count, 2):
        raise PosesNotFoundError(
            _why(outcomes, registered_count),
            metadata={"count": str(len(outcomes)), "registered_count": str(registered_count)},
        )
    with np.load(folder / "points.npz") as arrays:
        positions, sightings = arrays["positions"], arrays["seen"]
        colors_rgb, errors_px = arrays["colors_rgb"], arrays["errors_px"]
    poses = np.array([image["camera_from_world"] for image in result["images"]], np.float64)
    rotation, translation, scale = world_from_reconstruction(poses, positions, sightings)
    photos = tuple(
        PosedPhoto(
            name=names[image["name"]],
            camera=Camera(
                width_px=image["width_px"],
                height_px=image["height_px"],
                focal_px=tuple(image["focal_px"]),
                centre_px=tuple(image["centre_px"]),
                world_from_camera=_camera_in_world(pose, rotation, translation, scale),
            ),
            picture_path=folder / "flat" / "images" / image["name"],
        )
        for image, pose in zip(result["images"], poses, strict=True)
    )
    return PosedPhotos(
        photos=photos,
        outcomes=outcomes,
        points_m=scale * positions @ rotation.T + translation,
        colors_rgb=colors_rgb,
        errors_px=errors_px,
        sightings=sightings,
        mean_error_px=float(result["mean_error_px"]),
        scale=scale,
    )


def _camera_in_world(pose: np.ndarray, rotation: np.ndarray, translation: np.ndarray, scale: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ pose[:, :3].T
    matrix[:3, 3] = scale * rotation @ (-pose[:, :3].T @ pose[:, 3]) + translation
    return matrix


def _why(outcomes: Sequence[PhotoOutcome], registered_count: int) -> str:
    counts = {state: sum(outcome.state is state for outcome in outcomes) for state in _STATE_WORDS}
    reasons = ", ".join(f"{count} {_STATE_WORDS[state]}" for state, count in counts.items() if count)
    return (
        f"Only {registered_count} of {len(outcomes)} photos fit together; {reasons}. "
        "Take photos a step apart, each sharing two thirds with the next, of things that stand still and have detail."
    )
