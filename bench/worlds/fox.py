"""The fox: 50 phone photos, scaled to 225 x 400 and posed; its folder is the caller's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from generation_service.core.capture import HELD_OUT_EVERY
from generation_service.core.types import SparsePoints, View
from praxiscope_media import decode_image
from praxiscope_worlds import Camera

# From the camera's axes in these files (y up, z towards the viewer) to ours.
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def read_split(folder: Path, *, held_out_from: int | None = None) -> tuple[list[View], list[View]]:
    """Returns the photos to train on and those that are held out.

    Args:
        folder: Holds `transforms_{train,test}.json`.
        held_out_from: Hold out every eighth of all photos, in the order of their names, from this one on; None: the split of the files. What a number is
            chosen by should not be what it is measured on.
    """
    train, held_out = (read_views(folder / f"transforms_{part}.json") for part in ("train", "test"))
    if held_out_from is None:
        return list(train.values()), list(held_out.values())
    views = [view for _, view in sorted({**train, **held_out}.items())]
    is_held_out = [index % HELD_OUT_EVERY == held_out_from for index in range(len(views))]
    pairs = list(zip(views, is_held_out, strict=True))
    return [view for view, is_out in pairs if not is_out], [view for view, is_out in pairs if is_out]


def read_views(path: Path) -> dict[str, View]:
    """Reads a `transforms_*.json` and its pictures, by their names."""
    document = json.loads(path.read_text(encoding="utf-8"))
    views = {}
    for frame in document["frames"]:
        picture = decode_image((path.parent / frame["file_path"]).read_bytes(), max_pixels=1 << 24)
        camera = Camera(
            width_px=picture.shape[1],
            height_px=picture.shape[0],
            focal_px=(document["fl_x"], document["fl_y"]),
            centre_px=(document["cx"], document["cy"]),
            world_from_camera=np.asarray(frame["transform_matrix"], dtype=np.float64) @ _FLIP,
        )
        views[frame["file_path"]] = View(image_rgb=picture, camera=camera)
    return views


def read_points(path: Path) -> SparsePoints:
    """Reads the binary `points3D.ply`: x y z nx ny nz as float, r g b as bytes."""
    content = path.read_bytes()
    header, _, body = content.partition(b"end_header\n")
    count = int(next(line.split()[2] for line in header.splitlines() if line.startswith(b"element vertex")))
    layout = np.dtype([("place", "<f4", 3), ("normal", "<f4", 3), ("color", "u1", 3)])
    table = np.frombuffer(body, dtype=layout, count=count)
    return SparsePoints(positions_m=table["place"].astype(np.float64), colors_rgb=table["color"].copy())
