"""Large pictures in parts: each part is a picture of its own, from the same place, of which the lens' middle lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from praxiscope_worlds import Camera


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """A part of a picture.

    Attributes:
        camera: Draws it.
        left_px: Its place in the whole.
        top_px: Likewise.
    """

    camera: Camera
    left_px: int
    top_px: int

    @property
    def rows(self) -> slice:
        """Its rows of the whole."""
        return slice(self.top_px, self.top_px + self.camera.height_px)

    @property
    def columns(self) -> slice:
        """Its columns of the whole."""
        return slice(self.left_px, self.left_px + self.camera.width_px)


def tiles_of(camera: Camera, *, max_side_px: int) -> Iterator[Tile]:
    """Cuts a picture into parts whose sides are not larger, row by row from the top left; one part where it is small enough.

    Parts are of one size but for the last ones of a row and of a column, so that what an engine compiled for one is good for most.

    Args:
        camera: Of the whole.
        max_side_px: Of a part; positive.
    """
    for top_px in range(0, camera.height_px, max_side_px):
        for left_px in range(0, camera.width_px, max_side_px):
            part = replace(
                camera,
                width_px=min(max_side_px, camera.width_px - left_px),
                height_px=min(max_side_px, camera.height_px - top_px),
                centre_px=(camera.centre_px[0] - left_px, camera.centre_px[1] - top_px),
            )
            yield Tile(camera=part, left_px=left_px, top_px=top_px)


def scaled(camera: Camera, *, width_px: int) -> Camera:
    """Returns a camera that sees the same in a picture of another width; its height follows."""
    scale = width_px / camera.width_px
    height_px = max(1, round(camera.height_px * scale))
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(camera.focal_px[0] * scale, camera.focal_px[1] * scale),
        centre_px=(camera.centre_px[0] * scale, camera.centre_px[1] * scale),
        world_from_camera=camera.world_from_camera,
    )
