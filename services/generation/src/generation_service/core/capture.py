"""Pictures of a place with their cameras: scaled to what a training takes, and some of them held out."""

from __future__ import annotations

from dataclasses import dataclass

from praxiscope_worlds import Camera

# Every eighth picture is held out (the habit of the field since Mip-NeRF 360), where as many are left as a world needs.
HELD_OUT_EVERY = 8
MIN_COUNT_TO_HOLD_OUT = 12


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which pictures a world is made from, and which it is measured on.

    Attributes:
        train: Indices.
        held_out: Indices; none where there are too few pictures.
    """

    train: tuple[int, ...]
    held_out: tuple[int, ...]


def split_pictures(count: int) -> Split:
    """Splits pictures into those that a world is made from and those that are held out."""
    if count < MIN_COUNT_TO_HOLD_OUT:
        return Split(train=tuple(range(count)), held_out=())
    return Split(
        train=tuple(index for index in range(count) if index % HELD_OUT_EVERY),
        held_out=tuple(range(0, count, HELD_OUT_EVERY)),
    )


def fit_size(width_px: int, height_px: int, *, long_side_px: int) -> tuple[int, int]:
    """Returns the size of a picture whose longer side is at most `long_side_px`; pictures are not made larger."""
    scale = min(1.0, long_side_px / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def scale_camera(camera: Camera, *, width_px: int, height_px: int) -> Camera:
    """Returns the camera of the same picture at another size."""
    scale_x, scale_y = width_px / camera.width_px, height_px / camera.height_px
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(camera.focal_px[0] * scale_x, camera.focal_px[1] * scale_y),
        centre_px=(camera.centre_px[0] * scale_x, camera.centre_px[1] * scale_y),
        world_from_camera=camera.world_from_camera,
    )
