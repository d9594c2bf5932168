"""How fast, and how right, photos' poses are found: `make bench PART=poses`, with FOX=folder of its 50 photos as well.

First a procedural world that anyone has: photos from known cameras, so that errors are known. Then fox, which may not be shipped (NVIDIA's licence). Goals
are those of two idle cores; CPU time of COLMAP's process stands beside the clock.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.figure import Figure, machine, tell
from bench.raster import draw
from generation_service.adapters.photos import Photo, PhotoLimits, PhotoReader, thumbnail_of
from generation_service.adapters.structure_from_motion import PosedPhotos, PoseSettings, find_poses
from generation_service.core.procedural import WorldAttributes, make_scene, orbit
from praxiscope_worlds import Camera
from tools.devstack.settings import CHECKOUT

_PHOTO_COUNT = 30
_WIDTH_PX, _HEIGHT_PX = 450, 300
_FOX_SIDE_PX, _FOX_COUNT, _FOX_GOAL_S = 800, 50, 60.0


def main() -> int:
    """Prints the table."""
    print(machine())
    figures = _procedural()
    folder = os.environ.get("FOX")
    if folder:
        figures += _fox(Path(folder))
    else:
        print("  fox: not run; FOX=folder of its 50 photos runs it")
    return 0 if tell(figures) else 1


def _procedural() -> list[Figure]:
    scene = make_scene(WorldAttributes(), seed=3)
    cameras = orbit(scene, count=_PHOTO_COUNT, width_px=_WIDTH_PX, height_px=_HEIGHT_PX)
    photos = [
        Photo(name=f"{i_photo:02d}", picture_rgb=draw(scene, camera), focal_px=None, offset_s=None)
        for i_photo, camera in enumerate(cameras)
    ]
    found, clock_s, cpu_s = _timed(photos)
    place, turn_deg = _errors(found, dict(zip((photo.name for photo in photos), cameras, strict=True)))
    focal = found.photos[0].camera.focal_px[0] / cameras[0].focal_px[0]
    name = f"procedural, {_PHOTO_COUNT} photos {_WIDTH_PX}x{_HEIGHT_PX}"
    return [
        Figure(name=f"{name}: registered", value=len(found.photos), unit="photos", goal=_PHOTO_COUNT, is_at_least=True),
        Figure(name=f"{name}: time", value=clock_s, unit="s", note=f"{cpu_s:.0f} CPU s"),
        Figure(
            name=f"{name}: places, of the orbit's radius",
            value=100 * place,
            unit="%",
            goal=1.0,
            note="root mean square",
        ),
        Figure(name=f"{name}: directions", value=turn_deg, unit="degrees", goal=0.5, note="the worst"),
        Figure(name=f"{name}: focal length off by", value=100 * abs(focal - 1), unit="%", goal=2.0),
        Figure(name=f"{name}: reprojection", value=found.mean_error_px, unit="px", goal=1.0),
    ]


def _fox(folder: Path) -> list[Figure]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    reader = PhotoReader(PhotoLimits(working_side_px=_FOX_SIDE_PX))
    photos = list(reader.files((path.name, path.read_bytes()) for path in files))
    found, clock_s, cpu_s = _timed(photos)
    thumbnails = np.stack([thumbnail_of(photo.picture_rgb).reshape(-1) for photo in photos])
    apart = np.sqrt(((thumbnails[:, None] - thumbnails[None]) ** 2).mean(axis=-1))[~np.eye(len(photos), dtype=bool)]
    return [
        Figure(name="fox: registered", value=len(found.photos), unit="photos", goal=_FOX_COUNT, is_at_least=True),
        Figure(
            name="fox: time", value=clock_s, unit="s", goal=_FOX_GOAL_S, note=f"{cpu_s:.0f} CPU s; goal on 2 idle cores"
        ),
        Figure(
            name="fox: reprojection",
            value=found.mean_error_px,
            unit="px",
            goal=1.0,
            note=f"{len(found.points_m)} points",
        ),
        Figure(name="fox: nearest two thumbnails apart", value=float(apart.min()), unit="levels"),
    ]


def _timed(photos: Iterable[Photo]) -> tuple[PosedPhotos, float, float]:
    python = CHECKOUT / ".venv-poses" / "bin" / "python"
    before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = find_poses(photos, folder=Path(folder), python=python, settings=PoseSettings())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found, time.perf_counter() - started_s, cpu_s


def _errors(found: PosedPhotos, cameras: dict[str, Camera]) -> tuple[float, float]:
    """Places: root mean square over the spread of the true ones. Directions: the worst angle. Both after the best similarity."""
    truth = [cameras[photo.name] for photo in found.photos]
    a = np.array([camera.position_m for camera in truth])
    b = np.array([photo.camera.position_m for photo in found.photos])
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    u, sizes, v = np.linalg.svd(b.T @ a)
    signs = np.array([1, 1, np.linalg.det(u @ v)])
    turn = (u * signs) @ v
    scale = (sizes * signs).sum() / (b**2).sum()
    place = np.sqrt(((scale * b @ turn - a) ** 2).sum(axis=1).mean() / (a**2).sum(axis=1).mean())
    angles = []
    for photo, camera in zip(found.photos, truth, strict=True):
        rotation = turn.T @ photo.camera.world_from_camera[:3, :3] @ camera.world_from_camera[:3, :3].T
        angles.append(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))
    return float(place), float(max(angles))


if __name__ == "__main__":
    sys.exit(main())
