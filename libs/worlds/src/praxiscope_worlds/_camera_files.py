"""Cameras as plain values: the file `cameras.json` of a world."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from praxiscope_worlds._camera import Camera


def cameras_json(names: Sequence[str], cameras: Sequence[Camera]) -> bytes:
    """Returns the file `cameras.json` of a world: from where its pictures were taken."""
    pairs = zip(names, cameras, strict=True)
    return json.dumps([{"name": name, **camera_json(camera)} for name, camera in pairs]).encode()


def camera_json(camera: Camera) -> dict[str, Any]:
    """Returns a camera as plain values; lengths in pixels, the transform `world_from_camera` by rows."""
    return {
        "width_px": camera.width_px,
        "height_px": camera.height_px,
        "focal_px": list(camera.focal_px),
        "centre_px": list(camera.centre_px),
        "world_from_camera": np.asarray(camera.world_from_camera).tolist(),
    }


def camera_from_json(described: dict[str, Any]) -> Camera:
    """Reads what `camera_json` made."""
    return Camera(
        width_px=int(described["width_px"]),
        height_px=int(described["height_px"]),
        focal_px=(float(described["focal_px"][0]), float(described["focal_px"][1])),
        centre_px=(float(described["centre_px"][0]), float(described["centre_px"][1])),
        world_from_camera=np.asarray(described["world_from_camera"], np.float64),
    )
